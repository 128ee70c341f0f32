"""Opening a round of 800 and one of 10,000 reviews with eight raters each: `make bench-openings`.

Each is drafted on a new database, begun as by the button, and opened by the worker's task in a process of its own,
which prints how long it took, its longest transaction, and the most memory that it held.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import timedelta
from pathlib import Path

from flask import current_app
from sqlalchemy import event, func, insert, select
from sqlalchemy.orm import Session

import config as settings
from survey import context
from survey.app import create_app
from survey.core.relationships import Relationship
from survey.services import cycles, drafts
from survey.store.cycles import Cycle, Review, ReviewPage
from survey.store.invitations import Invitation
from survey.store.mailings import Mailing
from survey.store.nominations import Nomination
from survey.store.people import Person
from tasks import cycles as tasks
from tests import servers
from tests.attacks import rounds
from tests.benchmarks.crowds import PEERS, ROOT, settings_of
from tests.company import Company

SIZES = (800, 10_000)


def main() -> None:
    """Prints a line for each size and database."""
    options = argparse.ArgumentParser()
    options.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    options.add_argument("--reviews", type=int, action="append")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        databases = servers.Databases(Path(folder))
        try:
            for database in asked.database or ["sqlite", "postgresql"]:
                for reviews in asked.reviews or SIZES:
                    with rounds.installation(databases, database, Path(folder) / f"{database}-{reviews}"):
                        print(f"{database}, {reviews} reviews of {PEERS} raters:", flush=True)
                        _measure(reviews)
        finally:
            databases.stop()


def _measure(reviews: int) -> None:
    cycle_id = _draft(reviews)
    parts = context.installation()
    with _Watch() as button, context.transaction() as session:
        is_open = cycles.open_(session, cycle_id, parts.keyring, pace=parts.pace, actor_id=None, now=context.now())
    assert not is_open
    print(f"  the button: {button.seconds:.2f} s, at work {button.work:.2f} s", flush=True)
    url = parts.engine.url.render_as_string(hide_password=False)
    own = {"PYTHONPATH": str(ROOT), "SURVEY_BASE_URL": "http://localhost", "SURVEY_MAIL_PACE": "at_once"}
    environ = os.environ | settings_of(current_app, url) | own
    subprocess.run([sys.executable, "-m", "tests.benchmarks.openings", "--work"], env=environ, check=True)
    with context.reading() as session:
        assert session.get_one(Cycle, cycle_id).phase == "open"
        for table in (Invitation, Mailing):
            print(f"  {session.scalar(select(func.count()).select_from(table))} rows in {table.__tablename__}")
        assert session.scalar(select(func.count()).select_from(Invitation)) == reviews * PEERS


def work() -> None:
    """Opens what is begun, as the worker does."""
    app = create_app(settings.load(dict(os.environ)))
    with app.app_context():
        before = _most_memory()
        with _Watch() as watch:
            while not tasks.go_on_opening():
                pass
        after = _most_memory()
        print(
            f"  the worker: {watch.seconds:.2f} s, at work {watch.work:.2f} s; longest transaction "
            f"{watch.longest:.2f} s; memory {before:.0f} MiB before, {after:.0f} MiB at most",
            flush=True,
        )


def _most_memory() -> float:
    """The most that this process has held, in MiB. `getrusage` would count what its parent held when it was forked."""
    (line,) = re.findall(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.M)
    return int(line) / 1024


def _draft(reviews: int) -> uuid.UUID:
    """A round in draft, written past the program: it is not what is measured."""
    company, now = Company(current_app), context.now()
    people = [{"id": uuid.uuid4(), "name": f"Person {n}", "address": f"person{n}@company.test"} for n in range(reviews)]
    for at, person in enumerate(people):  # Every tenth leads the nine after them.
        person["manager_id"] = people[at - at % 10]["id"] if at % 10 else None
    rows = [{"id": uuid.uuid4(), "subject_id": person["id"]} for person in people]
    with context.transaction() as session:
        session.execute(insert(Person), people)
        cycle = drafts.make(
            session, "Spring round", launcher_id=company.ids["marta"], closes_at=now + timedelta(days=14), now=now
        )
        session.execute(insert(Review), [row | {"cycle_id": cycle.id, "is_tallied": False} for row in rows])
        session.execute(
            insert(ReviewPage), [{"review_id": row["id"], "position": 1, "page_id": company.page_id} for row in rows]
        )
        # Everybody is asked by the eight before them: as many people as reviews, each asked about eight.
        session.execute(
            insert(Nomination),
            [
                {"review_id": row["id"], "rater_id": people[at - step]["id"], "relationship": Relationship.PEER}
                for at, row in enumerate(rows)
                for step in range(1, PEERS + 1)
            ],
        )
        return cycle.id


class _Watch:
    """Seconds of the clock and at work, and the longest transaction meanwhile."""

    def __enter__(self) -> _Watch:
        self.longest, self._begun = 0.0, 0.0
        event.listen(Session, "after_begin", self._begin)
        event.listen(Session, "after_transaction_end", self._end)
        self._started, self._worked = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds, self.work = time.perf_counter() - self._started, time.process_time() - self._worked
        event.remove(Session, "after_begin", self._begin)
        event.remove(Session, "after_transaction_end", self._end)

    def _begin(self, *_: object) -> None:
        self._begun = time.perf_counter()

    def _end(self, *_: object) -> None:
        self.longest = max(self.longest, time.perf_counter() - self._begun)


if __name__ == "__main__":
    # The process that works is started by itself, without what the draft held.
    work() if "--work" in sys.argv else main()
