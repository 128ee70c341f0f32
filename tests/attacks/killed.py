"""Runs a step of the program in a child that is killed (SIGKILL) at a given point; a line of JSON in, one out.

A point lies before and after each SQL statement and each commit, before and after each write of a key to the disk,
and between the steps of the tally. The child connects by itself, so that nothing of it survives. Run with
`python -m tests.attacks.killed`: one process that imports the program once and forks for every line.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session, configure_mappers

from survey.core.mailings import CONSIDERATE
from survey.core.responses import Answers
from survey.services import keys, openings, publication, shakes, tally
from survey.store import base
from survey.store.keys import Keyring
from tests import company

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class End:
    """How a child ended: whether it was killed, and where it was then."""

    was_killed: bool
    point: str


class Reaper:
    """Counts points and kills its own process at one of them."""

    def __init__(self, at: int, said: int) -> None:
        self._left = at
        self._said = said
        self._is_asleep = False

    def point(self, name: str) -> None:
        """One more point; the last thing that the process does, if it is the one."""
        if self._is_asleep:
            return
        self._left -= 1
        if self._left == 0:
            os.write(self._said, name.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Meanwhile there are no points: where nothing is written, nothing can be lost."""
        self._is_asleep = True
        yield
        self._is_asleep = False

    def watch(self, engine: Engine) -> None:
        """Makes points of all that this engine does, and of writes to the disk."""

        @event.listens_for(engine, "before_cursor_execute")
        def before(connection, cursor, statement, *rest):
            self.point(f"before {_short(statement)}")

        @event.listens_for(engine, "after_cursor_execute")
        def after(connection, cursor, statement, *rest):
            self.point(f"after {_short(statement)}")

        @event.listens_for(engine, "commit")
        def commit(connection):
            self.point("before COMMIT")

        @event.listens_for(Session, "after_commit")
        def committed(session):
            self.point("after COMMIT")

        sync, unlink = os.fsync, Path.unlink
        os.fsync = lambda descriptor: self._around(lambda: sync(descriptor), "the sync of a key")
        Path.unlink = lambda path, **kwargs: self._around(lambda: unlink(path, **kwargs), "the removal of a key")

    def _around(self, act: Callable[[], None], name: str) -> None:
        self.point(f"before {name}")
        act()
        self.point(f"after {name}")


def _short(statement: str) -> str:
    return " ".join(statement.split()[:3])


@dataclass(frozen=True)
class Scene:
    """What a step works on."""

    engine: Engine
    keyring: Keyring
    reaper: Reaper

    def transaction(self) -> Any:
        return base.writing(self.engine).begin()


def submit(scene: Scene, token: str, invitation: str, answers: list[Any], secret: str) -> None:
    """An answer as the program takes it."""
    with base.one_step(scene.engine).begin() as session:
        company.submit(session, token, uuid.UUID(invitation), Answers(*answers), draft_secret=bytes.fromhex(secret))


def sweep(scene: Scene, count: Callable[[Scene, Sequence[uuid.UUID]], None] | None = None) -> None:
    """The tally as its tasks do it, from whatever state the last one left."""
    with scene.reaper.asleep(), base.reading(scene.engine).begin() as session:
        unmeasured = tally.unmeasured(session)
    for cycle_id in unmeasured:
        with scene.transaction() as session:
            tally.measure(session, cycle_id, scene.keyring)
    with scene.reaper.asleep(), base.reading(scene.engine).begin() as session:
        waiting = tally.waiting(session)
    for review_ids in waiting:
        (count or count_some)(scene, review_ids)
    with scene.reaper.asleep(), base.reading(scene.engine).begin() as session:
        due = publication.due(session)
    for cycle_id in due:
        with scene.transaction() as session:
            publication.settle(session, cycle_id)
        with scene.transaction() as session:
            # In one transaction with the work: here attempts are not to run out.
            publication.build(session, cycle_id, publication.begin(session, cycle_id, now=datetime.now(UTC)))
    with scene.transaction() as session:
        counted = tally.finish(session)
    scene.reaper.point("between the end of the count and the key")
    with scene.transaction() as session:
        cycle_ids = keys.begin_destroying(session, counted, scene.keyring, now=datetime.now(UTC))
    scene.reaper.point("between the finding of the key and its end")
    with scene.transaction() as session:
        for cycle_id in cycle_ids:
            tally.destroy_key(session, cycle_id, scene.keyring)
    scene.reaper.point("between the key and the vacuum")
    if cycle_ids:
        base.vacuum(scene.engine)
    scene.reaper.point("between the vacuum and the note")
    with scene.transaction() as session:
        tally.note_destroyed(session, cycle_ids)
    scene.reaper.point("after the note")


