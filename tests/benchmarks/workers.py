"""What a second worker adds, and a third and a fourth: `make bench-workers`.

1, 2 and 4 Celery workers with one child each, as on so many machines, beside a beat, a redis and a PostgreSQL that
waits for the disk. A round is opened, and its mail goes to an SMTP sink in this process; another one is answered by
sealed envelopes, closed and counted, its reports are built and its key is destroyed. Each begins with one doorbell, as
the program rings it, on a new database.

Afterwards it is checked that everybody got one mail and nobody two, that every answer was counted once, and that every
report is there. All of this shares the processors of one machine: where they are busy, more workers add nothing.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from aiosmtpd.controller import Controller
from celery import Celery
from sqlalchemy import func, select, text

import config as settings
from survey import context
from survey.app import create_app
from survey.core.relationships import Relationship
from survey.services import cycles
from survey.store.cycles import Cycle, Review
from survey.store.envelopes import Envelope
from survey.store.invitations import Invitation
from survey.store.outbox import Mail
from survey.store.people import Person
from survey.store.reports import Cell, Comment, Report
from tests import installations, servers
from tests.benchmarks import crowds
from tests.benchmarks.crowds import PEERS
from tests.company import Company

WORKERS = (1, 2, 4)
MAILED, COUNTED = 80, 200
"""Reviews of the round that is mailed, and of the one that is counted."""


class Sink:
    """An SMTP server that notes to whom a mail went, under which id, and when."""

    def __init__(self) -> None:
        self.port = servers.free_port()
        self.received: list[tuple[str, bytes, float]] = []
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    def __enter__(self) -> Sink:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        head = envelope.content.partition(b"\r\n\r\n")[0].lower()
        message_id = head.partition(b"message-id:")[2].partition(b"\r\n")[0].strip()
        self.received.append((envelope.rcpt_tos[0], message_id, time.perf_counter()))
        return "250 OK"


@dataclass
class Plant:
    """The processes of an installation, for the work they do."""

    workers: list[psutil.Process] = field(default_factory=list)
    database: psutil.Process | None = None

    def at_work(self) -> list[float]:
        """Seconds of processor time so far: of the database, and of each worker."""
        return [_busy(each) for each in (self.database, *self.workers) if each is not None]


@dataclass(frozen=True)
class Taken:
    """What some work took: units, seconds of the clock, and at work in each worker, the database and this process."""

    units: int
    seconds: float
    workers: list[float]
    database: float
    here: float

    @property
    def rate(self) -> float:
        return self.units / self.seconds


def main() -> None:
    """Prints a table for the mail and one for the tally."""
    found: dict[str, list[Taken]] = {"mails": [], "answers counted": []}
    with tempfile.TemporaryDirectory() as folder:
        databases = servers.Databases(Path(folder))
        try:
            for count in WORKERS:
                place = Path(folder) / f"with-{count}"
                place.mkdir()
                mailed, counted = run(databases.make("postgresql"), count, place)
                found["mails"].append(mailed)
                found["answers counted"].append(counted)
        finally:
            databases.stop()
    print(f"{os.cpu_count()} processors for all processes; load averages {_load()}")
    for what, rows in found.items():
        print(
            f"\n{what:<17}{'number':>7}{'seconds':>9}{'a second':>10}{'ratio':>7}   seconds at work: each worker",
            end="",
        )
        print(f"{'database':>14}{'sink':>7}{'all of it per second':>23}")
        for count, row in zip(WORKERS, rows, strict=True):
            all_of_it = sum(row.workers) + row.database + row.here
            print(f"  {count} worker{'s' * (count > 1):<7}{row.units:>7}{row.seconds:>9.2f}{row.rate:>10.1f}", end="")
            print(f"{row.rate / rows[0].rate:>7.2f}   {' '.join(f'{each:.2f}' for each in row.workers):<28}", end="")
            print(f"{row.database:>14.2f}{row.here:>7.2f}{all_of_it / row.seconds:>23.2f}")
    print("\neverybody got one mail and nobody two; every answer was counted once, and every report is there")


def run(url: str, count: int, folder: Path) -> tuple[Taken, Taken]:
    """What mail and tally took so many workers. Raises AssertionError where something was lost, or done twice."""
    with ExitStack() as stack:
        sink = stack.enter_context(Sink())
        environ = {
            "SURVEY_MODE": "testing",
            "SURVEY_SECRET_KEY": secrets.token_urlsafe(48),
            "SURVEY_DATABASE_URL": url,
            "SURVEY_REDIS_URL": stack.enter_context(servers.redis_server()),
            "SURVEY_KEY_DIRECTORY": str(folder / "keys"),
            "SURVEY_BASE_URL": "http://localhost",
            "SURVEY_SMTP_HOST": "127.0.0.1",
            "SURVEY_SMTP_PORT": str(sink.port),
            "SURVEY_MAIL_PACE": "at_once",
        }
        app = create_app(settings.load(environ))
        with app.app_context():
            stack.callback(context.installation().engine.dispose)
            company = Company(app)
            opened = crowds.draft(company, MAILED, now=context.now())
            answered = crowds.draft(company, COUNTED, now=context.now())
            plant = stack.enter_context(_working(environ, count, folder))
            mailed = _mail(opened, plant, sink)
            crowds.answer_all(answered)
            return mailed, _count(answered, plant)


def _mail(cycle_id: uuid.UUID, plant: Plant, sink: Sink) -> Taken:
    people = MAILED * PEERS
    crowds.launch(cycle_id)
    with _measured(plant) as measure:
        context.wake("tasks.outbox.sweep")
        installations.wait_until(lambda: len(sink.received) >= people, 120, "the mail")
        taken = measure(people)
    installations.wait_until(lambda: not _number(Mail, Mail.state == "waiting"), 30, "the last mail's row")
    with context.reading() as session:
        asked = select(Invitation.rater_id).join(Review).where(Review.cycle_id == cycle_id)
        addresses = session.scalars(select(Person.address).where(Person.id.in_(asked))).all()
    assert Counter(address for address, _, _ in sink.received) == Counter(addresses), "everybody gets one mail"
    assert len({message_id for _, message_id, _ in sink.received}) == people, "and each is another"
    return taken


def _count(cycle_id: uuid.UUID, plant: Plant) -> Taken:
    with context.transaction() as session:
        cycles.close(session, cycle_id, actor_id=None, now=context.now())
    with _measured(plant) as measure:
        context.wake("tasks.tally.sweep")
        is_through = (Cycle.id == cycle_id, Cycle.is_key_destroyed)
        installations.wait_until(lambda: _number(Cycle, *is_through), 120, "the tally")
        taken = measure(COUNTED * PEERS)
    reviews = select(Review.id).where(Review.cycle_id == cycle_id)
    asked = crowds.asked(cycle_id)
    rated = sum(item.scale is not None for item in asked.items)
    assert _number(Envelope, Envelope.review_id.in_(reviews)) == 0
    assert _number(Report, Report.review_id.in_(reviews)) == COUNTED, "every report is there"
    # Everybody rated everything and wrote something everywhere.
    in_full = (Cell.review_id.in_(reviews), Cell.group == Relationship.PEER, Cell.n == PEERS)
    assert _number(Cell, *in_full) == COUNTED * rated, "every answer is in every figure, once"
    written = sum(item.is_open for item in asked.items) * PEERS * COUNTED
    assert _number(Comment, Comment.review_id.in_(reviews)) == written, "every comment is there, once"
    return taken


def _number(table: type, *where) -> int:
    with context.reading() as session:
        return session.scalar(select(func.count()).select_from(table).where(*where)) or 0


@contextmanager
def _measured(plant: Plant) -> Iterator[Callable[[int], Taken]]:
    """Gives what is to be called, with the number of units, when the work is done."""
    before, here, began = plant.at_work(), time.process_time(), time.perf_counter()

    def taken(units: int) -> Taken:
        seconds = time.perf_counter() - began
        database, *workers = (after - then for after, then in zip(plant.at_work(), before, strict=True))
        return Taken(units, seconds, workers, database, time.process_time() - here)

    yield taken


@contextmanager
def _working(environ: Mapping[str, str], count: int, folder: Path) -> Iterator[Plant]:
    """So many workers, ready, and a beat."""
    with ExitStack() as stack:
        celery = [sys.executable, "-m", "celery", "-A", "tasks.worker"]
        plant = Plant()
        for number in range(count):
            words = [*celery, "worker", "--pool", "prefork", "--concurrency", "1", "-n", f"{number}@benchmark"]
            plant.workers.append(stack.enter_context(_process(words, environ, folder / f"worker-{number}.log")))
        beat = [*celery, "beat", "--schedule", str(folder / "beat"), "--pidfile", ""]
        stack.enter_context(_process(beat, environ, folder / "beat.log"))
        with context.reading() as session:
            backend = session.scalar(text("SELECT pg_backend_pid()"))
        plant.database = psutil.Process(backend).parent()
        with Celery(broker=environ["SURVEY_REDIS_URL"]) as bell:
            is_ready = lambda: len(bell.control.ping(timeout=1) or []) == count  # noqa: E731 - short, and used once
            installations.wait_until(is_ready, 90, "the workers")
        yield plant


@contextmanager
def _process(words: list[str], environ: Mapping[str, str], log: Path) -> Iterator[psutil.Process]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SURVEY_")}
    with log.open("wb") as output:
        own = {"PYTHONPATH": str(crowds.ROOT)}
        process = subprocess.Popen(
            words, env=kept | own | dict(environ), cwd=crowds.ROOT, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _busy(process: psutil.Process) -> float:
    """Seconds of processor time of a process, its children, and those of its children that have ended."""
    total = 0.0
    for each in [process, *process.children(recursive=True)]:
        try:
            total += sum(each.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total


def _load() -> str:
    return " ".join(f"{load:.1f}" for load in os.getloadavg())


if __name__ == "__main__":
    main()
