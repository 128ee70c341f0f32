"""Faults at random, seeded moments, several a second and several at once, each to a part that is whole."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from celery import Celery

from tests.faults import plant as plants
from tests.faults.plant import Plant
from tests.faults.rounds import Company

RECOVERS_WITHIN = 90.0  # seconds after which a part counts as not recovered
CHILDREN = 2  # processes of the worker, each with one mail in its hands at most

PAUSE = (0.1, 1.2)  # seconds from one fault to the next

LIGHT = 6
"""How much more often a part is disturbed than ended: one that takes seconds to start is hit when it is there again."""


@dataclass(frozen=True)
class Fault:
    """`at` is the part that it breaks, `may_double` how many mails it can cause to come twice."""

    at: str
    strike: Callable[[float], None]
    is_back: Callable[[], bool] | None = None
    weight: int = 1
    may_double: int = 0


@dataclass
class Tally:
    """What was done: the seconds that parts took to come back, by kind, and what did not come back."""

    struck: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    lasting: list[str] = field(default_factory=list)
    may_double: int = 0
    kills: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Storm:
    """Breaks parts of a plant and mends them. Which, when and for how long follows from the seed."""

    def __init__(self, plant: Plant, company: Company, randomness: random.Random) -> None:
        self._plant, self._company, self._random = plant, company, randomness
        self.tally = Tally()
        self._broken: set[str] = set()
        self._bell = Celery(broker=f"redis://127.0.0.1:{plant.redis_port}/0")
        self._bell.conf.broker_transport_options = {"socket_timeout": 1, "socket_connect_timeout": 1}
        self.faults = self._faults()

    def blow(self, faults: int, until: float, kinds: tuple[str, ...] = ("",)) -> None:
        """So many faults, of kinds that begin with one of these words, or fewer when the time is over.

        Returns when everything is mended and back.
        """
        with ThreadPoolExecutor(16) as pool:
            jobs = []
            struck = 0
            while struck < faults and time.monotonic() < until:
                time.sleep(self._random.uniform(*PAUSE))
                whole = {
                    kind: fault
                    for kind, fault in self.faults.items()
                    if fault.at not in self._broken and kind.startswith(kinds)
                }
                if not whole:
                    continue
                (kind,) = self._random.choices(list(whole), [fault.weight for fault in whole.values()])
                self._broken.add(whole[kind].at)
                jobs.append(pool.submit(self._one, kind, whole[kind], self._random.uniform(0.05, 1.5)))
                struck += 1
            for job in jobs:
                job.result()

    def works(self) -> bool:
        """Whether the web server is ready and a task has come through the broker just now."""
        began = time.time()
        if not self._plant.is_ready():
            return False
        self.ring("tasks.canary.sing")
        time.sleep(0.2)
        return self._company.sang_at() > began

    def ring(self, task: str) -> None:
        """Rings a doorbell past all wires; nobody minds when redis is not there."""
        try:
            self._bell.send_task(task, retry=False)
        except Exception:
            return

    def _one(self, kind: str, fault: Fault, seconds: float) -> None:
        fault.strike(seconds)
        began = time.monotonic()
        with self.tally.lock:
            self.tally.struck[kind] += 1
            self.tally.may_double += fault.may_double
            self.tally.kills += "killed" in kind
        if fault.is_back:
            try:
                plants.wait_until(fault.is_back, RECOVERS_WITHIN, kind)
            except TimeoutError:
                self.tally.lasting.append(kind)
        with self.tally.lock:
            self.tally.seconds[kind].append(time.monotonic() - began)
        self._broken.discard(fault.at)

    def _faults(self) -> dict[str, Fault]:
        plant = self._plant
        found = {
            "web: killed": Fault("web", self._killed("web"), plant.is_web_there),
            "web: stopped": Fault("web", self._stopped("web"), weight=LIGHT),
            "web: child killed": Fault("web", self._child_killed("web")),
            "worker: killed": Fault("worker", self._killed("worker"), self._sings(), may_double=CHILDREN),
            "worker: restarted": Fault("worker", self._restarted("worker", signal.SIGTERM), self._sings()),
            # One that is stopped for longer than a lease comes back to a mail that another has sent.
            "worker: stopped": Fault("worker", self._stopped("worker"), weight=LIGHT, may_double=CHILDREN),
            "worker: child killed": Fault("worker", self._child_killed("worker"), weight=LIGHT, may_double=1),
            "beat: killed": Fault("beat", self._killed("beat")),
            "beat: stopped": Fault("beat", self._stopped("beat")),
            "redis: killed": Fault("redis", self._killed("redis"), plant.is_redis_there),
            "redis: restarted": Fault("redis", self._restarted("redis", signal.SIGTERM), plant.is_redis_there),
            "redis: stopped": Fault("redis", self._stopped("redis"), weight=LIGHT),
            "redis: black hole": Fault("redis wire", self._swallowed("redis"), weight=LIGHT),
            "smtp: black hole": Fault("smtp wire", self._swallowed("smtp"), weight=LIGHT, may_double=CHILDREN),
            "smtp: 4xx": Fault("smtp", self._misbehaving("delay"), weight=LIGHT),
            # Each mail that it hangs up on is counted where it happens.
            "smtp: hangs up after 250": Fault("smtp", self._misbehaving("drop"), weight=LIGHT),
            "smtp: hangs": Fault("smtp", self._misbehaving("hang"), weight=LIGHT),
        }
        if "postgresql" in plant.parts:
            # What was sent and could not be marked is sent again.
            there = plant.is_database_there
            found |= {
                "postgresql: killed": Fault("postgresql", self._killed("postgresql"), there, may_double=CHILDREN),
                "postgresql: restarted": Fault(
                    "postgresql", self._restarted("postgresql", signal.SIGINT), there, may_double=CHILDREN
                ),
                "postgresql: stopped": Fault(
                    "postgresql", self._stopped("postgresql"), weight=LIGHT, may_double=CHILDREN
                ),
                "postgresql: black hole": Fault(
                    "postgresql wire", self._swallowed("postgresql"), weight=LIGHT, may_double=CHILDREN
                ),
            }
        return found

    def _sings(self) -> Callable[[], bool]:
        """Whether a task is run that was sent from now on: by the worker that was started last."""

        def is_back() -> bool:
            began = time.time()
            self.ring("tasks.canary.sing")
            time.sleep(0.3)
            return self._company.sang_at() > began

        return is_back

    def _killed(self, name: str) -> Callable[[float], None]:
        def strike(seconds: float) -> None:
            self._plant.parts[name].kill()
            time.sleep(seconds / 3)
            self._plant.parts[name].start()

        return strike

    def _child_killed(self, name: str) -> Callable[[float], None]:
        def strike(seconds: float) -> None:
            self._plant.parts[name].kill_child(seconds / 1.5)

        return strike

    def _stopped(self, name: str) -> Callable[[float], None]:
        def strike(seconds: float) -> None:
            self._plant.parts[name].send(signal.SIGSTOP)
            time.sleep(seconds)
            self._plant.parts[name].send(signal.SIGCONT)

        return strike

    def _restarted(self, name: str, number: int) -> Callable[[float], None]:
        def strike(_: float) -> None:
            self._plant.parts[name].end(number)
            self._plant.parts[name].start()

        return strike

    def _swallowed(self, name: str) -> Callable[[float], None]:
        def strike(seconds: float) -> None:
            self._plant.wires[name].swallow()
            time.sleep(seconds)
            self._plant.wires[name].mend()

        return strike

    def _misbehaving(self, mode: str) -> Callable[[float], None]:
        def strike(seconds: float) -> None:
            self._plant.sink.mode = mode
            time.sleep(seconds)
            self._plant.sink.mode = "take"

        return strike
