"""Every way into the program: each route with each of its methods, and the things that its address can name.

A route that takes an id asks for an entry in `THINGS`: without one its doors cannot be opened, and the tests fail.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import event, select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.routing import Rule

from survey import context
from survey.core.access import Action, Role, Standing
from survey.core.cycles import Phase
from survey.core.plans import Step
from survey.core.relationships import Relationship
from survey.services import imports, people, plans
from survey.store.base import Base
from survey.store.cycles import Cycle
from survey.store.invitations import Invitation
from survey.store.keys import Keyring
from survey.store.people import Person
from tests.company import PEERS, Company

SIGN_INS = {"sign_in", "sign_in_link"}


@dataclass(frozen=True)
class Round:
    """A round about one person, in one phase."""

    cycle_id: uuid.UUID | str
    review_id: uuid.UUID | str
    launcher: str
    subject: str


@dataclass(frozen=True)
class Thing:
    """What one value in an address names; `round` decides who stands how to it, `holder` has the link to it."""

    value: object
    round: Round | None = None
    holder: str = ""


@dataclass
class World:
    """Two managers with a report each, a round about each of these in every phase, and a rater without an account.

    The released reports have a plan that is shared; people operations have uploaded a file of people, and written one.
    """

    company: Company
    rounds: list[Round] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    invitations: list[Thing] = field(default_factory=list)
    import_id: uuid.UUID | None = None
    imported_id: uuid.UUID | None = None

    @property
    def app(self) -> Flask:
        return self.company.app

    def standing(self, name: str, thing: Thing) -> frozenset[Standing]:
        """How this person stands to a thing, by what the world was built from."""
        found = set()
        if thing.round is not None:
            if thing.round.launcher == name:
                found.add(Standing.LAUNCHED)
            if thing.round.subject == name:
                found.add(Standing.OWN)
            if MANAGERS.get(thing.round.subject) == name:
                found.add(Standing.MANAGES)
        return frozenset(found)


MANAGERS = {"sam": "marta", "olga": "otto"}
RATER = "xenia"
"""Works elsewhere and has no account; holds a link about Sam."""

THINGS: dict[str, Callable[[World], list[Thing]]] = {
    "cycle_id": lambda world: [Thing(one.cycle_id, one) for one in world.rounds],
    "review_id": lambda world: [Thing(one.review_id, one) for one in world.rounds],
    "page_id": lambda world: [Thing(world.company.page_id)],
    "person_id": lambda world: [Thing(world.company.ids[name], Round(name, name, "", name)) for name in MANAGERS],
    "import_id": lambda world: [Thing(world.import_id), Thing(world.imported_id)],
    "invitation_id": lambda world: world.invitations,
    "token": lambda world: [Thing(world.tokens[RATER], world.invitations[0].round, RATER), Thing("of-nobody")],
}
"""Which things the arguments of routes name. One line for each name."""


@dataclass(frozen=True)
class Door:
    """A route with a method."""

    rule: Rule
    method: str
    action: Action | None

    @property
    def endpoint(self) -> str:
        return self.rule.endpoint

    def __str__(self) -> str:
        return f"{self.method} {self.rule.rule}"


def doors(app: Flask) -> list[Door]:
    """All of them. OPTIONS has no page and is answered by the framework; HEAD is a page without its body."""
    return [
        Door(rule, method, app.view_functions[rule.endpoint].action)
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static"
        for method in sorted((rule.methods or set()) - {"OPTIONS"})
    ]


def addresses(world: World, door: Door) -> Iterator[tuple[str, tuple[Thing, ...]]]:
    """The door's addresses, with what each names. Where two ids are named, also ids that do not belong together."""
    adapter = world.app.url_map.bind("localhost")
    names = sorted(door.rule.arguments)
    for things in product(*(THINGS[name](world) for name in names)):
        if _belong_together(things) or _is_crossed(world, things):
            values = {name: thing.value for name, thing in zip(names, things, strict=True)}
            yield adapter.build(door.endpoint, values), things


def _belong_together(things: tuple[Thing, ...]) -> bool:
    return len({thing.round for thing in things if thing.round is not None}) <= 1


def _is_crossed(world: World, things: tuple[Thing, ...]) -> bool:
    """One pair each way is enough: the first round of the one launcher, and the first of the other."""
    first = {launcher: next(one for one in world.rounds if one.launcher == launcher) for launcher in ("marta", "otto")}
    return {thing.round for thing in things} == set(first.values())


