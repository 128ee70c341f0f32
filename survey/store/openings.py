"""Opening a cycle: checked and begun, then frozen portion by portion, and open in the end. Knows no answer.

Between any two portions the process may die: a review that has its questionnaire has its invitations, and the next one
goes on with those that have none. Nobody is mailed and nobody can answer before `finish`.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from survey.core import cycles as rules
from survey.core import days, teams, values
from survey.core.audit import Event
from survey.core.cycles import Phase
from survey.core.errors import BadInput, IllegalStep
from survey.core.mailings import Pace
from survey.core.questionnaires import Questionnaire
from survey.core.relationships import Relationship
from survey.store import audit, hands, key_places, mailings, people
from survey.store.custody import Custody
from survey.store.cycles import Cycle, Review, locked, questionnaire
from survey.store.invitations import Invitation
from survey.store.keys import Keyring
from survey.store.nominations import Nomination
from survey.store.people import Person, by_name

PORTION = 100
"""So many reviews are opened in one transaction. A round that has no more is open at once."""


def begin(
    session: Session, cycle_id: uuid.UUID, keyring: Keyring, *, actor_id: uuid.UUID | None, now: datetime
) -> Cycle:
    """The cycle, which is opening from here on: its reviews, raters, questions, dates and teams are fixed.

    Raises `IllegalStep` unless it is a draft, and `BadInput` when nobody, or nobody but the subject, is asked, or
    custodians hold the key and have not tested their passphrases.
    """
    cycle = locked(session, cycle_id)
    was, opening = Phase(cycle.phase), rules.step(Phase(cycle.phase), Phase.OPENING)
    rules.check_end(now, cycle.closes_at)
    subjects = dict(session.execute(select(Review.id, Review.subject_id).where(Review.cycle_id == cycle_id)).all())
    if not subjects:
        raise BadInput("Nobody is under review in this round yet.")
    others = (Nomination.relationship != Relationship.SELF, Nomination.awaits_word.is_(False))
    asked = select(Nomination.rater_id).where(Nomination.review_id == Review.id, *others).correlate(Review)
    lonely = select(Person.name).join(Review, Review.subject_id == Person.id)
    name = session.scalar(lonely.where(Review.cycle_id == cycle_id, ~asked.exists()).order_by(*by_name()).limit(1))
    if name is not None:
        raise _nobody_asked(name)
    _wrapped_key(session, cycle_id, keyring)
    cycle.phase, cycle.opener_id, cycle.was_nominating = opening, actor_id, was is Phase.NOMINATING
    cycle.attempts = 0
    session.flush()
    fix_teams(session, subjects)
    return cycle


def unopened(session: Session, cycle_id: uuid.UUID) -> list[uuid.UUID]:
    """The reviews of an opening cycle that have no invitations yet."""
    return list(session.scalars(select(Review.id).where(Review.cycle_id == cycle_id, Review.questionnaire.is_(None))))


def progress(session: Session, cycle_id: uuid.UUID) -> tuple[int, int]:
    """How many reviews of an opening cycle have their invitations, and how many there are."""
    done, total = session.execute(
        select(func.count(Review.questionnaire), func.count()).where(Review.cycle_id == cycle_id)
    ).one()
    return done, total


def freeze(session: Session, review_ids: Collection[uuid.UUID], *, also: uuid.UUID | None = None) -> None:
    """Freezes what these reviews of an opening cycle ask, and writes their invitations; passes over those that have.

    Outside raters are counted as such from here on, and who awaits somebody's word is left out. The caller holds the
    lock of the cycle; `also` sets it up, besides those that it names. Raises `BadInput` when nobody but the subject
    is asked about somebody.
    """
    reviews = session.scalars(select(Review).where(Review.id.in_(review_ids), Review.questionnaire.is_(None))).all()
    raters: dict[uuid.UUID, list[tuple[uuid.UUID, str]]] = {row.id: [] for row in reviews}
    chosen = session.execute(
        select(Nomination.review_id, Nomination.rater_id, Nomination.relationship).where(
            Nomination.review_id.in_(raters.keys()), Nomination.awaits_word.is_(False)
        )
    ).all()
    rater_ids = {row.rater_id for row in chosen}
    outside = hands.outside(session, reviews[0].cycle, rater_ids, also=also) if reviews else set()
    for review_id, rater_id, kind in chosen:
        raters[review_id].append((rater_id, hands.counted_as(kind, rater_id, outside)))
    alike: dict[tuple[uuid.UUID, ...], Questionnaire] = {}
    for row in reviews:
        counts = Counter(kind for _, kind in raters[row.id])
        if not counts.keys() - {Relationship.SELF}:
            raise _nobody_asked(row.subject.name)
        pages = tuple(entry.page_id for entry in row.pages)
        asked = alike[pages] if pages in alike else alike.setdefault(pages, questionnaire(row))
        row.questionnaire, row.invited = values.dump(asked), dict(counts)
        row.minutes = {kind: asked.for_rater(kind).minutes for kind in Relationship}
    session.flush()
    rows = [
        {"id": uuid.uuid4(), "review_id": review_id, "rater_id": rater_id, "relationship": kind, "state": "open"}
        for review_id, theirs in raters.items()
        for rater_id, kind in theirs
    ]
    if rows:
        session.execute(insert(Invitation), rows)


def finish(session: Session, cycle: Cycle, keyring: Keyring, *, pace: Pace, now: datetime) -> None:
    """Makes a cycle open whose reviews all have their invitations: with its key, and what will be mailed.

    Raises `IllegalStep` where a review has none, and `BadInput` where the end has come too near, or the wrapped key is
    not where it was.
    """
    to = rules.step(Phase(cycle.phase), Phase.OPEN)
    if cycle.time_zone != days.zone_name(pace.home):
        # Nobody has been promised anything yet: its last day is one of the company's.
        cycle.promise(cycle.last_day, pace.home)
    rules.check_end(now, cycle.closes_at)
    done, total = progress(session, cycle.id)
    if done < total:
        raise IllegalStep("This round is still being opened.")
    opener_id = cycle.opener_id
    key_places.require(session, keyring)
    cycle.public_key = _wrapped_key(session, cycle.id, keyring) or keyring.make(cycle.id)
    cycle.phase, cycle.opens_at, cycle.attempts = to, now, 0
    cycle.opener_id, cycle.was_nominating = None, False
    session.flush()
    mailings.plan_round(
        session, cycle.id, opens_at=now, closes_at=cycle.closes_at, pace=pace, reminders=cycle.reminders
    )
    detail = {
        "under review": str(total),
        "smallest group": str(cycle.minimum),
        "last day": str(cycle.last_day),
    }
    audit.record(session, Event.CYCLE_OPENED, actor_id=opener_id, about=cycle.id, now=now, detail=detail)


def take_back(session: Session, cycle: Cycle) -> None:
    """Makes a cycle that is opening what it was before: its invitations are gone, and it does not open by itself.

    Raises `IllegalStep` for any other.
    """
    rules.require(Phase(cycle.phase), Phase.OPENING)
    reviews = select(Review.id).where(Review.cycle_id == cycle.id)
    for statement in (
        delete(Invitation).where(Invitation.review_id.in_(reviews)),
        update(Review)
        .where(Review.cycle_id == cycle.id)
        .values(questionnaire=None, invited=None, minutes=None, managers=None),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
    cycle.phase = rules.step(Phase.OPENING, Phase.NOMINATING if cycle.was_nominating else Phase.DRAFT)
    cycle.opener_id, cycle.was_nominating, cycle.is_scheduled, cycle.attempts = None, False, False, 0
    session.flush()


def fix_teams(session: Session, subjects: Mapping[uuid.UUID, uuid.UUID]) -> None:
    """Writes the managers above each subject: in one go, so that teams are those of one moment, and team by team."""
    chart = people.chart(session)
    below: dict[tuple[str, ...], list[uuid.UUID]] = {}
    for review_id, subject_id in subjects.items():
        below.setdefault(teams.path(str(subject_id), chart), []).append(review_id)
    for path, review_ids in below.items():
        for start in range(0, len(review_ids), PORTION):
            theirs = Review.id.in_(review_ids[start : start + PORTION])
            session.execute(update(Review).where(theirs).values(managers=list(path)))


def _nobody_asked(name: str) -> BadInput:
    return BadInput(f"Nobody is asked about {name} yet.")


def _wrapped_key(session: Session, cycle_id: uuid.UUID, keyring: Keyring) -> bytes | None:
    """The public half of the key that custodians hold and have tested; None where the server is to make one."""
    custody = session.get(Custody, cycle_id)
    if custody is None:
        return None
    if not custody.is_tested:
        raise BadInput("Test the passphrase of this round first: nobody has shown yet that it opens the key.")
    if keyring.wrapped_public_key(cycle_id) != custody.public_key:
        raise BadInput("The wrapped key of this round is not where it should be. Choose its custodians again.")
    return custody.public_key
