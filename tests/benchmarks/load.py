"""Everybody at once: `make load`.

300 raters on SQLite and 2,000 on PostgreSQL follow their links in the same second, each on a connection of their own,
against the web server as the container starts it. Each reads the start page, enters, reads the form, sends it complete,
and reads the thanks, without a pause. In the end every envelope is opened and compared with what was sent.

Server and client share the processors of one machine; figures of other runs say nothing about this one.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from survey import context
from tests import servers
from tests.attacks import rounds
from tests.benchmarks import clients, crowds
from tests.benchmarks.clients import Rater
from tests.company import Company

SIZES = {"sqlite": 300, "postgresql": 2_000}


def main() -> int:
    """Prints a row for each database, and what went wrong. 1 if something did."""
    print(f"{'database':<12}{'raters':>7}{'errors':>8}{'lost':>6}{'seconds':>9}{'answers/s':>11}", end="")
    print(f"{'request p50':>13}{'p95':>8}{'p99':>8}{'client':>8}{'server':>8}   of {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as folder:
        databases = servers.Databases(Path(folder))
        try:
            problems = [
                problem for kind, size in SIZES.items() for problem in run(databases, kind, size, Path(folder) / kind)
            ]
        finally:
            databases.stop()
    print("\n".join(problems))
    return 1 if problems else 0


def run(databases: servers.Databases, kind: str, size: int, folder: Path) -> list[str]:
    """What went wrong with so many raters at once on a new database of this kind; prints its row."""
    folder.mkdir()
    with rounds.installation(databases, kind, folder) as app:
        crowd = crowds.gather(Company(app), size)
        url = context.installation().engine.url.render_as_string(hide_password=False)
        with crowds.serving(crowds.settings_of(app, url), folder / "web.log") as server:
            raters = crowd.raters(server.port)
            busy = server.busy()
            spent = clients.together(lambda: all_at_once(raters))
            served = (server.busy() - busy) / spent.seconds
        errors = [rater.error for rater in raters if rater.error]
        problem = crowds.compared([rater.sent for rater in raters if rater.sent is not None], crowd.cycle_id)
    p50, p95, p99 = clients.quantiles([seconds for rater in raters for seconds in rater.browser.times])
    print(
        f"{kind:<12}{len(raters):>7}{len(errors):>8}{problem or 'none':>6}{spent.seconds:>9.1f}"
        f"{len(raters) / spent.seconds:>11.1f}{p50:>10.0f} ms{p95:>8.0f}{p99:>8.0f}{spent.client:>8.2f}{served:>8.2f}",
        flush=True,
    )
    return [f"{kind}: {count} × {error}" for error, count in Counter(errors).items()] + (
        [f"{kind}: {problem}"] if problem else []
    )


async def all_at_once(raters: list[Rater]) -> None:
    """Every rater from the link to the thanks, none waiting for another."""
    dice = random.Random(len(raters))
    await asyncio.gather(*(rater.do(_whole_way(rater, dice)) for rater in raters))


async def _whole_way(rater: Rater, dice: random.Random) -> None:
    await rater.enter()
    await rater.answer(clients.made_up(rater.questionnaire, dice))
    await rater.browser.close()


if __name__ == "__main__":
    sys.exit(main())
