"""A whole installation as plain processes: the entry points of the containers, on loopback."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests import commands as survey_command
from tests import servers

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 180
"""How many seconds a test waits for what comes in one or two, where the machine has little to do."""


@dataclass
class Installation:
    """Where it answers, and what it runs on."""

    base_url: str
    environ: dict[str, str]
    logs: Path
    pids: dict[str, int]
    """The first process of each part."""

    def survey(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the `survey` command on this installation."""
        return survey_command.survey(*arguments, environ=self.environ)


@contextmanager
def running(
    environ: Mapping[str, str],
    folder: Path,
    *,
    web: str = "survey.app:create_app()",
    worker: Sequence[str] = (),
    is_readable: bool = False,
) -> Iterator[Installation]:
    """Web server, worker, beat and a redis; the database and the mailbox are in `environ`. Stopped in the end.

    `web` is what the web server serves, `worker` what the worker is told besides. With `is_readable` an ordinary user
    may read the memory of all of it.
    """
    port = servers.free_port()
    logs = folder / "logs"
    logs.mkdir()
    with ExitStack() as stack:
        redis_url, redis_pid = stack.enter_context(servers.redis_process())
        settings = dict(environ) | {
            "SURVEY_REDIS_URL": redis_url,
            "SURVEY_BASE_URL": f"http://127.0.0.1:{port}",
            "SURVEY_MAIL_PACE": "at_once",
        }
        celery = ["celery", "-A", "tasks.worker"]
        commands = {
            "web": [
                *("gunicorn", "--bind", f"127.0.0.1:{port}", "--no-control-socket"),
                *("--worker-class", "survey.cli.serving.Worker", "--workers", "2", "--threads", "4", "--preload", web),
            ],
            "worker": [
                *(*celery, "worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "INFO"),
                *("--without-gossip", "--without-mingle", *worker),
            ],
            "beat": [*celery, "beat", "--schedule", str(folder / "beat"), "--loglevel", "INFO"],
        }
        pids = stack.enter_context(_processes(commands, settings, logs, is_readable=is_readable))
        wait_until(lambda: _answers(port), PATIENCE, "the web server")
        yield Installation(f"http://127.0.0.1:{port}", settings, logs, pids | {"redis": redis_pid})


def wait_until(is_done: Callable[[], object], seconds: float, what: str) -> None:
    """Returns when it is done; raises TimeoutError, which names it, when it takes too long."""
    until = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} took more than {seconds} seconds")
        time.sleep(0.05)


@contextmanager
def _processes(
    commands: Mapping[str, list[str]], settings: Mapping[str, str], logs: Path, *, is_readable: bool
) -> Iterator[dict[str, int]]:
    """They run side by side, and are told to end together, so that nothing waits for them one after the other."""
    started: list[BaseProcess] = []
    try:
        for name, command in commands.items():
            log = logs / f"{name}.log"
            started.append(survey_command.server(*command, environ=settings, log=log, is_readable=is_readable))
        yield {name: process.pid or 0 for name, process in zip(commands, started, strict=True)}
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.join(30)
            if process.exitcode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.join()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
