"""Choosing who is asked about whom: by the launcher, or proposed by the engineer and approved by the manager."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from email.utils import getaddresses
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from survey.core import cycles, days, names, nominations
from survey.core import people as rules
from survey.core.access import Standing
from survey.core.cycles import Phase
from survey.core.errors import BadInput, IllegalStep, NotFound
from survey.core.letters import Kind
from survey.core.nominations import Choice
from survey.core.relationships import Relationship
from survey.store import asking, hands, outbox
from survey.store import cycles as rounds
from survey.store.cycles import Cycle, Review
from survey.store.nominations import Nomination
from survey.store.people import Person, by_address, by_name, is_called, reports_to

LAST_WORD = timedelta(days=2)
"""So long before silence counts as approval, managers are told what still waits for them."""

FOUND_AT_MOST = 20


@dataclass(frozen=True)
class Candidate:
    """Somebody who can be asked, as the page of a choice shows them. `why` says why they are suggested."""

    id: uuid.UUID
    name: str
    team: str
    is_external: bool
    why: str = ""
    is_outside: bool = False


@dataclass(frozen=True)
class Waiting:
    """A choice that waits for somebody."""

    review_id: uuid.UUID
    subject: str
    cycle: str
    choice: Choice
    until: datetime
    zone: tzinfo

    def day(self, theirs: tzinfo) -> str:
        """When it is taken as approved, for a reader in this zone."""
        return days.day_of(self.until, self.zone, theirs)


def suggest(session: Session, subject: Person) -> dict[uuid.UUID, Relationship]:
    """Raters as the organisation chart has them: self, manager, those who share it, those who report to one."""
    raters = {subject.id: Relationship.SELF}
    if subject.manager_id is not None:
        raters[subject.manager_id] = Relationship.MANAGER
        peers = session.scalars(
            select(Person.id).where(Person.manager_id == subject.manager_id, Person.is_active, Person.id != subject.id)
        )
        raters |= dict.fromkeys(peers, Relationship.PEER)
    reporting = session.scalars(select(Person.id).where(Person.manager_id == subject.id, Person.is_active))
    return raters | dict.fromkeys(reporting, Relationship.DIRECT_REPORT)


def candidates(
    session: Session, review_id: uuid.UUID, chosen: Mapping[uuid.UUID, Relationship], *, search: str = ""
) -> list[Candidate]:
    """Who is offered on the page of a choice: those chosen, suggested, or found by a part of the name; by name.

    Suggested are those around the subject in the organisation chart, and whoever was chosen in an earlier cycle.
    """
    review = _review(session, review_id)
    chart = suggest(session, review.subject)
    earlier = set(
        session.scalars(
            select(Nomination.rater_id)
            .join(Review, Review.id == Nomination.review_id)
            .where(Review.subject_id == review.subject_id, Review.id != review_id)
        )
    )
    wanted: ColumnElement[bool] = Person.id.in_({*chart, *earlier, *chosen})
    if names.words(search):
        found = session.scalars(
            select(Person.id)
            .where(is_called(search), Person.is_active, Person.is_external.is_(False))
            .order_by(*by_name())
            .limit(FOUND_AT_MOST)
        ).all()
        wanted = or_(wanted, Person.id.in_(found))
    rows = session.scalars(
        select(Person).where(wanted, Person.is_active, Person.id != review.subject_id).order_by(*by_name())
    ).all()
    outside = hands.outside(session, review.cycle, [row.id for row in rows])
    return [
        Candidate(
            row.id,
            row.name,
            row.team,
            row.is_external,
            "works beside or below" if row.id in chart else "chosen before" if row.id in earlier else "",
            row.id in outside,
        )
        for row in rows
    ]


def choose(
    session: Session,
    review_id: uuid.UUID,
    raters: Mapping[uuid.UUID, Relationship],
    *,
    actor_id: uuid.UUID | None = None,
) -> list[uuid.UUID]:
    """Exactly these raters for the review, in place of those chosen before; the value names who newly awaits a word.

    People of other companies are chosen as outside raters, whatever they are called here; where the program chooses
    (`actor_id` None), they need nobody's word. Raises `NotFound`, `IllegalStep` after launch, and `BadInput` for raters
    that cannot be asked.
    """
    review = _review(session, review_id)
    cycles.require(Phase(review.cycle.phase), Phase.DRAFT, Phase.NOMINATING)
    kinds = _checked(session, review, raters)
    before = {row.rater_id: row for row in session.scalars(select(Nomination).where(Nomination.review_id == review_id))}
    for rater, row in before.items():
        if rater not in kinds:
            session.delete(row)
    needs_no_word = nominations.is_own_word(
        str(actor_id), subject=str(review.subject_id), launcher=str(review.cycle.launcher_id)
    )
    awaiting = []
    for rater, kind in kinds.items():
        if rater in before:
            before[rater].relationship = kind
            continue
        waits = kind is Relationship.OUTSIDE and actor_id is not None and not needs_no_word
        session.add(
            Nomination(review_id=review_id, rater_id=rater, relationship=kind, chosen_by_id=actor_id, awaits_word=waits)
        )
        awaiting += [rater] if waits else []
    session.flush()
    return awaiting


def _checked(
    session: Session, review: Review, raters: Mapping[uuid.UUID, Relationship]
) -> dict[uuid.UUID, Relationship]:
    """These raters, each as what they can be chosen. Raises `BadInput` for whoever cannot be asked."""
    is_known = (Person.id.in_(raters.keys()), Person.is_active)
    known = dict(session.execute(select(Person.id, Person.is_external).where(*is_known)).all())
    if len(known) < len(raters):
        raise BadInput("Some of these people are not known here any more. Please choose again.")
    kinds = {rater: nominations.chosen_as(kind, is_external=known[rater]) for rater, kind in raters.items()}
    nominations.check(str(review.subject_id), {str(rater): kind for rater, kind in kinds.items()})
    return kinds


def propose(
    session: Session,
    review_id: uuid.UUID,
    raters: Mapping[uuid.UUID, Relationship],
    *,
    addresses: str = "",
    now: datetime,
) -> None:
    """The subject's own proposal: peers, direct reports and others; `addresses` are people of other companies.

    Self and manager stay as they are: nobody chooses who answers as their manager. Raises `IllegalStep` unless the
    cycle is choosing raters and nobody has approved yet.
    """
    review = _review(session, review_id)
    _require_nominating(review)
    if review.choice == Choice.APPROVED:
        raise IllegalStep("Your raters have been approved. Ask your manager if somebody is missing.")
    kept = {rater: kind for rater, kind in of(session, review_id).items() if not kind.is_anonymous}
    anonymous = {rater: kind for rater, kind in raters.items() if kind.is_anonymous and rater not in kept}
    typed = invite_external(session, addresses)
    externals = dict.fromkeys(typed, Relationship.OUTSIDE)
    choose(session, review_id, externals | anonymous | kept, actor_id=review.subject_id)
    if review.subject_id != review.cycle.launcher_id:
        _take_own_word(session, review_id, typed)
    review.choice = Choice.PROPOSED
    if review.subject.manager_id is not None:
        _tell_manager(session, review.subject.manager_id, review.cycle_id, "first", now)


def approve(
    session: Session,
    review_id: uuid.UUID,
    raters: Mapping[uuid.UUID, Relationship],
    *,
    addresses: str = "",
    actor_id: uuid.UUID | None = None,
    now: datetime | None = None,
) -> int:
    """The choice as the manager or the launcher wants it. In a draft it is simply kept.

    The value is how many of other companies newly await the word of somebody else, who gets a mail `now`. Without an
    `actor_id` it is the launcher who chooses.
    """
    review = _review(session, review_id)
    externals = dict.fromkeys(invite_external(session, addresses), Relationship.OUTSIDE)
    actor_id = actor_id or review.cycle.launcher_id
    awaiting = choose(session, review_id, externals | dict(raters), actor_id=actor_id)
    if awaiting and now is not None:
        asking.ask_for_word(session, review, now=now)
    if review.cycle.phase == Phase.NOMINATING:
        review.choice = Choice.APPROVED
    return len(awaiting)


def invite_external(session: Session, addresses: str) -> list[uuid.UUID]:
    """The people at these addresses, one or several a line, made if they are not known.

    Raises `BadInput` for what is no address, and names it; nobody was made then.
    """
    pairs = [pair for line in addresses.splitlines() for pair in getaddresses([line.replace(";", ",")]) if any(pair)]
    checked = [(name, rules.check_address(address or name)) for name, address in pairs]
    found = []
    for name, address in checked:
        person = by_address(session, address)
        if person is None:
            person = Person(name=" ".join(name.split()) or address, address=address, is_external=True)
            session.add(person)
            session.flush()
        found.append(person.id)
    return found


def start(session: Session, cycle_id: uuid.UUID, *, now: datetime) -> None:
    """Has everybody under review propose their raters; the cycle then opens by itself on its day.

    Raises `IllegalStep` unless it is a draft, and `BadInput` without people or a day of opening that leaves time.
    """
    cycle = rounds.locked(session, cycle_id)
    phase = cycles.step(Phase(cycle.phase), Phase.NOMINATING)
    if not cycle.reviews:
        raise BadInput("Nobody is under review in this round yet.")
    if cycle.opens_at is None or nominations.approves_itself_at(cycle.opens_at) < now + timedelta(days=1):
        raise BadInput("Choose a day of opening at least four days ahead, so that people have time to propose.")
    cycle.phase, cycle.is_scheduled = phase, True
    silence = nominations.approves_itself_at(cycle.opens_at)
    for review in cycle.reviews:
        session.add(
            outbox.Mail(kind=Kind.NOMINATION, person_id=review.subject_id, reference=review.id, slot="", due_at=now)
        )
    for manager_id in {review.subject.manager_id for review in cycle.reviews if review.subject.manager_id}:
        _tell_manager(session, manager_id, cycle_id, "last", max(now, silence - LAST_WORD))


def approve_silent(session: Session, *, now: datetime) -> int:
    """Takes every choice as approved that nobody touched in time; the value is how many.

    Raters at addresses of other companies are left out then: they need somebody's word.
    """
    due = session.scalars(
        select(Review)
        .join(Cycle)
        .where(
            Cycle.phase == Phase.NOMINATING,
            Cycle.opens_at <= now + nominations.SILENCE,
            Review.choice != Choice.APPROVED,
        )
    ).all()
    outside = select(Person.id).where(Person.is_external)
    for review in due:
        session.execute(delete(Nomination).where(Nomination.review_id == review.id, Nomination.rater_id.in_(outside)))
        review.choice = Choice.APPROVED
    session.flush()
    return len(due)


def standing(session: Session, review_id: uuid.UUID, person_id: uuid.UUID) -> frozenset[Standing]:
    """How this person stands to the choice of a review's raters."""
    review = _review(session, review_id)
    found = set()
    if review.subject_id == person_id:
        found.add(Standing.OWN)
    if review.cycle.launcher_id == person_id:
        found.add(Standing.LAUNCHED)
    if reports_to(session, review.subject_id, person_id):
        found.add(Standing.MANAGES)
    return frozenset(found)


