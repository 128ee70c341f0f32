"""By whose hand people came into the directory, or to the address that they have; and who is an outside rater (R9)."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, delete, exists, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from survey.core import nominations
from survey.core.access import Role
from survey.core.nominations import Touch
from survey.core.relationships import Relationship
from survey.store.base import UNORDERED, Base, UtcDateTime
from survey.store.cycles import Cycle, Review
from survey.store.nominations import Nomination
from survey.store.people import Person

AT_ONCE = 500


class Hand(Base):
    """Somebody put this person into the directory, or gave them another address: the last time that they did.

    `is_founding`: the directory was being filled, and held nobody but people whom the same hand had brought.
    """

    __tablename__ = "hand"
    __table_args__ = (UNORDERED,)

    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    actor_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    is_founding: Mapped[bool]


def is_founding(session: Session, actor_id: uuid.UUID | None, *, now: datetime) -> bool:
    """Whether the directory is still being filled by this hand. To be asked before anybody new is in it."""
    first = now - nominations.SET_UP
    own = exists().where(Hand.person_id == Person.id, Hand.actor_id == actor_id, Hand.is_founding, Hand.at >= first)
    is_known = (Person.is_external.is_(False), Person.role != Role.PEOPLE_OPERATIONS)
    return session.scalar(select(Person.id).where(*is_known, ~own).limit(1)) is None


def note(
    session: Session, person_ids: Iterable[uuid.UUID], actor_id: uuid.UUID | None, *, founding: bool, now: datetime
) -> None:
    """Notes that these people are here, or at their address, by this hand; None is the program or its operator."""
    if actor_id is None:
        return
    for some in _parts(list(person_ids)):
        session.execute(delete(Hand).where(Hand.actor_id == actor_id, Hand.person_id.in_(some)))
        session.add_all(Hand(person_id=one, actor_id=actor_id, at=now, is_founding=founding) for one in some)
        session.flush()


def outside(
    session: Session, cycle: Cycle, rater_ids: Collection[uuid.UUID] | None = None, *, also: uuid.UUID | None = None
) -> set[uuid.UUID]:
    """Who of these raters, or of all chosen in the cycle, is an outside rater in it.

    Those are people of other companies, and whoever is here, or at their address, by the hand of somebody who sets
    the cycle up: its launcher, whoever opens it, whoever chose raters in it, and `also`.
    """
    chosen = select(Nomination.rater_id).join(Review).where(Review.cycle_id == cycle.id)
    choosing = chosen.with_only_columns(Nomination.chosen_by_id).where(Nomination.chosen_by_id.is_not(None)).distinct()
    involved = {cycle.launcher_id, cycle.opener_id, also, *session.scalars(choosing)} - {None}
    found: set[uuid.UUID] = set()
    parts: Iterable[Any] = [chosen] if rater_ids is None else _parts(list(rater_ids))
    for asked in parts:
        found |= set(session.scalars(select(Person.id).where(Person.is_external, Person.id.in_(asked))))
        touches = select(Hand.person_id, Hand.at, Hand.is_founding).where(
            Hand.actor_id.in_(involved), Hand.person_id.in_(asked)
        )
        found |= {
            person_id
            for person_id, at, founding in session.execute(touches)
            if nominations.counts_as_made_up(Touch(at, founding), cycle.begun_at)
        }
    return found


def counted_as(relationship: str, rater_id: uuid.UUID, outside_ids: Collection[uuid.UUID]) -> Relationship:
    """As what a rater is counted who was chosen as this. Self and manager are attributed, whoever they are."""
    kind = Relationship(relationship)
    return Relationship.OUTSIDE if kind.is_anonymous and rater_id in outside_ids else kind


def _parts(ids: Sequence[uuid.UUID]) -> Iterator[Sequence[uuid.UUID]]:
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))
