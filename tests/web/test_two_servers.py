"""Two web servers on one database, with nothing in front that keeps people on one of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta

import pytest

from survey import context
from survey.core.responses import Answers
from survey.services import sign_ins
from tests import servers
from tests.attacks import rounds
from tests.benchmarks import clients, crowds
from tests.benchmarks.clients import Rater, expect
from tests.benchmarks.crowds import Crowd
from tests.company import Company, csrf

pytestmark = pytest.mark.processes


def test_what_one_server_shows_another_one_takes(two):
    crowd, ports = two
    rater = crowd.raters(ports[0])[0]
    answers = clients.made_up(rater.questionnaire, random.Random(1))
    some = Answers({}, dict(list(answers.comments.items())[:1]))
    address = f"/feedback/{rater.invitation}"

    async def walk() -> None:
        at = _turns(rater, ports)
        page = expect(await at().get(f"/r/{rater.token}"), 200)
        expect(await at().post(f"/r/{rater.token}", [("csrf_token", csrf(page.body.decode()))]), 303)
        page = expect(await at().get(address), 200)
        expect(await at().post(address, rater.fields(page, some, action="save")), 200)
        page = expect(await at().get(address), 200)
        assert next(iter(some.comments.values())) in page.body.decode(), "what was saved at the other one"
        moved = expect(await at().post(address, rater.fields(page, answers)), 303)
        assert "Thank you" in expect(await at().get(moved.header(b"location")), 200).body.decode()
        await rater.browser.close()

    _run(walk)
    assert crowds.compared([answers], crowd.cycle_id) == ""


def test_who_signs_in_at_one_server_is_known_to_the_other(two):
    crowd, ports = two
    with context.transaction() as session:
        token = sign_ins.link(session, "noor@company.test", now=context.now(), life=timedelta(minutes=10))
    browser = crowd.raters(ports[0])[0]

    async def walk() -> None:
        at = _turns(browser, ports)
        page = expect(await at().get(f"/sign-in/{token}"), 200)
        expect(await at().post(f"/sign-in/{token}", [("csrf_token", csrf(page.body.decode()))]), 303)
        for _ in ports:
            assert "Noor Haddad" in expect(await at().get("/account"), 200).body.decode()
        page = expect(await at().get("/account"), 200)
        expect(await at().post("/sign-out", [("csrf_token", csrf(page.body.decode()))]), 303)
        for _ in ports:
            expect(await at().get("/account"), 303)
        await browser.browser.close()

    _run(walk)


def _turns(rater: Rater, ports: tuple[int, int]) -> Callable[[], clients.Browser]:
    """Gives the browser, each time on its way to the other server."""
    number = 0

    def at() -> clients.Browser:
        nonlocal number
        number += 1
        rater.browser.move(ports[number % 2])
        return rater.browser

    return at


def _run(walk: Callable[[], Awaitable[None]]) -> None:
    # In a thread: where a browser was driven before, this one has an event loop already.
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(lambda: asyncio.run(walk())).result()


@pytest.fixture(scope="module")
def two(
    databases: servers.Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Crowd, tuple[int, int]]]:
    """An open round, and the ports of two servers of its installation."""
    folder = tmp_path_factory.mktemp("two")
    with rounds.installation(databases, "postgresql", folder) as app:
        crowd = crowds.gather(Company(app), 8)
        settings = crowds.settings_of(app, context.installation().engine.url.render_as_string(hide_password=False))
        logs = [folder / "one.log", folder / "other.log"]
        with ExitStack() as stack, ThreadPoolExecutor(2) as both:
            ports = both.map(lambda log: stack.enter_context(crowds.serving(settings, log, workers=1)).port, logs)
            yield crowd, tuple(ports)
