"""The tally of 1,000, 10,000 and 100,000 envelopes by one worker, beside the floor in the same run: `make bench-tally`.

Each step is a process of its own, so that its largest memory is its own too. The tasks are those of the program, in
the order in which the queue would hand them out, from the first sweep to the note that the key is destroyed; the queue
is a list. The floor is opening and parsing the same boxes in a loop. In the end every stored figure and comment is
compared with what was sent: what each rater said is made by dice of their own, and made again for that.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from flask import current_app
from sqlalchemy import func, insert, select

from survey import context
from survey.core.questionnaires import Questionnaire
from survey.core.relationships import Relationship
from survey.core.responses import Answers, Response
from survey.services import cycles
from survey.store import envelopes
from survey.store.base import Base
from survey.store.cycles import Cycle, Review
from survey.store.envelopes import Envelope
from survey.store.people import Person
from survey.store.reports import Cell, Comment, Report
from tasks import tally
from tests import servers
from tests.attacks import rounds
from tests.benchmarks import clients, crowds
from tests.benchmarks.crowds import PEERS
from tests.company import Company

ENVELOPES = (1_000, 10_000, 100_000)
CHUNK = 250
"""So many reviews are made, and looked at, at a time."""

Taken = dict[str, tuple[float, float]]
"""Seconds of the clock and seconds at work, by kind of work."""


def main() -> None:
    """Prints a table for each database that was asked for; or, for one step, what a process of its own found."""
    options = argparse.ArgumentParser()
    options.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    options.add_argument("--steps", type=int, default=len(ENVELOPES), help="how many of 1,000, 10,000 and 100,000")
    options.add_argument("--alone", type=int, help="one step, of so many envelopes, in this process")
    asked = options.parse_args()
    for kind in asked.database or ["sqlite", "postgresql"]:
        if asked.alone:
            print(json.dumps(alone(kind, asked.alone // PEERS)))
        else:
            show(kind, [_in_a_process(kind, number) for number in ENVELOPES[: asked.steps]])


def _in_a_process(kind: str, number: int) -> dict[str, Any]:
    words = [sys.executable, "-m", "tests.benchmarks.counts", "--database", kind, "--alone", str(number)]
    done = subprocess.run(words, cwd=crowds.ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def show(kind: str, steps: Sequence[dict[str, Any]]) -> None:
    """Prints what the steps took."""
    print(f"{kind}: seconds of the clock (at work in the worker); at work by envelope; times the floor; exponent")
    for what in steps[0]["taken"]:
        before = None
        for step in steps:
            clock, work = step["taken"][what]
            grown = (
                "" if before is None else f"{math.log(work / before[1]) / math.log(step['envelopes'] / before[0]):.2f}"
            )
            before = (step["envelopes"], work)
            print(
                f"  {what:<22}{step['envelopes']:>8} envelopes {clock:>8.2f} s ({work:>7.2f}) "
                f"{1e6 * work / step['envelopes']:>7.0f} µs {work / step['taken']['floor'][1]:>6.2f} x  {grown}"
            )
    for step in steps:
        number, (clock, work) = step["envelopes"], step["taken"]["all of it"]
        print(
            f"  {number:>8} envelopes: {number / clock:,.0f} a second, {number / work:,.0f} at work; the server's work "
            f"{step['server']:.1f} s; memory {step['before']:.0f} MiB before and {step['peak']:.0f} at most; "
            f"{step['compared']:,} figures and comments are what was sent"
        )


def alone(kind: str, reviews: int) -> dict[str, Any]:
    """Makes a closed round of so many reviews, has it counted, and compares."""
    with tempfile.TemporaryDirectory() as folder:
        databases = servers.Databases(Path(folder))
        try:
            with rounds.installation(databases, kind, Path(folder)):
                parts = context.installation()
                current_app.extensions[context.EXTENSION] = replace(parts, ring=lambda task: None)
                cycle_id, made = closed(reviews)
                taken: Taken = {"floor": floor(cycle_id)}
                before, served = _peak(), _served()
                taken |= counted()
                found = {"envelopes": reviews * PEERS, "taken": taken, "before": before, "peak": _peak()}
                found |= {"server": _served() - served, "compared": compared(cycle_id, made)}
                return found
        finally:
            databases.stop()


def closed(reviews: int) -> tuple[uuid.UUID, dict[uuid.UUID, int]]:
    """A closed round in which everybody answered, and the number of each of its reviews.

    One review is made as people make it, and opened; the others are copies of it about other people.
    """
    company = Company(current_app)
    cycle_id, first = company.open(
        dict.fromkeys(("ana", "ben", "chloe", "dev", "ewa", "farid", "grace", "hugo"), Relationship.PEER)
    )
    made = {uuid.uuid4(): number for number in range(1, reviews)}
    tables = Base.metadata.tables
    with context.transaction() as session:
        pattern = session.execute(select(*tables["review"].c).where(tables["review"].c.id == first)).mappings().one()
        page = session.execute(select(*tables["review_page"].c)).mappings().one()
        people = [
            {"id": uuid.uuid4(), "name": f"Person {each}", "address": f"{each}@company.test"} for each in made.values()
        ]
        session.execute(insert(Person), people) if people else None
        for some in _chunks(list(zip(made, people, strict=True))):
            subjects = [{**pattern, "id": about, "subject_id": person["id"]} for about, person in some]
            session.execute(insert(tables["review"]), subjects)
            session.execute(insert(tables["review_page"]), [{**page, "review_id": about} for about, _ in some])
    made[first] = 0
    with context.reading() as session:
        public_key = session.get_one(Cycle, cycle_id).public_key
        asked = cycles.questionnaire(session.get_one(Review, first))
    for some in _chunks(list(made.items())):
        with context.transaction() as session:
            session.execute(
                insert(tables["envelope"]),
                [
                    {"id": uuid.uuid4(), "review_id": about, "box": envelopes.seal(response, public_key)}
                    for about, number in some
                    for response in said(asked, number)
                ],
            )
    with context.transaction() as session:
        cycles.close(session, cycle_id, actor_id=None, now=context.now())
    return cycle_id, made


def said(asked: Questionnaire, number: int) -> list[Response]:
    """What the peers of the review with this number answer: the same at every call."""
    dice, own = random.Random(number), asked.for_rater(Relationship.PEER)
    return [Response(Relationship.PEER, clients.made_up(own, dice)) for _ in range(PEERS)]


def floor(cycle_id: uuid.UUID) -> tuple[float, float]:
    """What opening and parsing every box takes; reading them from the database is not in it."""
    key, clock, work = context.installation().keyring.read(cycle_id), 0.0, 0.0
    with context.reading() as session:
        rows = session.execute(select(Envelope.box).execution_options(yield_per=CHUNK * PEERS))
        for boxes in rows.scalars().partitions():
            started, worked = time.perf_counter(), time.process_time()
            for box in boxes:
                envelopes.unseal(box, key)
            clock, work = clock + time.perf_counter() - started, work + time.process_time() - worked
    return clock, work


def counted() -> Taken:
    """What each kind of task took, from the first sweep until nothing is left to do."""
    taken: dict[str, tuple[float, float]] = dict.fromkeys(("sweep", "measure", "count", "build"), (0.0, 0.0))
    with _queue() as queue:
        queue.append((tally.sweep, ()))
        while queue:
            task, arguments = queue.popleft()
            name = task.name.rpartition(".")[2]
            started, worked = time.perf_counter(), time.process_time()
            task.run(*arguments)
            clock, work = taken[name]
            taken[name] = (clock + time.perf_counter() - started, work + time.process_time() - worked)
            if task is tally.measure:
                queue.append((tally.sweep, ()))
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(Envelope)) == 0
        assert session.scalars(select(Cycle.is_key_destroyed)).all() == [True]
    clocks, works = zip(*taken.values(), strict=True)
    return taken | {"all of it": (sum(clocks), sum(works))}


@contextmanager
def _queue() -> Iterator[deque[tuple[Any, tuple[str, ...]]]]:
    """Messages in the order in which they are sent, as the broker keeps them."""
    queue: deque[tuple[Any, tuple[str, ...]]] = deque()

    def put(task: Any) -> Callable[..., None]:
        return lambda *arguments: queue.append((task, arguments))

    tasks = (tally.measure, tally.count, tally.build)
    for task in tasks:
        task.delay = put(task)
    try:
        yield queue
    finally:
        for task in tasks:
            del task.delay


def compared(cycle_id: uuid.UUID, made: dict[uuid.UUID, int]) -> int:
    """How many figures and comments are stored. Raises AssertionError unless they are those of what was sent."""
    found = 0
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(Report)) == len(made)
        asked = cycles.questionnaire(session.get_one(Review, next(iter(made))))
        for some in _chunks(list(made.items())):
            ids = [about for about, _ in some]
            cells, comments = defaultdict(set), defaultdict(list)
            for cell in session.scalars(select(Cell).where(Cell.review_id.in_(ids))):
                value = cell.as_value()
                cells[cell.review_id].add((value.item, value.n, value.total, value.counts))
            for row in session.execute(
                select(Comment.review_id, Comment.item, Comment.text).where(Comment.review_id.in_(ids))
            ):
                comments[row.review_id].append((row.item, row.text))
            for about, number in some:
                sent = [response.answers for response in said(asked, number)]
                wrote = sorted((item, text) for answers in sent for item, text in answers.comments.items())
                assert sorted(comments[about]) == wrote
                _compare(cells[about], asked, sent)
                found += len(wrote) + len(cells[about])
            session.expunge_all()
    return found


def _compare(cells: set[tuple[Any, ...]], asked: Questionnaire, sent: Sequence[Answers]) -> None:
    """Cells of six and more are exact; of four and five the number is, and the sum where there is one; else none is."""
    stored = {item: rest for item, *rest in cells}
    for item in asked.items:
        if item.scale is None:
            continue
        ratings = [rating for answers in sent if (rating := answers.ratings.get(item.key)) is not None]
        n, total, counts = stored.pop(item.key, [0, None, None])
        assert n == (len(ratings) if len(ratings) >= 4 else 0)
        assert total in {None, sum(ratings)}
        if n >= 6:
            assert counts == tuple(ratings.count(point) for point in range(1, item.scale.points + 1))
    assert not stored


def _chunks(everything: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (everything[first : first + CHUNK] for first in range(0, len(everything), CHUNK))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _served() -> float:
    """Seconds at work of the PostgreSQL behind this installation, its process for our connection first of all."""
    engine = context.installation().engine
    if engine.dialect.name == "sqlite":
        return 0.0
    with engine.connect() as connection:
        own = psutil.Process(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
    family = own.parent().children()  # type: ignore[union-attr]
    return float(sum(sum(each.cpu_times()[:2]) for each in family))


if __name__ == "__main__":
    main()