def open_round(scene: Scene, now: str) -> None:
    """The opening of a large round as its task does it, a review at a time, from whatever state the last one left."""
    with scene.reaper.asleep(), base.reading(scene.engine).begin() as session:
        left = {cycle_id: openings.unopened(session, cycle_id) for cycle_id in openings.due(session)}
    for cycle_id, review_ids in left.items():
        for review_id in review_ids:
            with scene.transaction() as session:
                openings.go_on(session, cycle_id, [review_id])
        with scene.transaction() as session:
            openings.finish(session, cycle_id, scene.keyring, pace=CONSIDERATE, now=datetime.fromisoformat(now))


def shake(scene: Scene) -> None:
    """The box is shaken as its task does it."""
    with scene.reaper.asleep(), base.reading(scene.engine).begin() as session:
        due = shakes.due(session)
    shaken: dict[uuid.UUID, int] = {}
    for review_ids in due:
        with scene.transaction() as session:
            shaken |= shakes.shake(session, review_ids)
    scene.reaper.point("between the shake and the cleaning")
    assert base.clean_up(scene.engine)
    scene.reaper.point("between the cleaning and the note")
    with scene.transaction() as session:
        shakes.note(session, shaken)


def count_some(scene: Scene, review_ids: Sequence[uuid.UUID]) -> None:
    """The count of some reviews, as the program does it."""
    with scene.transaction() as session:
        tally.count(session, review_ids, scene.keyring)


class Killer:
    """The process that forks children; `run` has one of them do a step and die at a point."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._where: dict[str, str] = {}

    def work_on(self, url: str, keys: Path) -> None:
        """From here on children work on this database and these keys."""
        self._where = {"url": url, "keys": str(keys)}

    def run(self, step: Callable[..., None], *arguments: object, at: int) -> End:
        """How the child ended. Raises AssertionError with its last words when it failed by itself."""
        order = self._where | {"step": f"{step.__module__}:{step.__name__}", "arguments": arguments, "at": at}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        status, point = json.loads(self._process.stdout.readline())
        assert status in {0, -signal.SIGKILL}, f"{step.__name__} failed: {point}"
        return End(status != 0, point)


@contextmanager
def killer() -> Iterator[Killer]:
    """A process that forks children."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.attacks.killed"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Killer(process)
        process.stdin.close()


def main() -> None:
    """Forks for each line until there are no more."""
    # Once, and not in every child.
    pkgutil.resolve_name("tests.attacks.weakened")
    configure_mappers()
    for url in ("sqlite://", "postgresql+psycopg://"):
        # Connects to nothing yet, but loads the driver.
        base.connect(url)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        said, say = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(said)
            _die_or_finish(order, say)
        os.close(say)
        with os.fdopen(said) as words:
            point = words.read()
        _, status = os.waitpid(child, 0)
        print(json.dumps([os.waitstatus_to_exitcode(status), point]), flush=True)


def _die_or_finish(order: dict[str, Any], say: int) -> None:
    try:
        engine = base.connect(order["url"])
        reaper = Reaper(order["at"], say)
        reaper.watch(engine)
        step = pkgutil.resolve_name(order["step"])
        step(Scene(engine, Keyring(Path(order["keys"])), reaper), *order["arguments"])
        os._exit(0)
    except BaseException as error:
        os.write(say, repr(error)[:2000].encode())
        os._exit(1)


if __name__ == "__main__":
    # Under its own name, which is that of the steps as well.
    pkgutil.resolve_name("tests.attacks.killed:main")()
