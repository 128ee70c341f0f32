"""Setting a cycle up: each part is kept as soon as it is said, and nothing is sent."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from survey.core import cycles, days, greetings, names, nominations, questionnaires, releases
from survey.core.competencies import Section
from survey.core.cycles import Phase, Warning
from survey.core.errors import BadInput, NotFound
from survey.core.nominations import Choice
from survey.core.relationships import COLLEAGUES, Relationship
from survey.store import asking, hands
from survey.store import cycles as store
from survey.store.competencies import CompetencyPage
from survey.store.custody import Custody
from survey.store.cycles import Cycle, Review, ReviewPage
from survey.store.nominations import Nomination
from survey.store.people import Person, by_name

MANY_COLLEAGUES = 8

LONGEST_NAME = 200
"""Characters of the name of a round."""


@dataclass(frozen=True)
class Added:
    """What came of adding people: how many are new, and who has no level for which there is a page."""

    count: int
    without_page: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """A review of a draft, as its list shows it."""

    id: uuid.UUID
    subject: str
    team: str
    pages: tuple[str, ...]
    raters: Mapping[Relationship, int]
    choice: Choice


def make(
    session: Session,
    name: str,
    *,
    launcher_id: uuid.UUID,
    minimum: int = cycles.DEFAULT_MINIMUM,
    closes_at: datetime | None = None,
    blocks: Iterable[Section] = questionnaires.ON_BY_DEFAULT,
    zone: tzinfo = UTC,
    now: datetime,
) -> Cycle:
    """A new draft, by default with the usual decisions. Its days are those of `zone`.

    Raises `BadInput` for a missing name, a minimum that does not protect, or an early end.
    """
    end = closes_at or days.end_of(days.local_day(now, zone) + cycles.DEFAULT_DURATION, zone)
    cycle = Cycle(
        name=_name(name),
        launcher_id=launcher_id,
        minimum=cycles.check_minimum(minimum),
        closes_at=cycles.check_end(now, end),
        time_zone=days.zone_name(zone),
        blocks=sorted(set(blocks) | questionnaires.ALWAYS_ON),
        begun_at=now,
    )
    session.add(cycle)
    session.flush()
    return cycle


def copy(
    session: Session,
    source_id: uuid.UUID,
    name: str,
    *,
    launcher_id: uuid.UUID,
    zone: tzinfo = UTC,
    now: datetime,
) -> Cycle:
    """A new draft with the decisions, people and raters of an earlier cycle.

    Pages are the newest of the same competency, at the level that each person has now; people who are not active any
    more are left out. Raises `NotFound`, and `BadInput` for a missing name.
    """
    source = store.get(session, source_id)
    cycle = make(session, name, launcher_id=launcher_id, zone=zone, now=now)
    cycle.minimum, cycle.blocks, cycle.labels = source.minimum, list(source.blocks), source.labels
    cycle.greeting, cycle.reminders = source.greeting, source.reminders
    cycle.manager_days = source.manager_days
    newest = _newest(session)
    active = dict(session.execute(select(Person.id, Person.is_external).where(Person.is_active)).all())
    new_ids: dict[uuid.UUID, uuid.UUID] = {}
    for review in source.reviews:
        subject = review.subject
        if not subject.is_active:
            continue
        pages = [
            newest.get((entry.page.competency_id, subject.level or entry.page.level))
            or newest[entry.page.competency_id, entry.page.level]
            for entry in review.pages
        ]
        new_ids[review.id] = _add(session, cycle, subject.id, [page.id for page in pages]).id
    raters = session.execute(
        select(Nomination.review_id, Nomination.rater_id, Nomination.relationship)
        .join(Review, Review.id == Nomination.review_id)
        .where(Review.cycle_id == source_id)
    )
    rows = [
        {
            "review_id": new_ids[review_id],
            "rater_id": rater_id,
            "relationship": nominations.chosen_as(Relationship(kind), is_external=active[rater_id]),
            "chosen_by_id": launcher_id,
            "awaits_word": active[rater_id],
        }
        for review_id, rater_id, kind in raters
        if review_id in new_ids and rater_id in active
    ]
    if rows:
        session.execute(insert(Nomination), rows)
    for review_id in {row["review_id"] for row in rows if row["awaits_word"]}:
        asking.ask_for_word(session, session.get_one(Review, review_id), now=now)
    return cycle


def rename(session: Session, cycle_id: uuid.UUID, name: str) -> None:
    """Another name, as it will stand in the invitations."""
    _draft(session, cycle_id).name = _name(name)


def add_people(
    session: Session,
    cycle_id: uuid.UUID,
    subject_ids: Sequence[uuid.UUID],
    competency_ids: Sequence[uuid.UUID],
    *,
    level: int | None = None,
) -> Added:
    """Puts these people under review, each on the pages of these competencies at their own level, or at `level`.

    Raters are suggested from the organisation chart. Who is in the cycle already stays as they are. Whoever has no
    level, or one for which there is no page, is named and not added; the others are.
    """
    cycle = _draft(session, cycle_id)
    if not subject_ids:
        raise BadInput("Choose at least one person.")
    if not competency_ids:
        raise BadInput("Choose at least one competency to review them on.")
    newest = _newest(session)
    there = set(session.scalars(select(Review.subject_id).where(Review.cycle_id == cycle_id)))
    subjects = session.scalars(
        select(Person).where(Person.id.in_(subject_ids), Person.is_active, Person.is_external.is_(False))
    ).all()
    without, added = [], []
    for subject in sorted(subjects, key=lambda subject: names.in_order(subject.name)):
        if subject.id in there:
            continue
        pages = [newest.get((competency, level or subject.level or 0)) for competency in competency_ids]
        if any(page is None for page in pages):
            without.append(subject.name)
            continue
        added.append((_add(session, cycle, subject.id, [page.id for page in pages if page]).id, subject))
    session.flush()
    _suggest(session, added)
    return Added(len(added), tuple(without))


def add_review(session: Session, cycle_id: uuid.UUID, subject_id: uuid.UUID, page_ids: Sequence[uuid.UUID]) -> Review:
    """A review of this person on these very pages. Raises `BadInput` when the person is in the cycle already."""
    cycle = _draft(session, cycle_id)
    subject = session.get(Person, subject_id)
    if subject is None or not subject.is_active or subject.is_external:
        raise BadInput("This person is not known here.")
    if session.scalar(select(Review.id).where(Review.cycle_id == cycle_id, Review.subject_id == subject_id)):
        raise BadInput(f"{subject.name} is in this round already.")
    return store.put_under_review(session, cycle, subject_id, page_ids)


def remove_review(session: Session, review_id: uuid.UUID) -> None:
    """Takes a person out of a draft."""
    review = session.get(Review, review_id)
    if review is None:
        raise NotFound("There is no such review.")
    _draft(session, review.cycle_id)
    session.execute(delete(Nomination).where(Nomination.review_id == review_id))
    session.delete(review)
    session.flush()


def discard(session: Session, cycle_id: uuid.UUID) -> None:
    """Deletes a cycle that nobody has been asked about."""
    session.delete(_draft(session, cycle_id))
    session.flush()


def set_rules(session: Session, cycle_id: uuid.UUID, *, minimum: int) -> None:
    """The smallest group that is ever shown. Raises `BadInput` for one that protects nobody."""
    _draft(session, cycle_id).minimum = cycles.check_minimum(minimum)


def set_questions(
    session: Session, cycle_id: uuid.UUID, *, blocks: Iterable[Section], labels: Sequence[str], opt_out: str
) -> None:
    """What is asked, and the words of the frequency scale. Raises `BadInput` for a label that is missing or double."""
    cycle = _draft(session, cycle_id)
    scale = questionnaires.check_frequency(labels, opt_out)
    cycle.blocks = sorted(set(blocks) | questionnaires.ALWAYS_ON)
    cycle.labels = None if scale == questionnaires.FREQUENCY else [*scale.labels, scale.opt_out]


def set_dates(
    session: Session,
    cycle_id: uuid.UUID,
    *,
    opens_at: datetime | None,
    closes_at: datetime,
    reminders: Iterable[str],
    manager_days: int = 0,
    zone: tzinfo = UTC,
    now: datetime,
) -> None:
    """When it opens (None: by hand), when it closes, which reminders go out, and who reads the reports first.

    Its days are those of `zone`.

    `manager_days`: so many days before the subjects, 0 for both at once. Raises `BadInput` for a start in the past, an
    end too soon after it, or too many such days.
    """
    cycle = _draft(session, cycle_id)
    if opens_at is None and cycle.phase == Phase.NOMINATING:
        raise BadInput("People are choosing their raters, until two days before the round opens: it needs its day.")
    if opens_at is not None and opens_at <= now:
        raise BadInput("The day of opening must be in the future; leave it empty to open the round by hand.")
    cycle.closes_at, cycle.time_zone = cycles.check_end(opens_at or now, closes_at), days.zone_name(zone)
    cycle.manager_days = manager_days and releases.check_days(manager_days)
    cycle.opens_at = opens_at
    cycle.is_scheduled = cycle.is_scheduled and opens_at is not None
    chosen = set(reminders)
    cycle.reminders = None if chosen >= set(cycles.SLOTS) else [slot for slot in cycles.SLOTS if slot in chosen]


def set_greeting(session: Session, cycle_id: uuid.UUID, greeting: str) -> None:
    """The launcher's own words above the invitation. Raises `BadInput` for what cannot stand in a mail."""
    _draft(session, cycle_id).greeting = greetings.check(greeting)


