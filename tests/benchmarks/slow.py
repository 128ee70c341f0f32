"""A storm of slow senders while people answer: `make bench-slow`.

50 raters answer, and 500 connections have each sent a part of a request and do not go on, of every kind that
tests/attacks/slow.py knows. Then others answer without the storm. The web server is the one of the container. Every
stored envelope is opened and compared with what was sent.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from contextlib import ExitStack
from pathlib import Path

from flask import Flask

from survey import context
from tests import servers
from tests.attacks import rounds, slow
from tests.benchmarks import clients, crowds
from tests.benchmarks.clients import Rater
from tests.company import Company

RATERS, SENDERS = 50, 500


def main() -> None:
    """Prints a line for each database, with the storm and without."""
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{RATERS} raters at once, from the link to the thanks; {SENDERS} slow senders; load averages {load}\n")
    print(f"{'':<14}{'':<16}{'answers lost':>14}{'p50':>10}{'p95':>8}{'p99':>8}   senders left")
    with tempfile.TemporaryDirectory() as folder:
        databases = servers.Databases(Path(folder))
        try:
            for kind in ("postgresql", "sqlite"):
                with rounds.installation(databases, kind, Path(folder)) as app:
                    _run(app, kind, Path(folder))
        finally:
            databases.stop()


def _run(app: Flask, kind: str, folder: Path) -> None:
    crowd = crowds.gather(Company(app), 2 * RATERS)
    url = context.installation().engine.url.render_as_string(hide_password=False)
    with crowds.serving(crowds.settings_of(app, url), folder / f"{kind}.log") as server:
        raters = crowd.raters(server.port)[: 2 * RATERS]
        _show(kind, "in the storm", raters[:RATERS], *_in_the_storm(server.port, raters[:RATERS]))
        asyncio.run(_all_answer(raters[RATERS:]))
        _show(kind, "without", raters[RATERS:], 0, 0)
    problem = crowds.compared([rater.sent for rater in raters if rater.sent is not None], crowd.cycle_id)
    assert not problem, problem


def _in_the_storm(port: int, raters: list[Rater]) -> tuple[int, int]:
    """Has these raters answer meanwhile; how many senders there were, and how many the server kept waiting."""
    with ExitStack() as stack:
        lines = []
        for begun in slow.KINDS.values():
            lines += stack.enter_context(slow.senders(port, SENDERS // len(slow.KINDS) + 1, begun))
        asyncio.run(_all_answer(raters))
        return len(lines), slow.still_open(lines)


async def _all_answer(raters: list[Rater]) -> None:
    dice = random.Random(RATERS)
    await asyncio.gather(*(rater.do(_answer(rater, dice)) for rater in raters))


async def _answer(rater: Rater, dice: random.Random) -> None:
    await rater.enter()
    await rater.answer(clients.made_up(rater.questionnaire, dice))
    await rater.browser.close()


def _show(kind: str, when: str, raters: list[Rater], senders: int, left: int) -> None:
    lost = sum(rater.sent is None for rater in raters)
    p50, p95, p99 = clients.quantiles([seconds for rater in raters for seconds in rater.browser.times] or [0.0])
    storm = f"{left} of {senders}" if senders else ""
    print(f"{kind:<14}{when:<16}{lost:>14}{p50:>7.0f} ms{p95:>8.0f}{p99:>8.0f}   {storm}", flush=True)
    for error in sorted({rater.error for rater in raters if rater.error}):
        print(f"  {error}")


if __name__ == "__main__":
    main()
