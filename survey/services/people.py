"""People: who there is, and who reports to whom."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from survey.core import names
from survey.core import people as rules
from survey.core.access import Role, Standing
from survey.core.audit import Event
from survey.core.errors import BadInput, NotFound
from survey.core.people import Profile
from survey.store import asking, audit, changes, departures, hands, people
from survey.store.changes import Change, Field
from survey.store.departures import Touched
from survey.store.people import Person


def add(
    session: Session,
    name: str,
    address: str,
    *,
    role: Role = Role.ENGINEER,
    manager_id: uuid.UUID | None = None,
    team: str = "",
    level: int | None = None,
    time_zone: str | None = None,
    language: str = rules.LANGUAGE,
) -> Person:
    """A new person. Raises `BadInput` for an empty name, an address that is none, or one that is taken."""
    name = rules.check_name(name)
    address = _free(session, rules.check_address(address))
    if manager_id is not None and session.get(Person, manager_id) is None:
        raise BadInput("The manager is not known here.")
    person = Person(
        name=name,
        address=address,
        role=role,
        manager_id=manager_id,
        team=team,
        level=level,
        time_zone=time_zone,
        language=language,
    )
    session.add(person)
    session.flush()
    return person


def get(session: Session, person_id: uuid.UUID) -> Person:
    """The person. Raises `NotFound`, also for one who has been erased."""
    person = session.get(Person, person_id)
    if person is None or person.is_erased:
        raise NotFound("There is no such person.")
    return person


def profile(session: Session, person: Person) -> Profile:
    """What is known of a person, as a value."""
    manager = session.get(Person, person.manager_id) if person.manager_id else None
    return Profile(
        person.name,
        person.address,
        manager.address if manager else None,
        person.team,
        person.level,
        person.time_zone,
        person.language,
        Role(person.role),
        person.is_active,
    )


def enter(session: Session, known: Profile, *, actor_id: uuid.UUID, now: datetime) -> Person:
    """A new person with this profile. Raises `BadInput` for an address that is taken, or a manager who is not here."""
    people.take_turns(session)
    founding = hands.is_founding(session, actor_id, now=now)
    person = add(
        session,
        known.name,
        known.address,
        role=known.role,
        manager_id=_manager(session, known.manager),
        team=known.team,
        level=known.level,
        time_zone=known.time_zone,
        language=known.language,
    )
    hands.note(session, [person.id], actor_id, founding=founding, now=now)
    _record(session, person.id, "added", actor_id=actor_id, now=now)
    return person


def change(session: Session, person_id: uuid.UUID, known: Profile, *, actor_id: uuid.UUID, now: datetime) -> Person:
    """The person with another profile; whether they are active stays.

    They are told of another manager or address. With the address end the sign-ins and links of the one before, and
    until a word comes from there, reports of rounds that opened before stay closed. Where the actor set up who is
    asked, they are withdrawn with another address; asked again, they are outside raters.

    Raises `NotFound`, and `BadInput` for an address that is taken, a manager who is not here or who stands below, and
    where nobody would be left in people operations.
    """
    people.take_turns(session)
    person = get(session, person_id)
    if known.address != person.address:
        _free(session, known.address)
        hands.note(session, [person_id], actor_id, founding=False, now=now)
        asking.withdraw_where_set_up(session, person_id, actor_id)
    before = person.address, person.manager_id
    if known.manager != profile(session, person).manager:
        person.manager_id = _manager_of(session, person_id, known)
    if person.role == Role.PEOPLE_OPERATIONS and known.role is not Role.PEOPLE_OPERATIONS:
        _keep_an_operator(session, person)
    person.name, person.role = known.name, known.role
    person.team, person.level = known.team, known.level
    person.time_zone, person.language = known.time_zone, known.language
    is_changed = session.is_modified(person) or known.address != person.address
    if known.address != person.address:
        departures.change_mailbox(session, person, known.address, now=now)
        changes.await_word(session, person, before[0], actor_id=actor_id, now=now)
    changes.tell(session, _differences(person, *before), actor_id=actor_id, now=now)
    if is_changed:
        _record(session, person_id, "changed", actor_id=actor_id, now=now)
    return person


def _differences(person: Person, address: str, manager_id: uuid.UUID | None) -> list[Change]:
    """What a person is told of: another address, or another manager."""
    found = []
    if person.address != address:
        found.append(Change(person.id, Field.ADDRESS, address, person.address))
    if person.manager_id != manager_id:
        found.append(changes.manager(person.id, manager_id, person.manager_id))
    return found


def deactivate(session: Session, person_id: uuid.UUID, *, actor_id: uuid.UUID, now: datetime) -> Person:
    """Afterwards the person cannot sign in, gets no mail and is asked nothing more; what they answered counts.

    A review about them goes on. Raises `NotFound`, and `BadInput` for oneself and for the last of people operations.
    """
    people.take_turns(session)
    person = get(session, person_id)
    if person_id == actor_id:
        raise BadInput("You cannot deactivate your own account. Somebody else of people operations can.")
    _keep_an_operator(session, person)
    if person.is_active:
        departures.deactivate(session, [person_id], now=now)
        _record(session, person_id, "deactivated", actor_id=actor_id, now=now)
    return person


def reactivate(session: Session, person_id: uuid.UUID, *, actor_id: uuid.UUID, now: datetime) -> Person:
    """Afterwards the person is here again, and is mailed what open rounds still ask of them. Raises `NotFound`."""
    people.take_turns(session)
    person = get(session, person_id)
    if not person.is_active:
        person.is_active = True
        hands.note(session, [person_id], actor_id, founding=False, now=now)
        session.flush()
        departures.bring_back(session, [person_id], now=now)
        _record(session, person_id, "reactivated", actor_id=actor_id, now=now)
    return person


@dataclass(frozen=True)
class Search:
    """What a list of people is narrowed to. `below` is a manager: only those who report to them, at any depth."""

    words: str = ""
    team: str | None = None
    is_active: bool = True
    below: uuid.UUID | None = None


@dataclass(frozen=True)
class Listed:
    """A person in a list."""

    id: uuid.UUID
    name: str
    address: str
    team: str
    level: int | None
    role: Role
    manager: str | None


def search(session: Session, wanted: Search, *, offset: int, limit: int) -> tuple[Sequence[Listed], int]:
    """The people who are looked for, by name, from `offset` on; and how many there are altogether."""
    manager = aliased(Person)
    found = _found(wanted)
    rows = session.execute(
        select(Person.id, Person.name, Person.address, Person.team, Person.level, Person.role, manager.name)
        .outerjoin(manager, manager.id == Person.manager_id)
        .where(*found)
        .order_by(*people.by_name())
        .offset(offset)
        .limit(limit)
    ).all()
    total = session.scalar(select(func.count()).select_from(Person).where(*found)) or 0
    return [Listed(*row[:5], Role(row.role), row[6]) for row in rows], total


def unfinished(session: Session, person_id: uuid.UUID) -> list[Touched]:
    """The rounds that are open or being set up in which this person has a part."""
    return departures.touched(session, [get(session, person_id).address])


def teams(session: Session, *, below: uuid.UUID | None) -> Sequence[str]:
    """The teams of all active people, or of those below a manager, by name."""
    found = _found(Search(below=below))
    found_teams = session.scalars(select(Person.team).where(*found, Person.team != "").distinct())
    return sorted(found_teams, key=names.in_order)


def managers(session: Session, *, limit: int) -> Sequence[str]:
    """The addresses of active people who may manage others."""
    return session.scalars(
        select(Person.address)
        .where(Person.is_active, Person.role != Role.ENGINEER)
        .order_by(Person.address)
        .limit(limit)
    ).all()


def named(session: Session, person_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The names of these people by id."""
    return people.names(session, person_ids)


