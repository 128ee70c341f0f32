"""Forgetting a person: what they received and who they are goes, counts that name no one stay."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from survey.core.access import Role
from survey.core.audit import Event
from survey.core.cycles import Phase
from survey.core.errors import IllegalStep, NotFound
from survey.core.people import LANGUAGE
from survey.store import audit, changes, departures, people, readers, received
from survey.store.changes import AddressLink, PersonChange, UnconfirmedAddress
from survey.store.cycles import Cycle, Review
from survey.store.hands import Hand
from survey.store.imports import ImportUndo, PeopleImport
from survey.store.invitations import Invitation, State
from survey.store.mailings import Mailing, RefusedAddress, Snooze
from survey.store.nominations import Nomination
from survey.store.outbox import Mail
from survey.store.people import Person
from survey.store.plans import Plan
from survey.store.readers import ReportReader

NAMELESS = "Somebody who has left"

KEPT = ("envelope", "invitation", "nomination", "review_page")
"""The tables that hang on a review and stay: how many were asked and how many answered. Envelopes are gone by then."""

RUNNING = (Phase.OPENING, Phase.OPEN, Phase.CLOSED, Phase.TALLIED)
UNOPENED = (Phase.DRAFT, Phase.NOMINATING)


@dataclass(frozen=True)
class Erasure:
    """What erasing a person would take away; `obstacle` is why it cannot be done now, or empty."""

    name: str
    address: str
    reports: int
    drafts: int
    reporting: int
    obstacle: str


def consider(session: Session, person_id: uuid.UUID, *, actor_id: uuid.UUID) -> Erasure:
    """What would go, in counts of what they received. Raises `NotFound`."""
    person = _person(session, person_id)
    counts = dict(
        session.execute(
            select(Cycle.phase, func.count()).join(Review).where(Review.subject_id == person_id).group_by(Cycle.phase)
        ).all()
    )
    return Erasure(
        person.name,
        person.address,
        reports=counts.get(Phase.RELEASED, 0),
        drafts=sum(counts.get(phase, 0) for phase in UNOPENED),
        reporting=session.scalar(
            select(func.count()).select_from(Person).where(Person.manager_id == person_id, Person.is_active)
        )
        or 0,
        obstacle=_obstacle(session, person, actor_id),
    )


def erase(session: Session, person_id: uuid.UUID, *, actor_id: uuid.UUID, now: datetime) -> None:
    """Forgets the person. What is left is a row without a name, so that counts of rounds stay what they were.

    Raises `NotFound`, and `IllegalStep` with what to do while they are under review in a running round, for oneself,
    and for the last of people operations. Afterwards the files of the database want a vacuum.
    """
    people.take_turns(session)
    person = _person(session, person_id)
    # A draft cannot be opened from here on until this is over.
    session.execute(select(Cycle.id).join(Review).where(Review.subject_id == person_id).with_for_update(of=Cycle))
    if obstacle := _obstacle(session, person, actor_id):
        raise IllegalStep(obstacle)
    departures.deactivate(session, [person_id], now=now)
    # Who is forgotten does not come back, so what was open to them ends for good.
    is_open = (Invitation.rater_id == person_id, Invitation.state == State.OPEN)
    session.execute(update(Invitation).where(*is_open).values(state=State.VOID))
    for draft in session.scalars(
        select(Review).join(Cycle).where(Review.subject_id == person_id, Cycle.phase.in_(UNOPENED))
    ).all():
        session.execute(delete(Nomination).where(Nomination.review_id == draft.id))
        session.delete(draft)
    session.flush()
    reviews = session.scalars(select(Review.id).where(Review.subject_id == person_id)).all()
    received.forget(session, reviews)
    session.execute(update(Plan).where(Plan.shared_with_id == person_id).values(shared_with_id=None))
    for known in (Mailing, Snooze, RefusedAddress, Hand):
        session.execute(delete(known).where(known.person_id == person_id))
    session.execute(delete(Mail).where(or_(Mail.person_id == person_id, Mail.reference.in_([*reviews, person_id]))))
    # Whichever file is waiting, the person may stand in it.
    session.execute(delete(PeopleImport))
    session.execute(delete(ImportUndo))
    for told in (PersonChange, UnconfirmedAddress, AddressLink, ReportReader):
        session.execute(delete(told).where(told.person_id == person_id))
    reporting = session.scalars(select(Person.id).where(Person.manager_id == person_id)).all()
    session.execute(update(Person).where(Person.manager_id == person_id).values(manager_id=None))
    changes.tell(session, [changes.manager(one, person_id, None) for one in reporting], actor_id=actor_id, now=now)
    readers.give_unread(session, now=now)
    person.name, person.address = NAMELESS, f"{uuid.uuid4().hex}@erased.invalid"
    person.team, person.level, person.time_zone, person.language = "", None, None, LANGUAGE
    person.role, person.manager_id = Role.ENGINEER, None
    person.is_active, person.is_erased = False, True
    session.flush()
    audit.record(session, Event.PERSON_ERASED, actor_id=actor_id, about=person_id, now=now)


def touched() -> Sequence[str]:
    """The tables that an erasure takes from, for the vacuum after it."""
    own = ("person", "sign_in", "sign_in_link", "outbox", "mailing", "snooze", "refused_address", "hand")
    changed = ("person_change", "unconfirmed_address", "address_link", "import_undo")
    return (*received.TABLES, "planned_step", *own, *changed, "nomination", "review", "people_import")


def _person(session: Session, person_id: uuid.UUID) -> Person:
    person = session.get(Person, person_id)
    if person is None or person.is_erased:
        raise NotFound("There is no such person.")
    return person


def _obstacle(session: Session, person: Person, actor_id: uuid.UUID) -> str:
    if person.id == actor_id:
        return "You cannot erase yourself. Somebody else of people operations can."
    if person.role == Role.PEOPLE_OPERATIONS and not people.has_other_operator(session, {person.id}):
        return f"{person.name} is the last of people operations. Give somebody else that account first."
    running = session.scalar(
        select(Cycle.name)
        .join(Review)
        .where(Review.subject_id == person.id, Cycle.phase.in_(RUNNING))
        .order_by(Cycle.closes_at)
        .limit(1)
    )
    if running is None:
        return ""
    return (
        f"{person.name} is under review in the round “{running}”, which is not finished. Close it and release its "
        "reports first; until then you can deactivate the account."
    )