def build(app: Flask) -> World:
    """The world, on an empty installation. Takes some seconds."""
    app.extensions[context.EXTENSION] = replace(context.installation(), ring=lambda task: None)
    company = Company(app)
    with context.transaction() as rows:
        otto = people.add(rows, "Otto Berg", "otto@company.test", role=Role.MANAGER)
        olga = people.add(rows, "Olga Stern", "olga@company.test", manager_id=otto.id)
        xenia = people.add(rows, "Xenia Far", "xenia@elsewhere.test")
        xenia.is_external = True
        company.ids |= {"otto": otto.id, "olga": olga.id, RATER: xenia.id}
    world = World(company)
    about_sam = company.usual_raters(4) | {RATER: Relationship.PEER}
    about_olga = {"olga": Relationship.SELF, "otto": Relationship.MANAGER} | dict.fromkeys(PEERS[:5], Relationship.PEER)
    chosen = {"sam": ("marta", about_sam), "olga": ("otto", about_olga)}
    for subject, (launcher, raters) in chosen.items():
        world.rounds.append(_launched(company.draft(raters, subject=subject), launcher, subject))
        nominating = _launched(company.draft(raters, subject=subject), launcher, subject)
        with context.transaction() as rows:
            row = rows.get_one(Cycle, nominating.cycle_id)
            row.phase, row.opens_at = Phase.NOMINATING, row.closes_at - timedelta(days=7)
        world.rounds.append(nominating)
        world.rounds.append(_launched(company.run(raters, subject=subject), launcher, subject))
    for subject, (launcher, raters) in chosen.items():
        opened = _launched(company.open(raters, subject=subject), launcher, subject)
        world.rounds.append(opened)
        holder = RATER if subject == "sam" else "ana"
        with context.reading() as rows:
            invitation = rows.scalar(
                select(Invitation.id)
                .join(Person, Person.id == Invitation.rater_id)
                .where(Invitation.review_id == opened.review_id, Person.id == company.ids[holder])
            )
        world.invitations.append(Thing(invitation, opened, holder))
    world.tokens = company.tokens()
    world.imported_id = _imported(b"Name,Address\nNora New,nora@company.test\n")
    with context.transaction() as rows:
        world.import_id = imports.keep(
            rows, b"Name,Address\n", owner_id=company.ids["noor"], is_everybody=False, now=context.now()
        )
        for one in world.rounds:
            if rows.get_one(Cycle, one.cycle_id).phase == Phase.RELEASED:
                plans.save(rows, one.review_id, [Step("One step.", "")], None, now=context.now())
                plans.share(rows, one.review_id)
    return world


def _imported(source: bytes) -> uuid.UUID | None:
    """The id of an import that was carried out."""
    with context.transaction() as rows:
        plan = imports.look(rows, source, is_everybody=False, zones={})
        written = {"fingerprint": plan.fingerprint, "departing": None, "zones": {}, "now": context.now()}
        imports.take(rows, source, is_everybody=False, **written)
        found = imports.undoable(rows, now=context.now())
    return found.import_id if found else None


def _launched(made: tuple[uuid.UUID, uuid.UUID], launcher: str, subject: str) -> Round:
    with context.transaction() as rows:
        rows.get_one(Cycle, made[0]).launcher_id = rows.scalar(
            select(Person.id).where(Person.address == f"{launcher}@company.test")
        )
    return Round(*made, launcher, subject)


def browser(world: World, name: str) -> FlaskClient:
    """A browser in which this person is signed in; the rater's holds their link, and a stranger's nothing."""
    if name == RATER:
        client = world.app.test_client()
        entered = client.post(f"/r/{world.tokens[RATER]}", data={"csrf_token": csrf_token(client)})
        assert entered.status_code == 303, entered.text
        return client
    return world.company.sign_in(name) if name else world.app.test_client()


def as_it_was(client: FlaskClient) -> FlaskClient:
    """A browser with the same cookies, so that what one answer sets or clears does not reach the next request."""
    fresh = client.application.test_client()
    for name in ("session", "rater", "draft"):
        if (cookie := client.get_cookie(name)) is not None:
            fresh.set_cookie(name, cookie.value)
    return fresh


def csrf_token(client: FlaskClient) -> str:
    """A token for forms that the program takes from this browser, as a page would hold it."""
    with client.session_transaction() as session:
        raw = session.setdefault("csrf_token", secrets.token_hex(20))
    key: Any = client.application.secret_key
    return str(URLSafeTimedSerializer(key, salt="wtf-csrf-token").dumps(raw))


def rows_of_all_tables(besides: set[str] = SIGN_INS) -> dict[str, list[str]]:
    """Everything in the database, in a fixed order."""
    with context.reading() as rows:
        return {
            name: sorted(map(repr, rows.execute(select(table)).all()))
            for name, table in Base.metadata.tables.items()
            if name not in besides
        }


class Undone:
    """Makes sessions whose transactions do all their work, down to the statements, and are then rolled back.

    `written` has the statements that would have changed rows, of transactions that came to their end.
    """

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self.written: list[str] = []

    @contextmanager
    def begin(self) -> Iterator[Session]:
        statements: list[str] = []

        def note(connection, cursor, statement: str, *rest: object) -> None:
            if statement.split(maxsplit=1)[0].upper() in {"INSERT", "UPDATE", "DELETE", "WITH"}:
                statements.append(statement)

        with self._sessions() as session:
            connection = session.connection()
            event.listen(connection, "before_cursor_execute", note)
            try:
                yield session
                session.flush()
            finally:
                event.remove(connection, "before_cursor_execute", note)
            self.written += statements
            # What pages go on to use keeps what was loaded, as it does after a commit.
            session.expunge_all()
            session.rollback()


@contextmanager
def undone(app: Flask) -> Iterator[Undone]:
    """Whatever is done meanwhile is gone afterwards, also from the directory of keys."""
    real = app.extensions[context.EXTENSION]
    write = Undone(real.write)
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys"
        if real.keyring.directory.exists():
            shutil.copytree(real.keyring.directory, keys)
        app.extensions[context.EXTENSION] = replace(real, write=write, step=write, keyring=Keyring(keys))
        try:
            yield write
        finally:
            app.extensions[context.EXTENSION] = real


def open_door(client: FlaskClient, door: Door, address: str, data: Mapping[str, object] | None = None) -> Any:
    """The answer at this door. What is posted holds a token that is good, and nothing else unless it is given."""
    client = as_it_was(client)
    if door.method in {"GET", "HEAD"}:
        return client.open(address, method=door.method)
    return client.open(address, method=door.method, data={"csrf_token": csrf_token(client)} | dict(data or {}))