def lines(session: Session, cycle_id: uuid.UUID) -> list[Line]:
    """The reviews of a draft by name, in a fixed number of queries however many there are."""
    chosen = _chosen(session, cycle_id)
    titles = store.titles(session, cycle_id)
    rows = session.execute(
        select(Review.id, Person.name, Person.team, Review.choice)
        .join(Person, Person.id == Review.subject_id)
        .where(Review.cycle_id == cycle_id)
        .order_by(*by_name())
    )
    return [
        Line(review_id, name, team, titles.get(review_id, ()), dict(chosen.get(review_id, {})), Choice(choice))
        for review_id, name, team, choice in rows
    ]


def warnings(
    session: Session, cycle_id: uuid.UUID, *, days_off: Mapping[date, str] = cycles.NO_DAYS_OFF
) -> list[Warning]:
    """What will go wrong if the cycle is opened as it is, with the remedy: first what concerns all, then by person.

    `days_off` are the holidays of the company, by name.
    """
    cycle = store.get(session, cycle_id)
    general = (cycles.weak_minimum(cycle.minimum), cycles.about_the_end(cycle.last_day, days_off))
    found = [warning for warning in general if warning]
    custody = session.get(Custody, cycle_id)
    if custody is not None and not custody.is_tested:
        found.append(cycles.UNTESTED)
    load = session.execute(
        select(Person.name, func.count())
        .join(Nomination, Nomination.rater_id == Person.id)
        .join(Review, Review.id == Nomination.review_id)
        .where(Review.cycle_id == cycle_id, Nomination.awaits_word.is_(False))
        .group_by(Person.id)
        .having(func.count() > MANY_COLLEAGUES)
        .order_by(*by_name())
    )
    found += [
        Warning(f"{name} is asked about {count} colleagues.", "Ask somebody else about some of them.", "raters")
        for name, count in load
    ]
    chosen = _chosen(session, cycle_id)
    found += _about_outside(session, cycle)
    for review_id, name in session.execute(
        select(Review.id, Person.name)
        .join(Person, Person.id == Review.subject_id)
        .where(Review.cycle_id == cycle_id)
        .order_by(*by_name())
    ):
        found += cycles.warnings(name, dict(chosen.get(review_id, {})), cycle.minimum)
    return found


