"""The attackers: what somebody with the database, its files or a dump can do. None of them knows the program's keys.

Each is run against a weakened build, where it must succeed, and then against the program.
"""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey
from sqlalchemy import Engine, inspect, text

from survey.core import codes
from survey.core.responses import Response
from survey.store import envelopes

Guess = Mapping[uuid.UUID, str]
"""Raters, and the text that the attacker takes for theirs."""


@dataclass(frozen=True)
class Place:
    """Where answers can be read: a column, and which rows of its table."""

    table: str
    column: str
    where: str = "TRUE"

    def ordered(self, engine: Engine, by: str) -> list[str]:
        """The texts in the order of an expression."""
        statement = f"SELECT {self.column} FROM {self.table} WHERE {self.where} ORDER BY {by}"
        with engine.connect() as connection:
            return list(connection.scalars(text(statement)))


@dataclass(frozen=True)
class Result:
    """How far an attacker came: raters whose text was named, and how close the guessed order is to the true one."""

    links: int
    correlation: float

    @property
    def is_chance(self) -> bool:
        """Whether guessing would do as well.

        A random order of any length puts one text in its place on average, and more than ten once in 10 ** 8 times.
        For 200 texts Spearman's coefficient has a deviation of 0.07 by chance; 0.35 is five of them.
        """
        return self.links <= 10 and abs(self.correlation) < 0.35


def recover(engine: Engine, place: Place, order: Sequence[uuid.UUID], truth: Guess) -> dict[str, Result]:
    """What each attacker gets out of this database, who knows in which order people answered."""
    attacks = POSTGRESQL if engine.dialect.name == "postgresql" else SQLITE
    found: dict[str, Result] = {}
    for attack in attacks:
        for name, guess in attack(engine, place, order):
            backwards = dict(zip(guess, reversed(guess.values()), strict=True))
            found[name] = max((_score(each, order, truth) for each in (guess, backwards)), key=lambda each: each.links)
    return found


def _score(guess: Guess, order: Sequence[uuid.UUID], truth: Guess) -> Result:
    author = {word: rater for rater, word in truth.items()}
    named = {rater: author.get(_word(said)) for rater, said in guess.items()}
    position = {rater: number for number, rater in enumerate(order)}
    # Who is taken for the author of several texts has no place in an order.
    times = Counter(named.values())
    pairs = [(position[rater], position[one]) for rater, one in named.items() if one is not None and times[one] == 1]
    return Result(sum(rater == one for rater, one in named.items()), _spearman(pairs))


def _word(said: str) -> str:
    return next((word for word in said.replace('"', " ").split() if len(word) == 16 and word.isalnum()), "")


def _spearman(pairs: Sequence[tuple[int, int]]) -> float:
    """Spearman's coefficient of two orders without ties; 0 for fewer than ten pairs."""
    if len(pairs) < 10:
        return 0.0
    columns = [sorted(range(len(pairs)), key=lambda index: pairs[index][side]) for side in (0, 1)]
    ranks = [{index: rank for rank, index in enumerate(column)} for column in columns]
    squares = sum((ranks[0][index] - ranks[1][index]) ** 2 for index in range(len(pairs)))
    return 1 - 6 * squares / (len(pairs) * (len(pairs) ** 2 - 1))


Attack = Callable[[Engine, Place, Sequence[uuid.UUID]], Iterator[tuple[str, Guess]]]


def by_transaction(engine: Engine, place: Place, order: Sequence[uuid.UUID]) -> Iterator[tuple[str, Guess]]:
    """PostgreSQL: the text that was written in the same transaction as the bit of participation."""
    statement = f"""
        SELECT invitation.rater_id, min({place.column}) FROM invitation
        JOIN {place.table} ON {place.table}.xmin = invitation.xmin
        WHERE {place.where} AND state = 'done' GROUP BY 1 HAVING count(*) = 1
    """
    with engine.connect() as connection:
        yield "same xmin", dict(connection.execute(text(statement)).all())


def by_nearest_transaction(engine: Engine, place: Place, order: Sequence[uuid.UUID]) -> Iterator[tuple[str, Guess]]:
    """PostgreSQL: the first text that was written after the bit of participation, and the last one before."""
    for name, comparison, direction in (("next xmin", "<=", "DESC"), ("previous xmin", ">=", "ASC")):
        statement = f"""
            SELECT rater_id, {place.column} FROM invitation, LATERAL (
                SELECT {place.column} FROM {place.table}
                WHERE {place.where} AND age({place.table}.xmin) {comparison} age(invitation.xmin)
                ORDER BY age({place.table}.xmin) {direction} LIMIT 1
            ) AS nearest WHERE state = 'done'
        """
        with engine.connect() as connection:
            yield name, dict(connection.execute(text(statement)).all())


def by_place_in_the_heap(engine: Engine, place: Place, order: Sequence[uuid.UUID]) -> Iterator[tuple[str, Guess]]:
    """PostgreSQL: the texts as they lie in the table's file."""
    yield "ctid", dict(zip(order, place.ordered(engine, "ctid"), strict=False))


def by_row_number(engine: Engine, place: Place, order: Sequence[uuid.UUID]) -> Iterator[tuple[str, Guess]]:
    """SQLite: the texts by the row number, where the table has one."""
    with engine.connect() as connection:
        written = connection.scalar(text(f"SELECT sql FROM sqlite_master WHERE name = '{place.table}'"))
    if "WITHOUT ROWID" not in written:
        yield "rowid", dict(zip(order, place.ordered(engine, "rowid"), strict=False))