def at(session: Session, address: str) -> Person:
    """The person at this address. Raises `NotFound`, and `BadInput` for an address that is none."""
    person = people.by_address(session, rules.check_address(address))
    if person is None:
        raise NotFound(f"There is nobody at {address}.")
    return person


def everybody(session: Session) -> Sequence[Person]:
    """All active people, by name."""
    return session.scalars(select(Person).where(Person.is_active).order_by(*people.by_name())).all()


def below(session: Session, manager_id: uuid.UUID) -> Sequence[Person]:
    """Everybody who reports to this manager, directly or below, by name."""
    return session.scalars(select(Person).where(_is_below(manager_id)).order_by(*people.by_name())).all()


def standing(session: Session, person_id: uuid.UUID, account_id: uuid.UUID) -> frozenset[Standing]:
    """How an account stands to a person."""
    return frozenset({Standing.MANAGES}) if people.reports_to(session, person_id, account_id) else frozenset()


def make_administrator(session: Session, address: str, *, actor_id: uuid.UUID | None, now: datetime) -> Person:
    """The person at this address with the role of people operations, made if there is none."""
    address = rules.check_address(address)
    person = people.by_address(session, address)
    if person is None:
        person = add(session, address.split("@")[0], address)
    if person.role != Role.PEOPLE_OPERATIONS or not person.is_active:
        person.role = Role.PEOPLE_OPERATIONS
        person.is_active, person.is_external = True, False
        _record(session, person.id, "people operations", actor_id=actor_id, now=now)
    return person