def _about_outside(session: Session, cycle: Cycle) -> list[Warning]:
    """Who is counted as an outside rater though they work here, and who is left out because they await a word."""
    chosen = select(Person.name).join(Nomination, Nomination.rater_id == Person.id)
    chosen = chosen.join(Review, Review.id == Nomination.review_id).where(Review.cycle_id == cycle.id)
    chosen = chosen.distinct().order_by(Person.name)
    outside = hands.outside(session, cycle)
    anonymous = Nomination.relationship.in_(COLLEAGUES)
    made_up = session.scalars(chosen.where(Person.id.in_(outside), Person.is_external.is_(False), anonymous)).all()
    waiting = session.scalars(chosen.where(Nomination.awaits_word)).all()
    return [*cycles.about_made_up(made_up), *cycles.about_waiting(waiting)]


def schedule(session: Session, cycle_id: uuid.UUID, *, is_on: bool) -> None:
    """Has the cycle open by itself on its day, or takes that back. Raises `BadInput` without a day."""
    cycle = _draft(session, cycle_id)
    if is_on and cycle.opens_at is None:
        raise BadInput("Choose the day of opening first.")
    cycle.is_scheduled = is_on


def _draft(session: Session, cycle_id: uuid.UUID) -> Cycle:
    cycle = store.get(session, cycle_id)
    cycles.require(Phase(cycle.phase), Phase.DRAFT, Phase.NOMINATING)
    return cycle


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise BadInput("The round needs a name, as it will stand in the invitations.")
    if len(name) > LONGEST_NAME:
        raise BadInput(f"This name has {len(name):,} characters; {LONGEST_NAME} fit.")
    return name