def by_any_column(engine: Engine, place: Place, order: Sequence[uuid.UUID]) -> Iterator[tuple[str, Guess]]:
    """Either: the texts in the order of each column, and as the database happens to give them."""
    for column in ["(SELECT 1)", *(f'"{each["name"]}"' for each in inspect(engine).get_columns(place.table))]:
        if column.strip('"') != place.column:
            yield f"ORDER BY {column}", dict(zip(order, place.ordered(engine, column), strict=False))


def by_place_in_the_file(engine: Engine, place: Place, order: Sequence[uuid.UUID]) -> Iterator[tuple[str, Guess]]:
    """SQLite: the texts as they lie in the database's file, and in its log, page by page."""
    texts = place.ordered(engine, "1")
    for name, content in files(engine).items():
        found = {said: content.find(said.encode()) for said in texts}
        there = sorted((at, said) for said, at in found.items() if at >= 0)
        yield f"place in {name}", dict(zip(order, (said for _, said in there), strict=False))


POSTGRESQL: tuple[Attack, ...] = (by_transaction, by_nearest_transaction, by_place_in_the_heap, by_any_column)
SQLITE: tuple[Attack, ...] = (by_row_number, by_any_column, by_place_in_the_file)


def files(engine: Engine) -> dict[str, bytes]:
    """The files of an SQLite database as they lie on the disk."""
    path = Path(engine.url.database or "")
    found = {suffix: path.with_name(path.name + suffix) for suffix in ("", "-wal", "-journal")}
    return {f"the file{suffix}": file.read_bytes() for suffix, file in found.items() if file.exists()}


def dump(engine: Engine) -> dict[str, bytes]:
    """All rows of every table as one who has a dump reads them, and the files where there are any."""
    with engine.connect() as connection:
        found = {
            table: b"\n".join(
                b"\t".join(_plain(value) for value in row)
                for row in connection.execute(text(f'SELECT * FROM "{table}"')).all()
            )
            for table in inspect(connection).get_table_names()
        }
    return found | (files(engine) if engine.dialect.name == "sqlite" else {})


def _plain(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return (json.dumps(value) if isinstance(value, dict | list) else str(value)).encode()


def read(content: Mapping[str, bytes], words: Iterable[str]) -> Counter[str]:
    """How many of these words stand where."""
    words = list(words)
    return Counter({name: sum(word.encode() in plain for word in words) for name, plain in content.items()})


def sizes(engine: Engine) -> int:
    """How many kinds of answers can be told apart by the size of their boxes."""
    with engine.connect() as connection:
        return len(connection.scalars(text("SELECT DISTINCT length(box) FROM envelope")).all())


def candidate_keys(secrets: Iterable[bytes], dumps: Iterable[Mapping[str, bytes]], folder: Path) -> set[bytes]:
    """Every 32 bytes that could be a key, and 16 that could be a draft's secret.

    Files, values of a dump, secrets, and what is commonly made of them.
    """
    found = {file.read_bytes() for file in folder.rglob("*") if file.is_file()} if folder.exists() else set()
    for each in dumps:
        for content in each.values():
            found |= {value for row in content.split(b"\n") for value in row.split(b"\t")}
    material = set(secrets) | {value for value in found if 16 <= len(value) <= 64}
    found |= {derive(value) for value in material for derive in (_sha256, _blake2b)} | material
    found |= {bytes.fromhex(value.decode()) for value in material if _is_hex(value)}
    return found_of(32, found) | found_of(codes.SECRET_SIZE, found)


def found_of(size: int, values: Iterable[bytes]) -> set[bytes]:
    """Those of the values that have this size."""
    return {value for value in values if len(value) == size}


def _sha256(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def _blake2b(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=32).digest()


def _is_hex(value: bytes) -> bool:
    return len(value) == 64 and all(byte in b"0123456789abcdef" for byte in value)


def opened(boxes: Sequence[bytes], keys: Iterable[bytes]) -> list[Response]:
    """The envelopes that any of these keys opens."""
    found = []
    for key in found_of(PrivateKey.SIZE, keys):
        try:
            # All boxes of a cycle are sealed to one key: who opens the first opens all.
            envelopes.unseal(boxes[0], PrivateKey(key))
        except CryptoError:
            continue
        found += [envelopes.unseal(box, PrivateKey(key)) for box in boxes]
    return found


def drafts_opened(
    boxes: Mapping[bytes, bytes], invitations: Iterable[uuid.UUID], keys: Iterable[bytes]
) -> dict[uuid.UUID, Response]:
    """The drafts that can be read and traced to an invitation with any of these secrets."""
    found = {}
    keys = list(keys)
    for invitation in invitations:
        for key in (
            *keys,
            invitation.bytes,
            _sha256(invitation.bytes),
            *(_sha256(each + invitation.bytes) for each in keys),
        ):
            box = boxes.get(envelopes.draft_id(key, invitation))
            if box is not None:
                found[invitation] = envelopes.unlock(box, key, invitation)
    return found


def is_random(content: bytes) -> bool:
    """Whether the bytes are spread as evenly as random ones (Shannon's entropy of 7 KiB: 7.97 bits, give or take)."""
    shares = (number / len(content) for number in Counter(content).values())
    return -sum(share * math.log2(share) for share in shares) > 7.9
