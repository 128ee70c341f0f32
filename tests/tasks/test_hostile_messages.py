"""Whatever somebody puts into redis: the worker, beat and the doorbell go on, and it costs nothing but itself."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis
from celery import Celery
from sqlalchemy import Engine, text

from survey import app as wiring
from survey.store import base
from tests import commands, installations, servers

PATIENCE = 60
"""Seconds until a worker that is alive and takes no task counts as stopped."""


def _message(task: object = "tasks.canary.sing", content: object = ((), {}, {}), **other: object) -> bytes:
    """A message as Celery writes it, but for what is named."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    whole: dict[str, object] = {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": task, "id": str(uuid.uuid4()), **dict(other.pop("headers", {}))},
        "properties": {
            "body_encoding": "base64",
            "delivery_info": {"exchange": "celery", "routing_key": "celery"},
            "delivery_tag": str(uuid.uuid4()),
            "priority": 0,
        },
    }
    return json.dumps(whole | other).encode()


LINES: dict[str, bytes] = {
    "not JSON": b"this is no JSON",
    "no text": b"\xff\xfe\x00\x80",
    "empty": b"",
    "half a message": _message()[:80],
    "a number": b"7",
    "a list": b"[]",
    "null": b"null",
    "an object of another shape": b'{"hello": "world"}',
    "nested deeply": b"[" * 200_000,
    "huge": b'{"body": "' + b"x" * 20_000_000 + b'"}',
    "kombu's own types": b'{"__type__": "datetime", "__value__": 7}',
    "no headers": _message(headers={}).replace(b'"headers"', b'"heads"'),
    "headers that are a list": _message().replace(b'"headers": {', b'"headers": [], "heads": {'),
    "properties that are a list": _message(properties=[]),
    "no delivery tag": _message(properties={"body_encoding": "base64"}),
    "an encoding that nobody knows": _message(properties={"body_encoding": "rot13", "delivery_tag": "1"}),
    "a body that is no base64": _message(body="%%%"),
    "a body that is a number": _message(body=12),
    "pickle": _message(**{"content-type": "application/x-python-serialize", "body": "gASVCgAAAAAAAACMBmhlbGxvlC4="}),
    "a type that nobody knows": _message(**{"content-type": "application/x-nothing"}),
    "no task of ours": _message("os.system", (["true"], {}, {})),
    "a task of Celery's": _message("celery.chord_unlock", ([], {}, {})),
    "a task that is a number": _message(7),
    "a task that is a list": _message(["tasks.canary.sing"]),
    "wrong arguments": _message("tasks.tally.count", ([[1], {"a": 2}], {}, {})),
    "too many arguments": _message("tasks.canary.sing", (["x"] * 50, {}, {})),
    "named arguments": _message("tasks.tally.count", ([], {"self": 1}, {})),
    "arguments that are a text": _message("tasks.tally.count", "abc"),
    "no reviews": _message("tasks.tally.count", (["neither"], {}, {})),
    "compression that is none": _message(headers={"compression": "application/x-gzip"}),
    "an expiry that is no day": _message(headers={"expires": "some day"}),
    "an expiry before all time": _message(headers={"expires": "0001-01-01T00:00:00+14:00"}),
    "an end of time": _message(headers={"timelimit": ["soon", {}]}),
    "a start that is no day": _message(headers={"eta": "tomorrow"}),
    "a start in a thousand years": _message(headers={"eta": "3026-01-01T00:00:00+00:00"}),
    "retries that are none": _message(headers={"retries": "often"}),
}

SETTINGS: dict[str, Callable[[redis.Redis], object]] = {
    "the queue is a text": lambda db: (db.delete("celery"), db.set("celery", "x")),
    "the queue is a set": lambda db: (db.delete("celery"), db.sadd("celery", "x")),
    "another priority is a text": lambda db: db.set("celery\x06\x163", "x"),
    "a line in another priority": lambda db: db.lpush("celery\x06\x166", "no JSON"),
    "bindings that are none": lambda db: db.sadd("_kombu.binding.celery", "x", "a\x06\x16b"),
    "bindings to elsewhere": lambda db: (db.delete("_kombu.binding.celery"), db.sadd("_kombu.binding.celery", "e")),
    "bindings that are a text": lambda db: (db.delete("_kombu.binding.celery"), db.set("_kombu.binding.celery", "x")),
    "nothing was fetched, it says": lambda db: (db.delete("unacked"), db.set("unacked", "x")),
    "an index that is a text": lambda db: (db.delete("unacked_index"), db.set("unacked_index", "x")),
    "something was fetched that is no JSON": lambda db: (
        db.hset("unacked", "tag", "no JSON"),
        db.zadd("unacked_index", {"tag": 1}),
    ),
    "something was fetched that is no message": lambda db: (
        db.hset("unacked", "tag", "[7, 8, 9]"),
        db.zadd("unacked_index", {"tag": 1}),
    ),
    "something was fetched for elsewhere": lambda db: (
        db.hset("unacked", "tag", '[{"a": 1}, ["x"], {}]'),
        db.zadd("unacked_index", {"tag": 1}),
    ),
    "a lock for ever": lambda db: db.set("unacked_mutex", "x"),
}