def waiting_for(session: Session, person_id: uuid.UUID) -> tuple[list[Waiting], list[Waiting]]:
    """The choices that this person may make for themselves, and those of their own reports that they may approve."""
    subject = aliased(Person)
    rows = session.execute(
        select(Review.id, subject.id, subject.name, Cycle.name, Review.choice, Cycle.opens_at, Cycle.time_zone)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .join(subject, subject.id == Review.subject_id)
        .where(
            Cycle.phase == Phase.NOMINATING,
            or_(subject.id == person_id, subject.manager_id == person_id),
        )
        .order_by(Cycle.opens_at, *by_name(subject))
    )
    lines = [
        (
            subject_id,
            Waiting(
                review_id,
                name,
                cycle,
                Choice(choice),
                nominations.approves_itself_at(opens_at),
                ZoneInfo(time_zone),
            ),
        )
        for review_id, subject_id, name, cycle, choice, opens_at, time_zone in rows
        if opens_at is not None
    ]
    return (
        [line for subject_id, line in lines if subject_id == person_id],
        [line for subject_id, line in lines if subject_id != person_id],
    )


def of(session: Session, review_id: uuid.UUID) -> dict[uuid.UUID, Relationship]:
    """The raters chosen for a review so far."""
    rows = session.execute(
        select(Nomination.rater_id, Nomination.relationship).where(Nomination.review_id == review_id)
    )
    return {rater: Relationship(kind) for rater, kind in rows}


