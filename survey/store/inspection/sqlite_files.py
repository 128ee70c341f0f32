"""The files of an SQLite database, as anybody with a copy reads them: row numbers, deleted content, logs."""

from __future__ import annotations

import re
import sqlite3
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from sqlalchemy import Connection, text

from survey.store import schema
from survey.store.inspection import traces, walls
from survey.store.inspection.looks import Look, count
from survey.store.inspection.traces import Marks

SUFFIXES = ("", "-wal", "-journal")

BESIDE = 256
"""Bytes before a comment's text in which the key of its own row must stand, or it is a copy."""

SILENT = frozenset(schema.metadata.tables) - {"cell", "comment", "report"}
"""Tables of ours in which nothing that was said can be read."""

HEADER = 100

_WORDS = re.compile(rb"[\x20-\x7e]{12,}")


def look(connection: Connection, marked: Marks) -> Iterator[Look]:
    """Row numbers in tables that touch raters, and what of answers stands in the files outside their rows."""
    numbered = tuple(f"{name} numbers its rows" for name, written in _tables(connection) if not written)
    yield Look("A2", "tables that keep the order of writing (rowid)", count(len(walls.WALLED), "table"), numbered)
    yield _deleted(connection)
    yield _copies(connection, marked)


def _tables(connection: Connection) -> list[tuple[str, bool]]:
    rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all()
    return [(name, bool(re.search(r"WITHOUT\s+ROWID", sql, re.I))) for name, sql in rows if name in walls.WALLED]


def _deleted(connection: Connection) -> Look:
    raw = cast(sqlite3.Connection, connection.connection.driver_connection)
    trees = connection.execute(text("SELECT rootpage, tbl_name FROM sqlite_master WHERE rootpage > 0"))
    image = Image(raw.serialize(), ((1, "sqlite_master"), *((root, table) for root, table in trees)))
    holes = list(image.holes())
    used = bytearray(image.content)
    for hole in holes:
        used[hole.start : hole.end] = bytes(hole.end - hole.start)
    seen = Counter(hole.owner for hole in holes if _is_dirty(hole, image.content[hole.start : hole.end], used))
    on = f"{count(image.pages, 'page')}, {count(sum(hole.end - hole.start for hole in holes), 'unused byte')}"
    found = tuple(f"{owner}: {count(number, 'place')}" for owner, number in sorted(seen.items()))
    return Look("A2", "deleted content that was not overwritten", on, found)


def _is_dirty(hole: Hole, content: bytes, used: bytearray) -> bool:
    """Whether deleted content can be read here.

    What is freed was overwritten. Where SQLite has divided a page, it leaves copies of rows that now lie elsewhere:
    in tables that can be read, words that no row has any more are what was deleted.
    """
    if not hole.is_gap:
        return bool(content.strip(b"\0"))
    return hole.owner not in SILENT and any(words not in used for words in _WORDS.findall(content))


def _copies(connection: Connection, marked: Marks) -> Look:
    path = Path(connection.engine.url.database or "")
    found = []
    size = 0
    for suffix in SUFFIXES:
        file = path.with_name(path.name + suffix)
        content = file.read_bytes() if file.exists() else b""
        size += len(content)
        copies = sum(
            not any(key in content[max(0, at - BESIDE) : at] for key in marked.texts[begin])
            for at, begin in traces.places(content, marked)
        )
        name = f"the file{suffix and ' ' + suffix}"
        if copies:
            found.append(f"{name}: {count(copies, 'copy')} of comments outside their rows")
        if rated := traces.ratings(content):
            found.append(f"{name}: {count(rated, 'rating')} in plain")
    on = f"{count(size, 'byte')}, for {count(len(marked.texts), 'text')}"
    return Look("A2", "answers outside the table of comments", on, tuple(found))


@dataclass(frozen=True)
class Hole:
    """A range of bytes that holds nothing: whose it is, and whether it is what a page has never filled."""

    owner: str
    start: int
    end: int
    is_gap: bool = False


@dataclass(frozen=True)
class Image:
    """The bytes of a database at one moment, and on which page each of its trees begins.

    The layout is that of sqlite.org/fileformat2.html.
    """

    content: bytes
    roots: tuple[tuple[int, str], ...]

    @property
    def page_size(self) -> int:
        """Bytes of a page."""
        (size,) = struct.unpack(">H", self.content[16:18])
        return 65_536 if size == 1 else int(size)

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return len(self.content) // self.page_size

    def holes(self) -> Iterator[Hole]:
        """Everything that belongs to no row."""
        (trunk,) = self._numbers(">I", 32)
        while trunk:
            at = self._start(trunk)
            after, leaves = self._numbers(">II", at)
            yield Hole("free pages", at + 8 + 4 * leaves, self._start(trunk + 1))
            for leaf in self._numbers(f">{leaves}I", at + 8):
                yield Hole("free pages", self._start(leaf), self._start(leaf + 1))
            trunk = after
        for root, owner in self.roots:
            yield from self._tree(root, owner)

    def _start(self, page: int) -> int:
        return (page - 1) * self.page_size

    def _numbers(self, form: str, at: int) -> tuple[int, ...]:
        return struct.unpack_from(form, self.content, at)

    def _tree(self, page: int, owner: str) -> Iterator[Hole]:
        start = self._start(page)
        at = start + (HEADER if page == 1 else 0)
        kind, free, cells, begin = self._numbers(">BHHH", at)
        is_inner = kind in _INNER
        pointers = at + (12 if is_inner else 8)
        yield Hole(owner, pointers + 2 * cells, start + (begin or 65_536), is_gap=True)
        while free:
            after, size = self._numbers(">HH", start + free)
            yield Hole(owner, start + free + 4, start + free + size)
            free = after
        children = list(self._numbers(">I", at + 8)) if is_inner else []
        for offset in self._numbers(f">{cells}H", pointers):
            cell = start + offset
            if is_inner:
                children += self._numbers(">I", cell)
            if kind != _INNER_TABLE:
                yield from self._overflow(cell + (4 if is_inner else 0), kind, owner)
        for child in children:
            yield from self._tree(child, owner)

    def _overflow(self, at: int, kind: int, owner: str) -> Iterator[Hole]:
        """What is left over on the last of the pages that a long row continues on."""
        size, at = self._varint(at)
        if kind == _LEAF_TABLE:
            _, at = self._varint(at)
        usable = self.page_size - self.content[20]
        most = usable - 35 if kind == _LEAF_TABLE else (usable - 12) * 64 // 255 - 23
        if size <= most:
            return
        least = (usable - 12) * 32 // 255 - 23
        local = least + (size - least) % (usable - 4)
        local = local if local <= most else least
        (following,) = self._numbers(">I", at + local)
        size -= local
        while following:
            start = self._start(following)
            (following,) = self._numbers(">I", start)
            if not following:
                yield Hole(owner, start + 4 + size, start + usable)
            size -= usable - 4

    def _varint(self, at: int) -> tuple[int, int]:
        """The number that stands here in one to nine bytes, and where it ends."""
        value = 0
        for end in range(at, at + 8):
            value = value << 7 | self.content[end] & 0x7F
            if self.content[end] < 0x80:
                return value, end + 1
        return value << 8 | self.content[at + 8], at + 9


_INNER_TABLE, _LEAF_TABLE = 0x05, 0x0D
_INNER = frozenset({0x02, _INNER_TABLE})