def _control(order: str, **arguments: object) -> Callable[[str], object]:
    return lambda url: Celery("stranger", broker=url).control.broadcast(order, arguments=arguments)


ORDERS = {
    "stop": _control("shutdown"),
    "no more of the queue": _control("cancel_consumer", queue="celery"),
    "fewer children": _control("pool_shrink", n=2),
    "slowly": _control("rate_limit", task_name="tasks.canary.sing", rate_limit="1/h"),
    "restart": _control("pool_restart"),
}


class Watched:
    """A worker on a redis of its own, and whether it takes tasks."""

    def __init__(self, environ: dict[str, str], url: str, folder: Path) -> None:
        self.url, self.database = url, redis.Redis.from_url(url)
        self._environ, self._folder = environ | {"SURVEY_REDIS_URL": url}, folder
        self._engine: Engine = base.connect(environ["SURVEY_DATABASE_URL"])
        self._ring = wiring._doorbell(url)
        self._started = 0
        self._start()

    def costs(self) -> bool:
        """Whether the worker takes no task any more; another one is started then, on an empty redis."""
        if self._sings():
            return False
        self.stop()
        self.database.flushall()
        self._start()
        return True

    def wait_until_fetched_is_looked_through(self) -> None:
        """Returns when what a killed worker seems to have fetched is back or dropped, or this worker has ended."""
        until = time.monotonic() + PATIENCE
        while self._process.exitcode is None and time.monotonic() < until:
            if self.database.type("unacked_index") != b"zset" or self.database.zscore("unacked_index", "tag") is None:
                return
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends the worker."""
        self._process.terminate()
        self._process.join(60)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()

    def _start(self) -> None:
        self._started += 1
        arguments = ("-A", "tasks.worker", "worker", "--pool", "prefork", "--concurrency", "2")
        log = self._folder / f"worker-{self._started}.log"
        self._process = commands.server(
            "celery", *arguments, "--without-gossip", "--without-mingle", environ=self._environ, log=log
        )
        installations.wait_until(self._sings, PATIENCE, "the worker")

    def _sings(self) -> bool:
        with self._engine.begin() as connection:
            connection.execute(text("DELETE FROM canary"))
        rung, until = 0.0, time.monotonic() + PATIENCE
        while self._process.exitcode is None and time.monotonic() < until:
            if time.monotonic() > rung + 2:
                rung = time.monotonic()
                self._try_to_ring()
            with self._engine.connect() as connection:
                if connection.scalar(text("SELECT count(*) FROM canary")):
                    return True
            time.sleep(0.05)
        return False

    def _try_to_ring(self) -> None:
        """As a page does, which goes on without."""
        with suppress(Exception):
            self._ring("tasks.canary.sing")


@contextmanager
def _watched(environ: dict[str, str], folder: Path) -> Iterator[Watched]:
    with servers.redis_server() as url:
        worker = Watched(environ, url, folder)
        try:
            yield worker
        finally:
            worker.stop()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_line_that_is_no_doorbell_costs_nothing_but_itself(environ, tmp_path):
    costly = []
    with _watched(environ, tmp_path) as worker:
        for label, line in LINES.items():
            worker.database.lpush("celery", *[line] * 3)
            costly += [label] if worker.costs() else []
        installations.wait_until(lambda: worker.database.llen("celery") == 0, PATIENCE, "the end of the queue")
    assert costly == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_lies_elsewhere_in_redis_costs_nothing_but_itself(environ, tmp_path):
    costly = []
    with _watched(environ, tmp_path) as worker:
        for label, put in SETTINGS.items():
            put(worker.database)
            worker.wait_until_fetched_is_looked_through()
            costly += [label] if worker.costs() else []
    assert costly == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nobody_gives_orders_to_a_worker(environ, tmp_path):
    costly = []
    with _watched(environ, tmp_path) as worker:
        for label, order in ORDERS.items():
            order(worker.url)
            time.sleep(2)
            # Twice: of two songs in an hour the first would be heard.
            costly += [label] if worker.costs() or worker.costs() else []
        assert Celery("stranger", broker=worker.url).control.ping(timeout=2) == []
    assert costly == []
