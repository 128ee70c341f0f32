"""What sweeps and visits cost beside large tables of which nothing is due, and row sizes: `make bench-tables`.

1,000, 10,000 and 100,000 raters of an open round, each with an invitation, a link, a reminder to come, a mail that
went out today, one that is put off, and a sign-in. Every task of the schedule is run as the beat has it run; the
statements that it says are noted, and each is explained or counted: an index must lead to what is due. The same is done
with a rater's page, an answer, a way in and a report. The exponent says by which power of the table the work grew in
the last step: 0 is as it should be.

Bytes are those of PostgreSQL with all indexes (pg_total_relation_size).
"""

from __future__ import annotations

import importlib
import math
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, func, insert, select, text

from survey import context
from survey.core.cycles import Phase
from survey.core.relationships import Relationship
from survey.services import cycles
from survey.store.base import Base
from survey.store.cycles import Cycle, Review
from survey.store.envelopes import Envelope
from survey.store.invitations import Invitation, InvitationToken
from survey.store.mailings import Mailing
from survey.store.nominations import Nomination
from survey.store.outbox import DIGEST, Mail, State
from survey.store.people import Person, SignIn
from survey.store.reports import Cell, Comment, Report
from tasks.schedule import SCHEDULE
from tests import counting, servers
from tests.attacks import rounds
from tests.benchmarks import crowds
from tests.benchmarks.crowds import PEERS
from tests.benchmarks.visits import Visits
from tests.company import Company

STEPS = (1_000, 10_000, 100_000)
PORTION = 10_000
LARGE = (Person, Nomination, Invitation, InvitationToken, Mailing, Mail, SignIn)
RUNS = 5
REVIEWS = 100
ROWS_AT_MOST, STEPS_AT_MOST = 100, 2_000
"""What a statement may read, and do, of which nothing is due. Beside a thousand rows a thousand would be too many."""

Said = tuple[str, Any]
Work = Callable[[], object]


def main() -> None:
    """Prints a table for each database. Raises AssertionError where a sweep reads what is not due."""
    with tempfile.TemporaryDirectory() as folder:
        databases = servers.Databases(Path(folder))
        try:
            for kind in ("sqlite", "postgresql"):
                with rounds.installation(databases, kind, Path(folder)) as app:
                    company = Company(app)
                    visits = Visits(company)
                    _show(kind, [measured(company, raters, visits) for raters in STEPS])
                    sizes = [_sized(table) for table in LARGE]
            with rounds.installation(databases, "postgresql", Path(folder)) as app:
                sizes += _sized_round(Company(app))
        finally:
            databases.stop()
    print("postgresql: bytes a row, with all indexes")
    for name, rows, size in sizes:
        print(f"  {name:<20}{rows:>10,} rows{size / rows:>10,.0f} bytes a row{size / 2**20:>10.1f} MiB")


def measured(company: Company, raters: int, visits: Visits | None = None) -> dict[str, float]:
    """Milliseconds of each task of the schedule, and of each visit, beside tables for so many raters.

    Raises AssertionError where a statement of theirs reads what is not due, or not asked for.
    """
    fill(company, raters)
    works: dict[str, Work] = {entry["task"]: partial(_run, entry["task"]) for entry in SCHEDULE.values()}
    works |= visits.works(RUNS + 1) if visits else {}
    found = {}
    for name, work in works.items():
        found[name] = _milliseconds(work)
        for statement in said_by(work):
            problem = unguided(statement)
            assert not problem, f"{name}: {problem}\n{statement[0]}"
    return found


def fill(company: Company, raters: int) -> None:
    """Adds what is missing to so many raters of one open round, of whom nothing is due."""
    with context.transaction() as session:
        cycle_id = session.scalar(select(Cycle.id).where(Cycle.phase == Phase.OPEN))
        there = session.scalar(select(func.count()).select_from(Invitation)) or 0
    cycle_id = cycle_id or company.open()[0]
    while there < raters:
        number = min(PORTION, raters - there)
        with context.transaction() as session:
            _add(session, cycle_id, company.ids["sam"], number)
        there += number
    company.tokens()  # What the round itself had to say is said.
    engine = context.installation().engine
    if engine.dialect.name == "postgresql":
        # It does so by itself, some minutes later; SQLite never does.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")


