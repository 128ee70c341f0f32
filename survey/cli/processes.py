"""Services that end together: when one of them ends, at a signal, or when their starter is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from survey.core.errors import SurveyError

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 10.0
"""Seconds that services get to end by themselves."""

NEWS = 10.0
"""Seconds after which it is said what is waited for, and again after as many."""


class CannotStart(SurveyError):
    """Something that a service needs is missing or taken, or the service did not get ready."""


class ServiceEnded(SurveyError):
    """A service ended although nobody asked it to."""


@dataclass(frozen=True)
class Service:
    """One process to run, and the (host, port) pairs it will listen on.

    Until it is ready it may stand still for so many seconds: it uses no processor then, and writes nothing. A busy
    machine may take as long as it needs.
    """

    name: str
    command: tuple[str, ...]
    addresses: tuple[tuple[str, int], ...] = ()
    is_ready: Callable[[], bool] | None = None
    seconds: float = 30.0


@contextmanager
def group(directory: Path, environ: Mapping[str, str], logs: Path, lock: int) -> Iterator[Group]:
    """Yield an empty group; whatever is started in it has ended when the context is left.

    Inside, SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt, unless they were ignored before. The file
    descriptor `lock` stays open for as long as any service can be alive, even when this process is killed.
    """
    previous = {number: signal.getsignal(number) for number in STOPPING}
    heard = [number for number in STOPPING if previous[number] is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, signal.default_int_handler)
    try:
        with subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
            pass_fds=(lock,),
        ) as guard:
            started = Group(guard.pid, directory, environ, logs)
            try:
                yield started
            finally:
                for number in heard:
                    signal.signal(number, signal.SIG_IGN)
                started.stop()
    finally:
        for number in heard:
            signal.signal(number, previous[number])


class Group:
    """The services that were started, in that order; those after the first may rest on the first."""

    def __init__(self, leader: int, directory: Path, environ: Mapping[str, str], logs: Path) -> None:
        self._leader = leader
        self._directory = directory
        self._environ = environ
        self._logs = logs
        self._started: list[tuple[Service, subprocess.Popen[bytes]]] = []

    def start(self, service: Service) -> None:
        """Start a service and return when it is ready.

        Raises CannotStart when it stands still before that, and ServiceEnded when any service of the group ends.
        """
        path = self._log(service)
        if path.exists():
            path.replace(path.with_suffix(".previous.log"))
        try:
            with path.open("wb") as log:
                process = subprocess.Popen(
                    service.command,
                    cwd=self._directory,
                    env=self._environ,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    process_group=self._leader,
                )
        except OSError as error:
            raise CannotStart(f"The {service.name} cannot be started: {error.strerror}.") from error
        self._started.append((service, process))
        if service.is_ready:
            self._wait(service, process.pid)

    def _wait(self, service: Service, process: int) -> None:
        """Returns when the service is ready, however long that takes while it moves."""
        assert service.is_ready  # noqa: S101 - asked by the caller
        began = moved = told = time.monotonic()
        seen: object = None
        while not service.is_ready():
            self.check()
            now, done = time.monotonic(), (_work(process), self._log(service).stat().st_size)
            if done != seen:
                seen, moved = done, now
            if now - moved > service.seconds:
                late = f"The {service.name} is not ready, and has stood still for {service.seconds:g} seconds."
                raise CannotStart(f"{late} {self._last_words(service)}")
            if now - told > NEWS:
                told = now
                print(f"Still waiting for the {service.name}, which is at work ({now - began:.0f} s) …", flush=True)
            time.sleep(0.05)

    def check(self) -> None:
        """Raise ServiceEnded with the service's last words if one has ended."""
        for service, process in self._started:
            code = process.poll()
            if code is not None:
                raise ServiceEnded(f"The {service.name} ended ({_reason(code)}). {self._last_words(service)}")

    def stop(self) -> None:
        """End every process of the group: those that rest on the first before it, by force after PATIENCE."""
        deadline = time.monotonic() + PATIENCE
        for stage in (self._started[1:], self._started[:1]):
            for _, process in stage:
                process.terminate()
            for _, process in stage:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))
        # What is left now did not listen, or lost its parent. The guard is in the group, and is not reaped
        # before this line, so that the number of the group cannot have passed to somebody else.
        os.killpg(self._leader, signal.SIGKILL)
        for _, process in self._started:
            process.wait()

    def _log(self, service: Service) -> Path:
        return self._logs / f"{service.name.replace(' ', '-')}.log"

    def _last_words(self, service: Service) -> str:
        path = self._log(service)
        lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        if not lines:
            return f"It wrote nothing to {path}."
        return "\n".join([f"The last lines of {path}:", *lines[-8:]])


def _work(process: int) -> float | None:
    """How much processor time this process and its descendants have used; None where the system does not tell."""
    used, waiting = 0.0, [str(process)]
    while waiting:
        number = waiting.pop()
        try:
            fields = Path(f"/proc/{number}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2]
            children = Path(f"/proc/{number}/task/{number}/children").read_text(encoding="ascii")
        except OSError:
            continue
        user, system = fields.split()[11:13]
        used += int(user) + int(system)
        waiting += children.split()
    return used or None


def _reason(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
