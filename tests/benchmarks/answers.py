"""The rater's page and the whole answer, against the same on bare Flask: `make bench-answers`.

The web server is the one of the container. 16 clients read the page, send a complete form and read the thanks; before
that each has followed a link. The bare flow does the same without any of the program's work and stores 18 rows for
each answer. Both run in turns, twice, and the better turn of each counts, since whatever else runs on the machine can
only take time away. Every stored envelope is opened and compared with what was sent.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from flask import Flask
from sqlalchemy import make_url

from survey import context
from survey.core.responses import PACKED_SIZE
from tests import servers
from tests.attacks import rounds
from tests.benchmarks import bare, clients, crowds
from tests.benchmarks.clients import Browser, Rater
from tests.company import Company

CLIENTS, ANSWERS, TURNS = 16, 160, 2
SEALED = PACKED_SIZE + 48
BOX = b"x" * SEALED


@dataclass(frozen=True)
class Turn:
    """Some work done by 16 clients: how often a second, how long each took, and the client's share of a processor."""

    rate: float
    times: tuple[float, ...]
    client: float


def main() -> None:
    """Prints a table for each database."""
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{CLIENTS} clients, {os.cpu_count()} processors that server and clients share; load averages {load}\n")
    with tempfile.TemporaryDirectory() as folder:
        databases = servers.Databases(Path(folder))
        try:
            for kind in ("postgresql", "sqlite"):
                with rounds.installation(databases, kind, Path(folder)) as app:
                    run(app, kind, Path(folder), answers=ANSWERS)
        finally:
            databases.stop()


def run(app: Flask, kind: str, folder: Path, *, answers: int) -> None:
    """Prints what was measured on this installation; raises AssertionError where an answer was lost."""
    crowd = crowds.gather(Company(app), 2 * answers * TURNS)
    url = context.installation().engine.url.render_as_string(hide_password=False)
    bare.metadata.create_all(context.installation().engine)
    with asyncio.Runner() as loop, crowds.serving(crowds.settings_of(app, url), folder / f"{kind}.log") as server:
        raters = crowd.raters(server.port)
        loop.run(_enter(raters))
        size = len(loop.run(_one_page(raters[-1])))
        floor = {"BARE_DATABASE": url, "BARE_SIZE": str(size)}
        with crowds.serving(floor, folder / f"bare-{kind}.log", app="tests.benchmarks.bare:create_app()") as plain:
            found: dict[str, list[Turn]] = {}
            for turn in range(TURNS):
                mine = raters[turn * answers : (turn + 1) * answers]
                rest = raters[-answers:]
                found.setdefault("bare page", []).append(taken(loop, [lambda: _bare_page(plain.port)] * answers))
                found.setdefault("rater page", []).append(taken(loop, [rater.read for rater in rest]))
                found.setdefault("bare flow", []).append(taken(loop, [lambda: _bare_flow(plain.port)] * answers))
                found.setdefault("complete answer", []).append(taken(loop, list(_answering(mine))))
    problem = crowds.compared([rater.sent for rater in raters if rater.sent is not None], crowd.cycle_id)
    assert not problem, problem
    best = {what: max(turns, key=lambda turn: turn.rate) for what, turns in found.items()}
    show(kind, size, best)
    print(f"  bare INSERT of an envelope, one commit, one connection: {bare_inserts(url):.0f} a second")
    print(f"  rater page ÷ bare page: {best['rater page'].rate / best['bare page'].rate:.2f}")
    print(f"  complete answer ÷ bare flow: {best['complete answer'].rate / best['bare flow'].rate:.2f}")
    print(f"  {TURNS * answers} stored answers were opened and are what was sent\n", flush=True)


def show(kind: str, size: int, best: dict[str, Turn]) -> None:
    """Prints a line for each kind of work."""
    print(f"{kind:<20}{'per second':>12}{'p50':>10}{'p95':>8}{'p99':>8}{'client':>8}   page of {size} bytes")
    for what, turn in best.items():
        p50, p95, p99 = clients.quantiles(turn.times)
        print(f"  {what:<18}{turn.rate:>12.1f}{p50:>7.0f} ms{p95:>8.0f}{p99:>8.0f}{turn.client:>8.2f}")


def _answering(raters: list[Rater]) -> Iterator[Callable[[], Awaitable[object]]]:
    dice = random.Random(len(raters))
    for rater in raters:
        answers = clients.made_up(rater.questionnaire, dice)
        yield lambda rater=rater, answers=answers: rater.answer(answers)


def taken(loop: asyncio.Runner, work: list[Callable[[], Awaitable[object]]]) -> Turn:
    """Does all of this, 16 at a time."""
    times: list[float] = []
    waiting = list(work)

    async def client() -> None:
        while waiting:
            one = waiting.pop()
            started = time.perf_counter()
            await one()
            times.append(time.perf_counter() - started)

    async def everybody() -> None:
        _browsers.clear()
        await asyncio.gather(*(client() for _ in range(CLIENTS)))

    spent = clients.together(everybody, run=loop.run)
    return Turn(len(work) / spent.seconds, tuple(times), spent.client)


_browsers: list[Browser] = []


async def _bare_page(port: int) -> None:
    browser = _browsers.pop() if _browsers else Browser(port)
    clients.expect(await browser.get("/page"), 200)
    _browsers.append(browser)


async def _bare_flow(port: int) -> None:
    browser = _browsers.pop() if _browsers else Browser(port)
    clients.expect(await browser.get("/page"), 200)
    fields = [(f"rating-{item}", "3") for item in range(14)]
    fields += [(f"comment-{item}", "what I would say about that. " * 3) for item in range(3)]
    clients.expect(await browser.post("/page", fields), 303)
    clients.expect(await browser.get("/thanks"), 200)
    _browsers.append(browser)


async def _enter(raters: list[Rater]) -> None:
    for start in range(0, len(raters), CLIENTS):
        group = raters[start : start + CLIENTS]
        await asyncio.gather(*(rater.enter() for rater in group))
        await asyncio.gather(*(rater.browser.close() for rater in group))


async def _one_page(rater: Rater) -> bytes:
    page = await rater.read()
    await rater.browser.close()
    return page.body


def bare_inserts(url: str, *, count: int = 200) -> float:
    """Envelopes a second: one row, one commit, one connection, the driver alone."""
    where = make_url(url)
    table = "bare_envelope (id CHAR(36) PRIMARY KEY, box "
    if where.get_backend_name() == "sqlite":
        connection: sqlite3.Connection | psycopg.Connection = sqlite3.connect(str(where.database))
        connection.execute(f"CREATE TABLE {table} BLOB)")
        statement = "INSERT INTO bare_envelope VALUES (?, ?)"
    else:
        connection = psycopg.connect(where.set(drivername="postgresql").render_as_string(hide_password=False))
        connection.execute(f"CREATE TABLE {table} BYTEA)")
        statement = "INSERT INTO bare_envelope VALUES (%s, %s)"
    connection.commit()
    started = time.perf_counter()
    for _ in range(count):
        connection.execute(statement, (str(uuid.uuid4()), BOX))
        connection.commit()
    seconds = time.perf_counter() - started
    connection.close()
    return count / seconds


if __name__ == "__main__":
    main()
