"""Answers, links and addresses where they have no business: in other tables, files, logs and queues."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from survey.core.questionnaires import BLOCKS
from survey.store.inspection import walls
from survey.store.inspection.looks import Look, count, plain_key

LENGTH = 24
"""Bytes from the beginning of a comment that are looked for; shorter comments could stand anywhere by chance."""

LINKS = ("invitation_token", "sign_in_link", "sign_in", "address_link")
"""The tables that know links and cookies by their hash."""

PORTION = 8 * 1024 * 1024

_BLOCK = LENGTH // 2
# A secret of 256 bits as it stands in a link. Any such text has upper and lower case and digits.
_TOKEN = re.compile(rb"(?<![\w+=-])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*\d)[A-Za-z0-9_-]{43}(?![\w+/=-])")
_ADDRESS = re.compile(rb"[\w.+-]+@[\w-]+(?:\.[\w-]+)*")
_UUID = re.compile(rb"(?<![0-9a-f])[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}(?![0-9a-f])")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{32,}={0,2}")
# A question's key with an answer beside it, as JSON, a form or Python would write it.
_RATING = re.compile(
    rb"\d{1,3}[.-](?:%s)[.-]\d{1,3}[\"'\\]*\s*[:=]\s*(?:\d|null|None|[\"'\\]+\w)" % "|".join(BLOCKS).encode()
)


@dataclass(frozen=True)
class Marks:
    """What must not be found elsewhere.

    `texts` are the beginnings of comments, each with the keys of the comments that begin so; `blocks` leads to them.
    """

    texts: Mapping[bytes, frozenset[bytes]]
    blocks: Mapping[bytes, frozenset[bytes]]
    addresses: frozenset[bytes]
    fingerprints: frozenset[bytes]
    invitations: frozenset[str]


def marks(connection: Connection) -> Marks:
    """What this database knows and others must not: comments, addresses, the hashes of links, invitations."""
    asked = b"\0".join(_in_rows(connection, "competency_page")) + b"\0".join(_in_rows(connection, "review"))
    found: dict[bytes, set[bytes]] = defaultdict(set)
    for key, said in connection.execute(text("SELECT id, text FROM comment")):
        for plain in {said.encode(), json.dumps(said)[1:-1].encode()}:
            begin = plain[:LENGTH]
            # Words of the page itself, quoted in an answer, are everywhere by right.
            if len(begin) == LENGTH and begin not in asked:
                found[begin].add(plain_key(key).encode())
    blocks: dict[bytes, set[bytes]] = defaultdict(set)
    for begin in found:
        for start in range(LENGTH - _BLOCK + 1):
            blocks[begin[start : start + _BLOCK]].add(begin)
    statement = " UNION ALL ".join(f"SELECT hash FROM {table}" for table in LINKS)  # noqa: S608 - names of ours
    return Marks(
        texts={begin: frozenset(keys) for begin, keys in found.items()},
        blocks={block: frozenset(begins) for block, begins in blocks.items()},
        addresses=frozenset(
            address.lower().encode() for address in connection.scalars(text("SELECT address FROM person"))
        ),
        fingerprints=frozenset(map(bytes, connection.scalars(text(statement)))),
        invitations=frozenset(map(plain_key, connection.scalars(text("SELECT id FROM invitation")))),
    )


def elsewhere_in_tables(connection: Connection, marked: Marks) -> Look:
    """Looks through every value of every table, but for the texts of comments themselves."""
    found = []
    looked = 0
    for table in walls.tables(inspect(connection)):
        seen: Counter[str] = Counter()
        for row in _in_rows(connection, table, but="text" if table == "comment" else ""):
            looked += 1
            seen += _answers(row, marked) + _links(row, marked)
        found += [f"{table}: {phrase}" for phrase in _phrases(seen)]
    on = f"{count(looked, 'row')}, for {count(len(marked.texts), 'text')}"
    return Look("A3", "answers and links in other columns", on, tuple(found))


def in_logs(paths: Iterable[Path], marked: Marks) -> Look:
    """Looks for answers, links, addresses and invitations in files, and in all files of directories."""
    files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*")))]
    seen: Counter[str] = Counter()
    obstacle, size, looked = "", 0, 0
    for file in files:
        if not file.is_file():
            continue
        try:
            for portion in _portions(file):
                size += len(portion)
                seen += everything(portion, marked)
            looked += 1
        except (OSError, EOFError):
            obstacle = "Some of these files cannot be read."
    on = f"{count(looked, 'file')}, {count(size, 'byte')}"
    return Look("A7", "answers, links, addresses and invitations in logs", on, tuple(_phrases(seen)), obstacle)


def in_messages(messages: Iterable[bytes], marked: Marks) -> Look:
    """Looks for the same in what waits in a queue; what is packed as base64 is unpacked."""
    seen: Counter[str] = Counter()
    looked = 0
    for message in messages:
        looked += 1
        seen += everything(_unpacked(message), marked)
    on = count(looked, "value")
    return Look("A3", "answers, links, addresses and invitations in redis", on, tuple(_phrases(seen)))


def everything(content: bytes, marked: Marks) -> Counter[str]:
    """How often each kind of trace stands in this content."""
    found = _answers(content, marked) + _links(content, marked)
    found["address"] += sum(each.lower() in marked.addresses for each in _ADDRESS.findall(content))
    invitations = (match.group().replace(b"-", b"").decode() for match in _UUID.finditer(content))
    found["invitation"] += sum(each in marked.invitations for each in invitations)
    return found


def places(content: bytes, marked: Marks) -> Iterator[tuple[int, bytes]]:
    """Where in this content the beginning of a comment stands, and which."""
    # Each beginning is two blocks long, so that wherever it stands, it covers one of these steps.
    seen = set()
    for start in range(0, len(content) - _BLOCK + 1, _BLOCK):
        for begin in marked.blocks.get(content[start : start + _BLOCK], ()):
            at = content.find(begin, max(0, start - LENGTH + _BLOCK), start + LENGTH)
            if at >= 0 and at not in seen:
                seen.add(at)
                yield at, begin


def ratings(content: bytes) -> int:
    """How often a question stands beside an answer."""
    return sum(1 for _ in _RATING.finditer(content))


def _answers(content: bytes, marked: Marks) -> Counter[str]:
    return Counter({"comment": sum(1 for _ in places(content, marked)), "rating": ratings(content)})


def _links(content: bytes, marked: Marks) -> Counter[str]:
    tokens = _TOKEN.findall(content)
    working = sum(hashlib.sha256(token).digest() in marked.fingerprints for token in tokens)
    return Counter({"working link": working, "link-like text": len(tokens) - working})


def _phrases(seen: Counter[str]) -> Iterator[str]:
    return (count(number, kind) for kind, number in seen.items() if number)


def _in_rows(connection: Connection, table: str, *, but: str = "") -> Iterator[bytes]:
    """The values of each row of a table as bytes, one after the other."""
    name = connection.dialect.identifier_preparer.quote(table)
    for row in connection.execute(text(f"SELECT * FROM {name}")).mappings():  # noqa: S608 - a quoted name of a table
        yield b"\0".join(_plain(value) for column, value in row.items() if column != but)


def _plain(value: Any) -> bytes:
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    if isinstance(value, uuid.UUID):
        return value.hex.encode()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False).encode()
    return str(value).encode("utf-8", "surrogatepass")


def _portions(file: Path) -> Iterator[bytes]:
    """The content in portions of whole lines; what was packed by a rotation is unpacked."""
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
        while portion := b"".join(lines.readlines(PORTION)):
            yield portion


def _unpacked(message: bytes) -> bytes:
    """The message with the packed parts of it in plain, twice if it was packed twice."""
    for _ in range(2):
        message = _BASE64.sub(_plain_base64, message)
    return message


def _plain_base64(match: re.Match[bytes]) -> bytes:
    try:
        plain = base64.b64decode(match.group(), validate=True)
        plain.decode()
    except ValueError:
        return match.group()
    return plain