def _add(session: Session, cycle: Cycle, subject_id: uuid.UUID, page_ids: Sequence[uuid.UUID]) -> Review:
    review = Review(
        id=uuid.uuid4(),
        cycle_id=cycle.id,
        subject_id=subject_id,
        pages=[ReviewPage(position=position, page_id=page_id) for position, page_id in enumerate(page_ids, 1)],
    )
    session.add(review)
    return review


def _newest(session: Session) -> dict[tuple[uuid.UUID, int], CompetencyPage]:
    """The newest page of each competency and level."""
    pages = session.scalars(select(CompetencyPage).order_by(CompetencyPage.version))
    return {(page.competency_id, page.level): page for page in pages}


def _suggest(session: Session, added: Sequence[tuple[uuid.UUID, Person]]) -> None:
    """Raters from the organisation chart for all of these at once."""
    managers = {subject.manager_id for _, subject in added if subject.manager_id}
    around: dict[uuid.UUID | None, list[uuid.UUID]] = {}
    wanted: Collection[uuid.UUID] = managers | {subject.id for _, subject in added}
    for person_id, manager_id in session.execute(
        select(Person.id, Person.manager_id).where(Person.manager_id.in_(wanted), Person.is_active)
    ):
        around.setdefault(manager_id, []).append(person_id)
    rows = []
    for review_id, subject in added:
        raters = dict.fromkeys(around.get(subject.id, ()), Relationship.DIRECT_REPORT)
        if subject.manager_id:
            raters |= dict.fromkeys(around.get(subject.manager_id, ()), Relationship.PEER)
            raters[subject.manager_id] = Relationship.MANAGER
        raters[subject.id] = Relationship.SELF
        rows += [{"review_id": review_id, "rater_id": rater, "relationship": kind} for rater, kind in raters.items()]
    if rows:
        session.execute(insert(Nomination), rows)


def _chosen(session: Session, cycle_id: uuid.UUID) -> dict[uuid.UUID, Counter[Relationship]]:
    """How many are chosen per review and relationship, outside raters as such, and without who awaits a word."""
    chosen: dict[uuid.UUID, Counter[Relationship]] = {}
    asked = (
        select(Nomination.review_id, Nomination.relationship, func.count())
        .join(Review, Review.id == Nomination.review_id)
        .where(Review.cycle_id == cycle_id, Nomination.awaits_word.is_(False))
        .group_by(Nomination.review_id, Nomination.relationship)
    )
    for review_id, kind, count in session.execute(asked):
        chosen.setdefault(review_id, Counter())[Relationship(kind)] = count
    outside = hands.outside(session, store.get(session, cycle_id))
    for review_id, kind, count in session.execute(asked.where(Nomination.rater_id.in_(outside))) if outside else ():
        if Relationship(kind).is_anonymous:
            chosen[review_id][Relationship(kind)] -= count
            chosen[review_id][Relationship.OUTSIDE] += count
    order = list(Relationship)
    return {
        review_id: +Counter(dict(sorted(counts.items(), key=lambda pair: order.index(pair[0]))))
        for review_id, counts in chosen.items()
    }
