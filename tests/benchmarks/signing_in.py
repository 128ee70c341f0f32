"""The sign-in page and the way in by a mailed link, against the same on bare Flask: `make bench-sign-in`.

16 clients ask for the page; then each reads it, asks for a link, reads the page behind the link and presses its button.
The link is minted as the worker mints it; mail is measured elsewhere. The bare flow is of the same four requests,
pages as large, and stores as many rows; it has no CSRF, session, limit, hash or log. Both run in turns, twice, and the
better turn of each counts. In the end everybody must be signed in, and every link used.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from flask import Flask
from sqlalchemy import func, insert, select

from survey import context
from survey.services import sign_ins
from survey.store.outbox import Mail
from survey.store.people import Person, SignIn, SignInLink
from tests import servers
from tests.attacks import rounds
from tests.benchmarks import answers, bare, clients, crowds
from tests.benchmarks.answers import CLIENTS, TURNS, Turn
from tests.benchmarks.clients import Browser, Reply, expect
from tests.company import Company

PEOPLE = 160
A_PLACE = 40
"""So many ask from one address of loopback: the program takes 60 in ten minutes."""

_CSRF = re.compile(rb'name="csrf_token"[^>]*value="([^"]+)"')


def main() -> None:
    """Prints a table for each database."""
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{CLIENTS} clients, {os.cpu_count()} processors that server and clients share; load averages {load}\n")
    with tempfile.TemporaryDirectory() as folder, servers.redis_server() as redis:
        databases = servers.Databases(Path(folder))
        try:
            for kind in ("postgresql", "sqlite"):
                with rounds.installation(databases, kind, Path(folder)) as app:
                    run(app, kind, Path(folder), redis)
        finally:
            databases.stop()


def run(app: Flask, kind: str, folder: Path, redis: str) -> None:
    """Prints what was measured on this installation. Raises AssertionError where somebody was not let in."""
    Company(app)
    links = _links(TURNS * PEOPLE)
    url = context.installation().engine.url.render_as_string(hide_password=False)
    bare.metadata.create_all(context.installation().engine)
    settings = crowds.settings_of(app, url) | {"SURVEY_REDIS_URL": redis}
    with asyncio.Runner() as loop, crowds.serving(settings, folder / f"{kind}.log") as server:
        size = len(loop.run(_page(server.port)).body)
        floor = {"BARE_DATABASE": url, "BARE_SIZE": str(size)}
        with crowds.serving(floor, folder / f"bare-{kind}.log", app="tests.benchmarks.bare:create_app()") as plain:
            found: dict[str, list[Turn]] = {}
            for turn in range(TURNS):
                mine = list(enumerate(links))[turn * PEOPLE : (turn + 1) * PEOPLE]
                work: dict[str, list[Callable[[], Awaitable[object]]]] = {
                    "bare page": [lambda: _page(plain.port)] * PEOPLE,
                    "sign-in page": [lambda: _page(server.port)] * PEOPLE,
                    "bare flow": [lambda: _bare_flow(plain.port)] * PEOPLE,
                    "sign-in": [
                        lambda number=number, link=link: _flow(server.port, number, *link) for number, link in mine
                    ],
                }
                for what, these in work.items():
                    found.setdefault(what, []).append(answers.taken(loop, these))
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(SignIn)) == len(links), "everybody is signed in"
        assert session.scalar(select(func.count()).select_from(SignInLink)) == 0, "every link is used"
        assert session.scalar(select(func.count()).select_from(Mail)) == len(links), "everybody gets a mail"
    best = {what: max(turns, key=lambda turn: turn.rate) for what, turns in found.items()}
    answers.show(kind, size, best)
    print(f"  sign-in page ÷ bare page: {best['sign-in page'].rate / best['bare page'].rate:.2f}")
    print(f"  sign-in ÷ bare flow: {best['sign-in'].rate / best['bare flow'].rate:.2f}\n", flush=True)


def _links(number: int) -> list[tuple[str, str]]:
    """Addresses of new people, each with the secret of a link."""
    addresses = [f"person{place}.{uuid.uuid4().hex}@company.test" for place in range(number)]
    with context.transaction() as session:
        session.execute(insert(Person), [{"name": "Somebody", "address": address} for address in addresses])
        life = timedelta(minutes=10)
        return [(each, sign_ins.link(session, each, now=context.now(), life=life)) for each in addresses]


async def _page(port: int) -> Reply:
    browser = Browser(port)
    page = expect(await browser.get("/sign-in"), 200)
    await browser.close()
    return page


async def _flow(port: int, number: int, address: str, token: str) -> None:
    browser = Browser(port, place=f"127.0.1.{1 + number // A_PLACE}")
    page = expect(await browser.get("/sign-in"), 200)
    expect(await browser.post("/sign-in", [("csrf_token", _csrf(page)), ("address", address)]), 200)
    page = expect(await browser.get(f"/sign-in/{token}"), 200)
    expect(await browser.post(f"/sign-in/{token}", [("csrf_token", _csrf(page))]), 303)
    await browser.close()


async def _bare_flow(port: int) -> None:
    browser = Browser(port)
    expect(await browser.get("/sign-in"), 200)
    expect(await browser.post("/sign-in", [("address", "ana@company.test")]), 200)
    expect(await browser.get("/sign-in"), 200)
    expect(await browser.post(f"/enter/{uuid.uuid4()}", []), 303)
    await browser.close()


def _csrf(page: Reply) -> str:
    found = _CSRF.search(page.body)
    if found is None:
        raise clients.Failed("a page without its form")
    return found.group(1).decode()


if __name__ == "__main__":
    main()
