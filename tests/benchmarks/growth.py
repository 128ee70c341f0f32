"""How the work of a round grows with the round: `make bench-growth`, once for 1, 10 and 100 times the reviews.

Launch, mail, the sweep over a table of which nothing is due, the tally of reviews and of the cycle; beside the tally
the floor of opening and parsing the same boxes, beside the mail that of an SMTP loop on one connection. Seconds are of
the clock, and beside them of this process's own work, which other programs of the machine disturb less. The exponent
is that of the last step: 1.0 grows as the work does.
"""

from __future__ import annotations

import argparse
import math
import random
import resource
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from flask import current_app
from sqlalchemy import func, insert, select, update

from survey import context
from survey.core.relationships import Relationship
from survey.core.responses import Response
from survey.services import cycles, mailings, tally
from survey.store import envelopes
from survey.store.cycles import Cycle, Review
from survey.store.envelopes import Envelope
from survey.store.invitations import Invitation, InvitationToken, State
from survey.store.outbox import Mail
from tasks import outbox
from tests import counting, installations, servers
from tests.attacks import rounds
from tests.benchmarks import clients, crowds
from tests.benchmarks.crowds import PEERS
from tests.company import Company

REVIEWS = 10
STEPS = (1, 10, 100)


@dataclass
class Table:
    """What was measured: for each kind of work its units, seconds of the clock and seconds at work, step by step."""

    rows: dict[str, list[tuple[int, float, float]]] = field(default_factory=dict)

    def time(self, what: str, units: int, work: Callable[[], object]) -> None:
        """Does this work and notes what it took."""
        started, worked = time.perf_counter(), time.process_time()
        work()
        taken = (units, time.perf_counter() - started, time.process_time() - worked)
        self.rows.setdefault(what, []).append(taken)

    def show(self) -> None:
        """Prints a line for each kind of work."""
        for what, steps in self.rows.items():
            cells = "".join(f"{units:>9} in {clock:>7.2f} s ({work:>6.2f})" for units, clock, work in steps)
            units, _, work = steps[-1]
            print(f"  {what:<28}{cells}   {units / work:>8.0f} a second at work, exponent {exponent(steps)}")


def exponent(steps: list[tuple[int, float, float]]) -> str:
    """By which power of the units the work grew in the last step."""
    if len(steps) < 2:
        return "-"
    (few, _, before), (many, _, after) = steps[-2:]
    return f"{math.log(after / before) / math.log(many / few):.2f}"


def main() -> None:
    """Prints a table for the database that was asked for."""
    options = argparse.ArgumentParser()
    options.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    options.add_argument("--steps", type=int, default=len(STEPS), help="how many of 1, 10 and 100 times")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        databases = servers.Databases(Path(folder))
        try:
            table = Table()
            for step in STEPS[: asked.steps]:
                with rounds.installation(databases, asked.database, Path(folder)), sink() as port:
                    once(table, REVIEWS * step, port)
            print(f"{asked.database}: seconds of the clock, and in brackets at work in the program")
            table.show()
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"  largest memory of the process in all of this: {peak:.0f} MiB")
        finally:
            databases.stop()


def once(table: Table, reviews: int, port: int) -> None:
    """Takes one round of so many reviews from the launch to the reports."""
    settings = current_app.extensions["config"]
    current_app.extensions["config"] = replace(settings, smtp_port=port)
    parts = context.installation()
    current_app.extensions[context.EXTENSION] = replace(parts, ring=lambda task: None)
    company, people = Company(current_app), reviews * PEERS
    cycle_id = crowds.draft(company, reviews, now=context.now())
    table.time("launch, by invitation", people, lambda: crowds.launch(cycle_id))
    table.time("mail through the outbox", people, lambda: _send_all(people))
    table.time("sweep with nothing due", people, lambda: [_look() for _ in range(20)])
    table.time("floor: SMTP, one connection", people, lambda: _bare_smtp(port, people))
    _answer_all(cycle_id)
    key = parts.keyring.read(cycle_id)
    with context.reading() as session:
        boxes = session.scalars(select(Envelope.box)).all()
    table.time("floor: open and parse", people, lambda: [envelopes.unseal(box, key) for box in boxes])
    with context.transaction() as session:
        cycles.close(session, cycle_id, actor_id=None, now=context.now())
    with context.transaction() as session:
        table.time("measure, by envelope", people, lambda: tally.measure(session, cycle_id, parts.keyring))
    with context.reading() as session:
        waiting = tally.waiting(session)
    assert sum(len(review_ids) for review_ids in waiting) == reviews

    def count() -> None:
        for review_ids in waiting:
            with context.transaction() as session:
                tally.count(session, review_ids, parts.keyring)

    table.time("tally, by envelope", people, count)
    table.time("reports, by review", reviews, counting.build)
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(Envelope)) == 0


def _send_all(people: int) -> None:
    sent = 0
    while out := outbox.sweep():
        sent += out
    assert sent == people, f"{sent} mails for {people} people"


def _look() -> None:
    with context.transaction() as session:
        assert mailings.gather(session, pace=context.installation().pace, now=context.now()) == 0


def _bare_smtp(port: int, count: int) -> None:
    message = b"Subject: Hello\r\nTo: ana@company.test\r\n\r\n" + (b"x" * 74 + b"\r\n") * 60
    with smtplib.SMTP("127.0.0.1", port) as connection:
        for _ in range(count):
            connection.sendmail("feedback@company.test", ["ana@company.test"], message)


def _answer_all(cycle_id: uuid.UUID) -> None:
    """Everybody has answered: written as the program does, without its way through the web."""
    dice = random.Random(360)
    with context.transaction() as session:
        cycle = session.get_one(Cycle, cycle_id)
        reviews = session.scalars(select(Review).where(Review.cycle_id == cycle_id)).all()
        for review in reviews:
            asked = cycles.questionnaire(review).for_rater(Relationship.PEER)
            session.execute(
                insert(Envelope),
                [
                    {
                        "review_id": review.id,
                        "box": envelopes.seal(
                            Response(Relationship.PEER, clients.made_up(asked, dice)), cycle.public_key
                        ),
                    }
                    for _ in range(PEERS)
                ],
            )
        session.execute(update(Invitation).values(state=State.DONE))
        session.query(InvitationToken).delete()
        session.query(Mail).delete()


@contextmanager
def sink():
    """The port of an SMTP server in another process."""
    port = servers.free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.sink", str(port)], cwd=crowds.ROOT)
    try:
        installations.wait_until(lambda: _listens(port), 20, "the SMTP sink")
        yield port
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