def counted(session: Session, review_id: uuid.UUID) -> dict[uuid.UUID, Relationship]:
    """The raters whom the launch would ask, each as what they are counted: outside raters as such."""
    review = _review(session, review_id)
    outside = hands.outside(session, review.cycle)
    rows = session.execute(
        select(Nomination.rater_id, Nomination.relationship).where(
            Nomination.review_id == review_id, Nomination.awaits_word.is_(False)
        )
    )
    return {rater: hands.counted_as(kind, rater, outside) for rater, kind in rows}


def awaiting(session: Session, review_id: uuid.UUID) -> set[uuid.UUID]:
    """The raters who await somebody's word."""
    waiting = (Nomination.review_id == review_id, Nomination.awaits_word)
    return set(session.scalars(select(Nomination.rater_id).where(*waiting)))


def load(session: Session, cycle_id: uuid.UUID, raters: Iterable[uuid.UUID] | None = None) -> dict[uuid.UUID, int]:
    """About how many people each rater of this cycle is asked; of these raters only, if some are named."""
    rows = (
        select(Nomination.rater_id, func.count())
        .join(Review, Review.id == Nomination.review_id)
        .where(Review.cycle_id == cycle_id, Nomination.awaits_word.is_(False))
        .group_by(Nomination.rater_id)
    )
    if raters is not None:
        rows = rows.where(Nomination.rater_id.in_(list(raters)))
    return dict(session.execute(rows).all())


def _review(session: Session, review_id: uuid.UUID) -> Review:
    row = session.get(Review, review_id)
    if row is None:
        raise NotFound("There is no such review.")
    return row


def _take_own_word(session: Session, review_id: uuid.UUID, rater_ids: Iterable[uuid.UUID]) -> None:
    """To type somebody's address about oneself is the word that they need."""
    theirs = (Nomination.review_id == review_id, Nomination.rater_id.in_(list(rater_ids)))
    session.execute(update(Nomination).where(*theirs).values(awaits_word=False))


def _require_nominating(row: Review) -> None:
    if row.cycle.phase != Phase.NOMINATING:
        raise IllegalStep("Raters are not being chosen in this round now.")


def _tell_manager(session: Session, manager_id: uuid.UUID, cycle_id: uuid.UUID, slot: str, due_at: datetime) -> None:
    """One mail of each kind to a manager, whoever else proposes."""
    mail = outbox.Mail
    same = (mail.kind == Kind.APPROVAL, mail.person_id == manager_id, mail.reference == cycle_id, mail.slot == slot)
    if not session.scalar(select(exists().where(*same))):
        session.add(mail(kind=Kind.APPROVAL, person_id=manager_id, reference=cycle_id, slot=slot, due_at=due_at))
