"""People from a file: looked at first, then taken over whole, exactly as it was looked at."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, insert, or_, select, update
from sqlalchemy.orm import Session, aliased

from survey.core import imports as rules
from survey.core import names
from survey.core.access import Role
from survey.core.audit import Event
from survey.core.errors import BadInput, NotFound
from survey.core.imports import Plan, Update
from survey.core.people import Profile
from survey.store import audit, changes, departures, hands, people, undoing
from survey.store.changes import Change
from survey.store.departures import Touched
from survey.store.imports import ImportUndo, PeopleImport
from survey.store.people import Person
from survey.store.undoing import Body

KEPT_FOR = timedelta(hours=1)


UNDO_FOR = timedelta(hours=1)
SHOWN = 10


@dataclass(frozen=True)
class Undoable:
    """An import that can be undone until then, and how many people it touched."""

    import_id: uuid.UUID
    made_at: datetime
    until: datetime
    added: int
    changed: int
    deactivated: int


@dataclass(frozen=True)
class Waiting:
    """A file that waits for a yes, and what it would do now."""

    plan: Plan
    is_everybody: bool


def look(session: Session, source: bytes, *, is_everybody: bool, zones: Mapping[str, str]) -> Plan:
    """What the file would do. Writes nothing. Raises `BadInput` for what is no table of people."""
    known, _ = _known(session)
    return rules.plan(source, known, is_everybody=is_everybody, zones=zones)


def keep(session: Session, source: bytes, *, owner_id: uuid.UUID, is_everybody: bool, now: datetime) -> uuid.UUID:
    """Keeps the file for an hour, in place of an earlier one of the same owner, so that it can be confirmed."""
    session.execute(delete(PeopleImport).where(or_(PeopleImport.owner_id == owner_id, PeopleImport.expires_at <= now)))
    row = PeopleImport(owner_id=owner_id, source=source, is_everybody=is_everybody, expires_at=now + KEPT_FOR)
    session.add(row)
    session.flush()
    return row.id


def waiting(
    session: Session, import_id: uuid.UUID, *, owner_id: uuid.UUID, zones: Mapping[str, str], now: datetime
) -> Waiting:
    """The file that this owner uploaded, planned anew. Raises `NotFound` for another owner, and after an hour."""
    row = _row(session, import_id, owner_id, now)
    return Waiting(look(session, row.source, is_everybody=row.is_everybody, zones=zones), row.is_everybody)


def confirm(
    session: Session,
    import_id: uuid.UUID,
    *,
    owner_id: uuid.UUID,
    fingerprint: bytes,
    departing: int | None,
    zones: Mapping[str, str],
    now: datetime,
) -> Plan:
    """Carries out the plan that its owner has seen, which `fingerprint` names, and forgets the file.

    `departing` repeats how many are deactivated, where those are many. Raises `NotFound`, and `BadInput` when people
    have changed so that the plan is another one, or when the number is another one. Nothing is written then.
    """
    row = _row(session, import_id, owner_id, now)
    people.take_turns(session)
    known, ids = _known(session)
    plan = rules.plan(row.source, known, is_everybody=row.is_everybody, zones=zones)
    _check(plan, fingerprint, departing)
    session.delete(row)
    _carry_out(session, plan, ids, actor_id=owner_id, about=import_id, now=now)
    return plan


def take(
    session: Session,
    source: bytes,
    *,
    is_everybody: bool,
    fingerprint: bytes,
    departing: int | None,
    zones: Mapping[str, str],
    now: datetime,
) -> Plan:
    """Carries out the plan of `look` for an operator at the command line. Raises `BadInput` as `confirm` does."""
    people.take_turns(session)
    known, ids = _known(session)
    plan = rules.plan(source, known, is_everybody=is_everybody, zones=zones)
    _check(plan, fingerprint, departing)
    _carry_out(session, plan, ids, actor_id=None, about=uuid.uuid4(), now=now)
    return plan


def forget(session: Session, import_id: uuid.UUID, *, owner_id: uuid.UUID) -> None:
    """Forgets a file that was uploaded."""
    session.execute(delete(PeopleImport).where(PeopleImport.id == import_id, PeopleImport.owner_id == owner_id))


def forget_old(session: Session, *, now: datetime) -> None:
    """Forgets the files that nobody confirmed within an hour."""
    session.execute(delete(PeopleImport).where(PeopleImport.expires_at <= now))
    session.execute(delete(ImportUndo).where(ImportUndo.made_at <= now - UNDO_FOR))
    changes.forget_old(session, now=now)


def touched(session: Session, plan: Plan) -> tuple[list[Touched], list[Touched]]:
    """The unfinished rounds in which those whom the file deactivates have a part, and those whom it brings back."""
    returning = [each.after.address for each in plan.updates if each.after.is_active and not each.before.is_active]
    leaving = [person.address for person in plan.departures]
    return departures.touched(session, leaving), departures.touched(session, returning)


def undoable(session: Session, *, now: datetime, import_id: uuid.UUID | None = None) -> Undoable | None:
    """The newest import of the last hour, or this one if it is of the last hour."""
    found = select(ImportUndo).where(ImportUndo.made_at > now - UNDO_FOR).order_by(ImportUndo.made_at.desc()).limit(1)
    row = session.scalar(found if import_id is None else found.where(ImportUndo.id == import_id))
    if row is None:
        return None
    counts = [len(row.body[what]) for what in ("added", "changed", "deactivated")]
    return Undoable(row.id, row.made_at, row.made_at + UNDO_FOR, *counts)


def undo(session: Session, import_id: uuid.UUID, *, actor_id: uuid.UUID | None, now: datetime) -> None:
    """Takes an import back whole: whom it added is gone, and everybody else is as before it.

    Raises `NotFound` after an hour, and `BadInput` with everything that stands against it; nothing is written then.
    """
    people.take_turns(session)
    row = session.get(ImportUndo, import_id)
    if row is None or row.made_at <= now - UNDO_FOR:
        raise NotFound("This import is more than an hour old, or was undone. It cannot be undone any more.")
    body = Body.of(row.body)
    if problems := undoing.obstacles(session, body, actor_id=actor_id):
        more = f" And {len(problems) - SHOWN} more." if len(problems) > SHOWN else ""
        raise BadInput(f"Nothing was undone. {' '.join(problems[:SHOWN])}{more}")
    undoing.take_back(session, body, actor_id=actor_id, now=now)
    session.delete(row)
    counts = {"added": body.added, "changed": body.changed, "deactivated": body.deactivated}
    detail = {"undone": "1"} | {word: str(len(those)) for word, those in counts.items()}
    audit.record(session, Event.PEOPLE_CHANGED, actor_id=actor_id, about=import_id, now=now, detail=detail)


def export(session: Session) -> bytes:
    """All active people as a file that can be imported again."""
    known, _ = _known(session)
    active = [person for person in known.values() if person.is_active]
    return rules.export(sorted(active, key=lambda person: (*names.in_order(person.name), person.address)))


def _row(session: Session, import_id: uuid.UUID, owner_id: uuid.UUID, now: datetime) -> PeopleImport:
    row = session.scalar(
        select(PeopleImport).where(
            PeopleImport.id == import_id, PeopleImport.owner_id == owner_id, PeopleImport.expires_at > now
        )
    )
    if row is None:
        raise NotFound("This file is not kept any more. Please upload it again.")
    return row


def _known(session: Session) -> tuple[dict[str, Profile], dict[str, uuid.UUID]]:
    """Everybody who has not been erased, and their ids, by address."""
    manager = aliased(Person)
    rows = session.execute(
        select(
            Person.id,
            Person.name,
            Person.address,
            manager.address,
            Person.team,
            Person.level,
            Person.time_zone,
            Person.language,
            Person.role,
            Person.is_active,
            Person.is_external,
        )
        .outerjoin(manager, manager.id == Person.manager_id)
        .where(Person.is_erased.is_(False))
        .order_by(Person.address)
        .execution_options(yield_per=2_000)
    )
    known: dict[str, Profile] = {}
    ids: dict[str, uuid.UUID] = {}
    for person_id, name, address, above, team, level, time_zone, language, role, is_active, is_external in rows:
        known[address] = Profile(
            name, address, above, team, level, time_zone, language, Role(role), is_active, is_external
        )
        ids[address] = person_id
    return known, ids


def _check(plan: Plan, fingerprint: bytes, departing: int | None) -> None:
    if plan.fingerprint != fingerprint:
        raise BadInput(
            "People have changed since you looked at this file, and it would do something else now. Nothing was "
            "written. Please look at it again."
        )
    if not plan.is_possible:
        raise BadInput("Some lines of this file cannot be used, so nothing was written.")
    if plan.is_drastic and departing != len(plan.departures):
        raise BadInput(
            f"This file deactivates {len(plan.departures)} of {plan.active} people. Nothing was written: confirm that "
            "number, or say that the file does not name everybody."
        )


def _carry_out(
    session: Session,
    plan: Plan,
    ids: dict[str, uuid.UUID],
    *,
    actor_id: uuid.UUID | None,
    about: uuid.UUID,
    now: datetime,
) -> None:
    if plan.is_empty:
        return
    ids |= {each.person.address: uuid.uuid4() for each in plan.additions}
    table = cast(Table, Person.__table__)
    founding = hands.is_founding(session, actor_id, now=now)
    _in_parts(session, insert(table), [_values(each, ids) for each in _downwards(plan)])
    for fields, rows in _by_fields(plan.updates, ids).items():
        changed = update(table).where(table.c.id == bindparam("person"))
        _in_parts(session, changed.values({field: bindparam(field) for field in fields}), rows)
    hands.note(session, _brought(plan, ids), actor_id, founding=founding, now=now)
    departing = [ids[person.address] for person in plan.departures]
    undo = _undo(session, plan, ids, departing)
    departures.deactivate(session, departing, now=now)
    departures.bring_back(session, _returning(plan, ids), now=now)
    changes.tell(session, _new_managers(plan.updates, ids), actor_id=actor_id, now=now)
    session.add(ImportUndo(id=about, made_at=now, body=undo))
    counts = {"added": plan.additions, "changed": plan.updates, "deactivated": plan.departures}
    audit.record(
        session,
        Event.PEOPLE_CHANGED,
        actor_id=actor_id,
        about=about,
        now=now,
        detail={word: str(len(those)) for word, those in counts.items()},
    )


def _brought(plan: Plan, ids: Mapping[str, uuid.UUID]) -> list[uuid.UUID]:
    """Whom this file brings into the directory: new people, those who come back, and those who worked elsewhere."""
    joined = [each.after for each in plan.updates if each.before.is_external or not each.before.is_active]
    return [ids[person.address] for person in (*(each.person for each in plan.additions), *joined)]


def _returning(plan: Plan, ids: Mapping[str, uuid.UUID]) -> list[uuid.UUID]:
    """Who was deactivated, and stands in the file."""
    return [ids[each.after.address] for each in plan.updates if each.after.is_active and not each.before.is_active]


def _new_managers(updates: Sequence[Update], ids: Mapping[str, uuid.UUID]) -> list[Change]:
    return [
        changes.manager(ids[each.after.address], _id(each.before.manager, ids), _id(each.after.manager, ids))
        for each in updates
        if each.before.manager != each.after.manager
    ]


def _id(address: str | None, ids: Mapping[str, uuid.UUID]) -> uuid.UUID | None:
    return ids[address] if address else None


def _undo(session: Session, plan: Plan, ids: Mapping[str, uuid.UUID], departing: Sequence[uuid.UUID]) -> dict[str, Any]:
    """What takes an import back, in words of JSON."""
    return {
        "added": [_plain(_values(each.person, ids)) for each in plan.additions],
        "changed": [[_plain(_values(each.before, ids)), _plain(_values(each.after, ids))] for each in plan.updates],
        "deactivated": [str(person_id) for person_id in departing],
        "nominations": [
            [str(nomination.review_id), str(nomination.rater_id), nomination.relationship]
            for nomination in departures.unopened(session, departing)
        ],
    }


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {field: str(value) if isinstance(value, uuid.UUID) else value for field, value in values.items()}


def _downwards(plan: Plan) -> list[Profile]:
    """The new people, managers before those who report to them: a row can only name one that is there."""
    new = {each.person.address: each.person for each in plan.additions}
    ordered: dict[str, Profile] = {}
    for person in new.values():
        chain = []
        current: Profile | None = person
        while current is not None and current.address not in ordered:
            chain.append(current)
            current = new.get(current.manager) if current.manager else None
        ordered |= {each.address: each for each in reversed(chain)}
    return list(ordered.values())


def _by_fields(updates: Sequence[Update], ids: Mapping[str, uuid.UUID]) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """What changes, those together in whom the same fields do: a column that stays is not written, nor its index."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for each in updates:
        before, after = _values(each.before, ids), _values(each.after, ids)
        changed = {field: value for field, value in after.items() if before[field] != value}
        found.setdefault(tuple(changed), []).append(changed | {"person": after["id"]})
    return found


def _values(person: Profile, ids: Mapping[str, uuid.UUID]) -> dict[str, Any]:
    return {
        "id": ids[person.address],
        "name": person.name,
        "address": person.address,
        "manager_id": ids[person.manager] if person.manager else None,
        "team": person.team,
        "level": person.level,
        "time_zone": person.time_zone,
        "language": person.language,
        "role": person.role.value,
        "is_active": person.is_active,
        "is_external": person.is_external,
    }


def _in_parts(session: Session, statement: Any, rows: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(rows), departures.AT_ONCE):
        session.execute(statement, rows[start : start + departures.AT_ONCE])
