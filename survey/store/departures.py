"""What ends when somebody leaves or has another address, and what goes on when they are back."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Delete, delete, or_, select, update
from sqlalchemy.orm import Session

from survey.core.cycles import Phase
from survey.core.letters import ABOUT_THE_ACCOUNT, Kind
from survey.store import mailings, readers
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation, InvitationToken
from survey.store.mailings import RefusedAddress, Snooze
from survey.store.nominations import Nomination
from survey.store.outbox import DIGEST, Mail, State
from survey.store.people import Person, SignIn, SignInLink

AT_ONCE = 1_000

UNOPENED = (Phase.DRAFT, Phase.NOMINATING, Phase.OPENING)


@dataclass(frozen=True)
class Touched:
    """What an unfinished round has to do with some people, by what was chosen, and never by who has answered.

    So many of them are asked about so many people under review, and so many are under review themselves.
    """

    cycle: str
    is_open: bool
    asked: int
    about: int
    under_review: int


def deactivate(session: Session, person_ids: Sequence[uuid.UUID], *, now: datetime) -> None:
    """These people are not here any more. Says nothing about what each of them had answered, and keeps what they had.

    Their invitations stay what they are, so that who comes back is asked what they were asked; without a link nobody
    answers them, and nobody is mailed who is not here. Nominations in rounds that have not been opened are taken back.
    Reports that waited for them as managers wait no more.
    """
    drafts = select(Review.id).join(Cycle).where(Cycle.phase.in_(UNOPENED))
    for start in range(0, len(person_ids), AT_ONCE):
        some = person_ids[start : start + AT_ONCE]
        is_waiting = (Mail.state == State.WAITING, Mail.kind.not_in(ABOUT_THE_ACCOUNT))
        for statement in (
            # First the mails, as whoever sends one locks it before the person.
            delete(Mail).where(Mail.person_id.in_(some), *is_waiting),
            update(Person).where(Person.id.in_(some)).values(is_active=False),
            delete(Nomination).where(Nomination.rater_id.in_(some), Nomination.review_id.in_(drafts)),
            *_ways_in(some),
        ):
            session.execute(statement.execution_options(synchronize_session="fetch"))
    if person_ids:
        readers.give_unread(session, now=now)


def unopened(session: Session, person_ids: Sequence[uuid.UUID]) -> list[Nomination]:
    """As what these people were chosen in rounds that have not been opened: what `deactivate` takes back."""
    found: list[Nomination] = []
    for start in range(0, len(person_ids), AT_ONCE):
        some = person_ids[start : start + AT_ONCE]
        chosen = select(Nomination).join(Review, Review.id == Nomination.review_id).join(Cycle)
        found += session.scalars(chosen.where(Nomination.rater_id.in_(some), Cycle.phase.in_(UNOPENED)))
    return found


def bring_back(session: Session, person_ids: Sequence[uuid.UUID], *, now: datetime) -> None:
    """Has people who are here again mailed a new link to whatever they are still asked, as their day allows."""
    for start in range(0, len(person_ids), AT_ONCE):
        mailings.tell_again(session, person_ids[start : start + AT_ONCE], now=now)


def change_mailbox(session: Session, person: Person, address: str, *, now: datetime) -> None:
    """The person with another address. What went to the one before opens nothing, and is sent to the new one.

    That goes for sign-ins, too, and for what that mailbox refused or put off: somebody else may have read it.
    """
    mails = {
        mail.id: mail
        for mail in session.scalars(select(Mail).where(Mail.person_id == person.id).with_for_update(of=Mail))
    }
    person.address = address
    session.flush()
    for statement in _ways_in([person.id]):
        session.execute(statement)
    for table in (RefusedAddress, Snooze):
        session.execute(delete(table).where(table.person_id == person.id))
    for mail in mails.values():
        # The mail of the day went elsewhere, so it does not keep another one from going out today.
        if mail.kind == Kind.SIGN_IN or (mail.kind == DIGEST and mail.state != State.WAITING):
            session.delete(mail)
        elif mail.state == State.FAILED:
            mail.state, mail.attempts, mail.due_at = State.WAITING, 0, now
        # What is just on its way to the old address says nothing about the new one, should it be refused.
        mail.lease_until = None
    session.flush()
    mailings.tell_again(session, [person.id], now=now)


def touched(session: Session, addresses: Sequence[str]) -> list[Touched]:
    """The rounds that are open or being set up in which the people at these addresses have a part, by name."""
    found: dict[uuid.UUID, _Part] = {}
    for start in range(0, len(addresses), AT_ONCE):
        some = select(Person.id).where(Person.address.in_(addresses[start : start + AT_ONCE]))
        rows = session.execute(
            select(Cycle.id, Cycle.name, Cycle.phase, Review.id, Review.subject_id, Nomination.rater_id)
            .join(Review, Review.cycle_id == Cycle.id)
            .outerjoin(Nomination, (Nomination.review_id == Review.id) & Nomination.rater_id.in_(some))
            .where(
                Cycle.phase.in_((*UNOPENED, Phase.OPEN)),
                or_(Nomination.rater_id.is_not(None), Review.subject_id.in_(some)),
            )
        )
        theirs = set(session.scalars(some))
        for cycle_id, name, phase, review_id, subject_id, rater_id in rows:
            part = found.setdefault(cycle_id, _Part(name, phase == Phase.OPEN, set(), set(), set()))
            if subject_id in theirs:
                part.subjects.add(subject_id)
            if rater_id is not None:
                part.raters.add(rater_id)
                part.reviews.add(review_id)
    parts = sorted(found.values(), key=lambda part: part.cycle)
    return [
        Touched(part.cycle, part.is_open, len(part.raters), len(part.reviews), len(part.subjects)) for part in parts
    ]


@dataclass(frozen=True)
class _Part:
    cycle: str
    is_open: bool
    raters: set[uuid.UUID]
    reviews: set[uuid.UUID]
    subjects: set[uuid.UUID]


def _ways_in(person_ids: Sequence[uuid.UUID]) -> tuple[Delete, ...]:
    """What takes away every link and every sign-in of these people. Links go first: one may just become a sign-in."""
    asked = select(Invitation.id).where(Invitation.rater_id.in_(person_ids))
    return (
        delete(InvitationToken).where(InvitationToken.invitation_id.in_(asked)),
        delete(SignInLink).where(SignInLink.person_id.in_(person_ids)),
        delete(SignIn).where(SignIn.person_id.in_(person_ids)),
    )