def _add(session: Any, cycle_id: uuid.UUID, subject_id: uuid.UUID, number: int) -> None:
    now, day = context.now(), context.now().date().isoformat()
    subjects = [uuid.uuid4() for _ in range(-(-number // PEERS))]
    people = [uuid.uuid4() for _ in range(number)]
    everybody = [*subjects, *people]
    session.execute(
        insert(Person), [{"id": one, "name": "Somebody", "address": f"{one.hex}@company.test"} for one in everybody]
    )
    reviews = [{"id": uuid.uuid4(), "cycle_id": cycle_id, "subject_id": one} for one in subjects]
    session.execute(insert(Review), reviews)
    asked = [
        {"review_id": reviews[place // PEERS]["id"], "rater_id": one, "relationship": Relationship.PEER}
        for place, one in enumerate(people)
    ]
    session.execute(insert(Nomination), asked)
    invitations = [row | {"id": uuid.uuid4()} for row in asked]
    session.execute(insert(Invitation), invitations)
    links = [{"hash": os.urandom(32), "invitation_id": row["id"], "stop_hash": None} for row in invitations]
    session.execute(insert(InvitationToken), links)
    later = {"cycle_id": cycle_id, "slot": "one-day", "due_at": now + timedelta(days=13)}
    session.execute(insert(Mailing), [later | {"person_id": one} for one in people])
    out = {"kind": DIGEST, "slot": day, "due_at": now - timedelta(hours=1), "state": State.SETTLED}
    put_off = {"kind": "check_in", "slot": day, "due_at": now + timedelta(days=20), "state": State.WAITING}
    mails = [row | {"person_id": one, "reference": one} for one in people for row in (out, put_off)]
    session.execute(insert(Mail), mails)
    here = {"began_at": now, "expires_at": now + timedelta(days=14), "browser": "Firefox on Linux"}
    session.execute(insert(SignIn), [here | {"hash": os.urandom(32), "person_id": one} for one in people])


def said_by(work: Work) -> list[Said]:
    """The statements of one run of this, with their values."""
    with _noted() as said:
        work()
    return said


def unguided(said: Said) -> str:
    """What is wrong with the way to the rows of a statement: it reads many, and none is due. Nothing if nothing is."""
    engine = context.installation().engine
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            steps = _steps(connection, said)
            return f"takes {steps:,} steps" if steps > STEPS_AT_MOST else ""
        (found,) = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {said[0]}", said[1]).one()
        connection.rollback()
    names = {table.__tablename__ for table in LARGE}
    read = [(node.get("Relation Name"), _rows_read(node)) for plan in found for node in _nodes(plan["Plan"])]
    return "; ".join(f"reads {rows:,} rows of {name}" for name, rows in read if name in names and rows > ROWS_AT_MOST)


def _steps(connection: Connection, said: Said) -> int:
    """About how many steps of its virtual machine SQLite takes; a row that it looks at takes five and more."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 100
        return 0

    driver = connection.connection.dbapi_connection
    driver.set_progress_handler(count, 100)  # type: ignore[union-attr]
    connection.exec_driver_sql(said[0], said[1])
    driver.set_progress_handler(None, 0)  # type: ignore[union-attr]
    connection.rollback()
    return steps


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _rows_read(node: dict[str, Any]) -> int:
    kinds = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return round(sum(node.get(kind, 0) for kind in kinds) * node.get("Actual Loops", 1))


@contextmanager
def _noted() -> Iterator[list[Said]]:
    said: list[Said] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: object) -> None:
        if statement.split(maxsplit=1)[0] in {"SELECT", "UPDATE", "DELETE"}:
            said.append((statement, parameters))

    engine = context.installation().engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", note)


def _run(task: str) -> None:
    module, _, name = task.rpartition(".")
    getattr(importlib.import_module(module), name)()


def _milliseconds(work: Work) -> float:
    """The best of some runs, of the clock: the database is at work too."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1000 * min(times)


def _show(kind: str, steps: list[dict[str, float]]) -> None:
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{kind}: milliseconds of a task that finds nothing due, and of visits; load averages {load}")
    print(f"  {'raters':<28}" + "".join(f"{raters:>10,}" for raters in STEPS) + "   exponent")
    for task in steps[0]:
        times = [step[task] for step in steps]
        exponent = math.log(times[-1] / times[-2]) / math.log(STEPS[-1] / STEPS[-2])
        print(f"  {task:<28}" + "".join(f"{each:>10.1f}" for each in times) + f"{exponent:>11.2f}")
    print("  every statement is led by an index to what is due\n", flush=True)


def _sized_round(company: Company) -> list[tuple[str, int, int]]:
    """The sizes of a round that everybody answers, and of what is left of it."""
    cycle_id = crowds.draft(company, REVIEWS, now=context.now())
    crowds.answer_all(cycle_id)
    open_ = [_sized(table) for table in (Review, Envelope)]
    with context.transaction() as session:
        cycles.close(session, cycle_id, actor_id=None, now=context.now())
    counting.count()
    return open_ + [_sized(table) for table in (Cell, Comment, Report)]


def _sized(table: type[Base]) -> tuple[str, int, int]:
    """The name of a table, how many rows it has, and its bytes; nought on SQLite."""
    with context.reading() as session:
        rows = session.scalar(select(func.count()).select_from(table)) or 0
        if session.get_bind().dialect.name == "sqlite":
            return table.__tablename__, rows, 0
        size = text("SELECT pg_total_relation_size(:name)")
        return table.__tablename__, rows, session.scalar(size, {"name": table.__tablename__}) or 0


if __name__ == "__main__":
    main()