def _free(session: Session, address: str) -> str:
    if people.by_address(session, address) is not None:
        raise BadInput(f"Somebody with the address {address} is here already.")
    return address


def _manager(session: Session, address: str | None) -> uuid.UUID | None:
    if not address:
        return None
    manager = people.by_address(session, address)
    if manager is None or not manager.is_active:
        raise BadInput(f"Nobody here has the address {address}, so nobody can report to it.")
    return manager.id


def _manager_of(session: Session, person_id: uuid.UUID, known: Profile) -> uuid.UUID | None:
    manager_id = _manager(session, known.manager)
    if manager_id == person_id:
        raise BadInput(f"{known.name} cannot report to themselves.")
    if manager_id is not None and people.reports_to(session, manager_id, person_id):
        raise BadInput(f"{known.manager} reports to {known.name}, directly or over others.")
    return manager_id


def _keep_an_operator(session: Session, person: Person) -> None:
    if person.role == Role.PEOPLE_OPERATIONS and not people.has_other_operator(session, {person.id}):
        raise BadInput(f"{person.name} is the last of people operations. Give somebody else that account first.")


def _record(session: Session, person_id: uuid.UUID, what: str, *, actor_id: uuid.UUID | None, now: datetime) -> None:
    session.flush()
    audit.record(session, Event.PEOPLE_CHANGED, actor_id=actor_id, about=person_id, now=now, detail={what: "1"})


def _found(wanted: Search) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [Person.is_active.is_(wanted.is_active), Person.is_erased.is_(False)]
    found += [
        or_(people.is_called(word), Person.address.icontains(word, autoescape=True))
        for word in wanted.words.replace("\0", " ").split()[: people.WORDS_AT_MOST]
    ]
    if wanted.team is not None:
        found.append(Person.team == wanted.team.replace("\0", ""))
    if wanted.below is not None:
        found.append(_is_below(wanted.below))
    return found


def _is_below(manager_id: uuid.UUID) -> ColumnElement[bool]:
    reporting = (
        select(Person.id).where(Person.manager_id == manager_id, Person.is_active).cte("reporting", recursive=True)
    )
    # UNION, not UNION ALL: a circle of managers comes to an end.
    reporting = reporting.union(select(Person.id).where(Person.manager_id == reporting.c.id, Person.is_active))
    return and_(Person.id.in_(select(reporting.c.id)), Person.id != manager_id)
