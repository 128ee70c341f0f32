"""What all apps and engines of one run share, so that a test does not make anew what the last one made.

A server makes its app once and then answers for weeks; here there is an app for each test, with a database of its own.
What depends on the program alone is kept from test to test: the builders of addresses, templates and statements as they
were compiled. Nothing here changes an answer, or what reaches a database.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import Engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from survey.store import base


class Compiled(BytecodeCache):
    """Templates as they were compiled for the first app of this run."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


TEMPLATES = Compiled()


def begin() -> None:
    """From now on apps share the builders of their addresses, and engines of one kind the statements they compiled."""
    _share_builders()
    _share_statements()


def _share_builders() -> None:
    made: dict[object, Callable[..., tuple[str, str]]] = {}
    compile_builder = Rule._compile_builder

    def shared(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        fixed = tuple(sorted((rule.defaults or {}).items()))
        key = (rule.rule, rule.subdomain, rule.host, fixed, append_unknown)
        if key not in made:
            made[key] = compile_builder(rule, append_unknown)
        return made[key]

    Rule._compile_builder = shared  # type: ignore[method-assign]


def _share_statements() -> None:
    """Dialects of one kind count as the same key, and all engines keep their statements in one place."""
    for kind in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        kind.__eq__ = _are_alike  # type: ignore[method-assign, assignment]
        kind.__hash__ = _hash_of_kind  # type: ignore[method-assign, assignment]
    kept: LRUCache[Any, Any] = LRUCache(5_000)
    connect = base.connect

    def shared(url: str) -> Engine:
        engine = connect(url)
        engine._compiled_cache = kept
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _leave_the_disk_alone)
        return engine

    base.connect = shared


def _are_alike(one: object, other: object) -> bool:
    return type(one) is type(other)


def _hash_of_kind(one: object) -> int:
    return hash(type(one))


def _leave_the_disk_alone(connection: DBAPIConnection, record: object) -> None:
    """Nothing here has to outlive the machine; what a process wrote outlives the process all the same."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.close()
