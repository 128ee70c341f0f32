"""A whole installation as plain processes: the entry points of the containers, on loopback."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import servers

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Installation:
    """Where it answers, and what it runs on."""

    base_url: str
    environ: dict[str, str]
    logs: Path

    def survey(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the `survey` command on this installation."""
        return subprocess.run(
            [sys.executable, "-c", "from survey.app import command_line; command_line()", *arguments],
            env=_environ(self.environ),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@contextmanager
def running(
    environ: Mapping[str, str], folder: Path, *, web: str = "survey.app:create_app()"
) -> Iterator[Installation]:
    """Web server, worker, beat and a redis; the database and the mailbox are in `environ`. Stopped in the end.

    `web` is what the web server serves.
    """
    port = servers.free_port()
    logs = folder / "logs"
    logs.mkdir()
    with ExitStack() as stack:
        settings = dict(environ) | {
            "SURVEY_REDIS_URL": stack.enter_context(servers.redis_server()),
            "SURVEY_BASE_URL": f"http://127.0.0.1:{port}",
            "SURVEY_MAIL_PACE": "at_once",
        }
        celery = [sys.executable, "-m", "celery", "-A", "tasks.worker"]
        commands = {
            "web": [
                *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--no-control-socket"),
                *("--worker-class", "gthread", "--workers", "1", "--threads", "4", web),
            ],
            "worker": [
                *(*celery, "worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "INFO"),
                *("--without-gossip", "--without-mingle"),
            ],
            "beat": [*celery, "beat", "--schedule", str(folder / "beat"), "--loglevel", "INFO"],
        }
        for name, command in commands.items():
            stack.enter_context(_process(command, settings, logs / f"{name}.log"))
        wait_until(lambda: _answers(port), 30, "the web server")
        yield Installation(f"http://127.0.0.1:{port}", settings, logs)


def wait_until(is_done: Callable[[], object], seconds: float, what: str) -> None:
    """Returns when it is done; raises TimeoutError, which names it, when it takes too long."""
    until = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} took more than {seconds} seconds")
        time.sleep(0.1)


@contextmanager
def _process(command: list[str], settings: Mapping[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=_environ(settings), cwd=ROOT, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _environ(settings: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SURVEY_")}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | dict(settings)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
