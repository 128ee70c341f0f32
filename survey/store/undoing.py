"""Taking back an import of people: whole, or not at all."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, select, update
from sqlalchemy.orm import Session

from survey.store import changes, departures, people
from survey.store.base import Base
from survey.store.cycles import Cycle, Review
from survey.store.nominations import Nomination
from survey.store.people import Person

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Body:
    """What an import did: people as columns of their row, and nominations by review, rater and relationship."""

    added: Sequence[Values]
    changed: Sequence[tuple[Values, Values]]
    deactivated: Sequence[uuid.UUID]
    nominations: Sequence[tuple[uuid.UUID, uuid.UUID, str]]

    @classmethod
    def of(cls, body: Values) -> Body:
        """The value of what a row holds."""
        return cls(
            [_values(one) for one in body["added"]],
            [(_values(before), _values(after)) for before, after in body["changed"]],
            [uuid.UUID(one) for one in body["deactivated"]],
            [(uuid.UUID(review), uuid.UUID(rater), kind) for review, rater, kind in body["nominations"]],
        )


def obstacles(session: Session, body: Body, *, actor_id: uuid.UUID | None) -> list[str]:
    """Sentences on why an import cannot be taken back as if it had never been; none where it can."""
    wanted = [*(one["id"] for one in body.added), *(after["id"] for _, after in body.changed), *body.deactivated]
    now = _rows(session, wanted)
    return [
        *_changed_since(body, now),
        *_leaving(body, actor_id),
        *_in_use(session, body),
        *_opened_since(session, body),
        *_circles(session, body),
    ]


def take_back(session: Session, body: Body, *, actor_id: uuid.UUID | None, now: datetime) -> None:
    """Everybody as they were. Whoever is here again is mailed what open rounds still ask; whoever is not, is not."""
    by_fields: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for before, after in body.changed:
        fields = {field: value for field, value in before.items() if after[field] != value and field != "is_active"}
        by_fields[tuple(fields)].append(fields | {"person": before["id"]})
    table = cast(Table, Person.__table__)
    for names, rows in by_fields.items():
        if names:
            changed = update(table).where(table.c.id == bindparam("person"))
            session.execute(changed.values({name: bindparam(name) for name in names}), rows)
    _bring_back(session, body.deactivated, now)
    departures.deactivate(session, _brought_back(body), now=now)
    _nominate(session, body.nominations)
    for start in range(0, len(body.added), departures.AT_ONCE):
        some = [one["id"] for one in body.added[start : start + departures.AT_ONCE]]
        # Among them some report to others: nobody does for the moment in which they go.
        session.execute(update(table).where(table.c.id.in_(some)).values(manager_id=None))
    for start in range(0, len(body.added), departures.AT_ONCE):
        some = [one["id"] for one in body.added[start : start + departures.AT_ONCE]]
        session.execute(delete(table).where(table.c.id.in_(some)))
    session.expire_all()
    told = [
        changes.manager(before["id"], after["manager_id"], before["manager_id"])
        for before, after in body.changed
        if before["manager_id"] != after["manager_id"]
    ]
    changes.tell(session, told, actor_id=actor_id, now=now)


def _bring_back(session: Session, person_ids: Sequence[uuid.UUID], now: datetime) -> None:
    for start in range(0, len(person_ids), departures.AT_ONCE):
        some = person_ids[start : start + departures.AT_ONCE]
        session.execute(
            update(Person)
            .where(Person.id.in_(some))
            .values(is_active=True)
            .execution_options(synchronize_session=False)
        )
    departures.bring_back(session, person_ids, now=now)


def _brought_back(body: Body) -> list[uuid.UUID]:
    """Whom the import brought back."""
    return [before["id"] for before, after in body.changed if after["is_active"] and not before["is_active"]]


def _nominate(session: Session, nominations: Collection[tuple[uuid.UUID, uuid.UUID, str]]) -> None:
    """As raters again where they were, as far as the review is still there and nobody chose them since."""
    there = set(session.scalars(select(Review.id).where(Review.id.in_({review for review, _, _ in nominations}))))
    for review_id, rater_id, kind in nominations:
        if review_id in there and session.get(Nomination, (review_id, rater_id)) is None:
            session.add(Nomination(review_id=review_id, rater_id=rater_id, relationship=kind))
    session.flush()


def _changed_since(body: Body, now: Mapping[uuid.UUID, Values]) -> Iterator[str]:
    for after in (*body.added, *(after for _, after in body.changed)):
        if now.get(after["id"]) != after:
            yield f"{after['name']} was changed after the import."
    for person_id in body.deactivated:
        if person_id not in now or now[person_id]["is_active"]:
            yield f"{now[person_id]['name'] if person_id in now else 'Somebody'} was changed after the import."


def _leaving(body: Body, actor_id: uuid.UUID | None) -> Iterator[str]:
    if actor_id in {*(one["id"] for one in body.added), *_brought_back(body)}:
        yield "It brought you here yourself: somebody else of people operations can undo it."


def _in_use(session: Session, body: Body) -> Iterator[str]:
    """Of those who were added, whom anything else refers to by now."""
    added = {one["id"]: one["name"] for one in body.added}
    others = {after["id"] for _, after in body.changed} | added.keys()
    for table in Base.metadata.sorted_tables:
        for key in table.foreign_keys:
            if key.column.table.name != Person.__tablename__ or key.ondelete is not None:
                continue
            for start in range(0, len(body.added), departures.AT_ONCE):
                some = list(added)[start : start + departures.AT_ONCE]
                used = select(key.parent).where(key.parent.in_(some)).distinct()
                if table.name == Person.__tablename__:
                    # Those whom the import gave this manager get their former one back, or go too.
                    rows = session.execute(select(table.c.id, key.parent).where(key.parent.in_(some)))
                    found = {manager for person, manager in rows if person not in others}
                else:
                    found = set(session.scalars(used))
                yield from (f"{added[one]} is used by now, in a round or as a manager." for one in found)


def _opened_since(session: Session, body: Body) -> Iterator[str]:
    reviews = {review for review, _, _ in body.nominations}
    opened = select(Cycle.name).join(Review).where(Review.id.in_(reviews), Cycle.phase.not_in(departures.UNOPENED))
    for name in session.scalars(opened.distinct().order_by(Cycle.name)):
        yield f"The round “{name}” was opened after the import, without those whom it deactivated."


def _circles(session: Session, body: Body) -> Iterator[str]:
    """Who would stand below themselves, since others were given other managers meanwhile."""
    chart = people.chart(session)
    names = {str(before["id"]): before["name"] for before, _ in body.changed}
    chart |= {str(before["id"]): str(before["manager_id"] or "") or None for before, _ in body.changed}
    for person, name in names.items():
        seen = {person}
        above = chart.get(person)
        while above is not None and above not in seen:
            seen.add(above)
            above = chart.get(above)
        if above == person:
            yield f"{name} would report to themselves over others."


def _rows(session: Session, person_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Values]:
    table = cast(Table, Person.__table__)
    found: dict[uuid.UUID, Values] = {}
    columns = [table.c[name] for name in FIELDS]
    for start in range(0, len(person_ids), departures.AT_ONCE):
        some = person_ids[start : start + departures.AT_ONCE]
        for row in session.execute(select(*columns).where(table.c.id.in_(some), table.c.is_erased.is_(False))):
            found[row.id] = dict(row._mapping)
    return found


FIELDS = (
    "id", "name", "address", "manager_id", "team", "level", "time_zone", "language", "role", "is_active", "is_external",
)  # fmt: skip
"""The columns that an import writes."""


def _values(plain: Values) -> Values:
    manager_id = plain["manager_id"]
    return dict(plain) | {"id": uuid.UUID(plain["id"]), "manager_id": uuid.UUID(manager_id) if manager_id else None}
