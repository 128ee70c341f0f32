"""What somebody with the key makes of one copy of the database, taken while people answer (A21)."""

from __future__ import annotations

import sqlite3
import struct
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from nacl.public import PrivateKey
from sqlalchemy import Engine, text

from survey import context
from survey.store import envelopes
from tests.attacks.rounds import Crowd

Pairs = Iterable[tuple[uuid.UUID, bytes]]
"""Raters, and the box that the attacker takes for theirs."""

TUPLE_HEADER = 24
WAL_HEADER, FRAME_HEADER = 32, 24


def linked(crowd: Crowd) -> dict[str, int]:
    """How many raters each attack names rightly, whose answer it can read. An order is tried in both directions."""
    key = context.installation().keyring.read(crowd.cycle_id)
    is_on_postgresql = crowd.engine.dialect.name == "postgresql"
    attacks = POSTGRESQL if is_on_postgresql else SQLITE
    return {name: _right(crowd, key, attack(crowd)) for name, attack in attacks.items()}


def _right(crowd: Crowd, key: PrivateKey, pairs: Pairs) -> int:
    guesses = list(pairs)
    backwards = zip([rater for rater, _ in guesses], [box for _, box in reversed(guesses)], strict=True)
    return max(_named(crowd, key, guesses), _named(crowd, key, backwards))


def _named(crowd: Crowd, key: PrivateKey, pairs: Pairs) -> int:
    return sum(crowd.truth.get(rater) == _word(box, key) for rater, box in pairs)


def _word(box: bytes, key: PrivateKey) -> str:
    comments = envelopes.unseal(box, key).answers.comments
    return next(iter(comments.values())).split()[0]


def by_transaction(crowd: Crowd) -> Pairs:
    """The one box that was written in the transaction of a rater's mark."""
    statement = """
        SELECT rater_id, (array_agg(box))[1] FROM invitation JOIN envelope ON envelope.xmin = invitation.xmin
        WHERE state = 'done' GROUP BY 1 HAVING count(*) = 1
    """
    return _rows(crowd.engine, statement)


def by_the_transaction_of_the_box(crowd: Crowd) -> Pairs:
    """As above, where PostgreSQL keeps what is too long for a row: pieces with a transaction of their own."""
    statement = f"""
        SELECT rater_id, (array_agg(whole.box))[1] FROM invitation JOIN (
            SELECT xmin::text AS written, chunk_id, string_agg(chunk_data, '' ORDER BY chunk_seq) AS box
            FROM {_toast(crowd.engine)} GROUP BY 1, 2
        ) AS whole ON whole.written = invitation.xmin::text
        WHERE state = 'done' GROUP BY 1 HAVING count(*) = 1
    """
    return _rows(crowd.engine, statement)


def by_nearest_transaction(crowd: Crowd) -> Pairs:
    """The first box that was written with the mark or after it, where it is the only one."""
    statement = """
        SELECT rater_id, (array_agg(box))[1] FROM invitation JOIN LATERAL (
            SELECT box, rank() OVER (ORDER BY age(envelope.xmin) DESC) AS place FROM envelope
            WHERE age(envelope.xmin) <= age(invitation.xmin)
        ) AS after ON place = 1 WHERE state = 'done' GROUP BY 1 HAVING count(*) = 1
    """
    return _rows(crowd.engine, statement)


def by_place(crowd: Crowd) -> Pairs:
    """Marks and boxes side by side, each as they lie in their table."""
    marks = _rows(crowd.engine, "SELECT rater_id, '' FROM invitation WHERE state = 'done' ORDER BY ctid")
    boxes = _rows(crowd.engine, "SELECT '', box FROM envelope ORDER BY ctid")
    return [(rater, box) for (rater, _), (_, box) in zip(marks, boxes, strict=True)]


def by_the_number_of_the_box(crowd: Crowd) -> Pairs:
    """Boxes by the number that PostgreSQL counts up for their pieces, beside the order in which people came."""
    statement = f"""
        SELECT '', string_agg(chunk_data, '' ORDER BY chunk_seq) FROM {_toast(crowd.engine)}
        GROUP BY chunk_id ORDER BY chunk_id::bigint
    """
    return _in_order(crowd, [box for _, box in _rows(crowd.engine, statement)])


def by_place_in_the_file(crowd: Crowd) -> Pairs:
    """Boxes as their ends lie in SQLite's file, page by page, beside the order in which people came."""
    with crowd.engine.connect() as connection:
        content = connection.connection.driver_connection.serialize()
    boxes = [box for _, box in _rows(crowd.engine, "SELECT '', box FROM envelope")]
    there = sorted(boxes, key=lambda box: content.find(box[-200:]))
    return _in_order(crowd, [box for box in there if box[-200:] in content])


def by_the_log(crowd: Crowd) -> Pairs:
    """SQLite's log played back commit by commit: whose mark came, and which box came with it."""
    marked: set[str] = set()
    there: set[str] = set()
    pairs = []
    for number, image in enumerate(_history(crowd.engine)):
        marks = dict(image.execute("SELECT id, rater_id FROM invitation WHERE state = 'done'").fetchall())
        boxes = dict(image.execute("SELECT id, box FROM envelope").fetchall())
        came, brought = set(marks) - marked, set(boxes) - there
        if number and len(came) == len(brought) == 1:
            pairs.append((uuid.UUID(marks[came.pop()]), boxes[brought.pop()]))
        marked, there = set(marks), set(boxes)
        image.close()
    return pairs


def _history(engine: Engine) -> Iterator[sqlite3.Connection]:
    """The database as its file has it, and then as it was after each commit that is in its log."""
    path = _file(engine)
    content = bytearray(path.read_bytes())
    log = path.with_name(path.name + "-wal")
    frames = log.read_bytes() if log.exists() else b""
    (size,) = struct.unpack(">H", content[16:18])
    yield _opened(content)
    for at in range(WAL_HEADER, len(frames), FRAME_HEADER + size):
        page, committed = struct.unpack_from(">II", frames, at)
        content.extend(bytes(max(0, page * size - len(content))))
        content[(page - 1) * size : page * size] = frames[at + FRAME_HEADER : at + FRAME_HEADER + size]
        if committed:
            yield _opened(content[: committed * size])


def _opened(content: bytes | bytearray) -> sqlite3.Connection:
    image = sqlite3.connect(":memory:")
    # Marked as a database without a log, which memory has no place for.
    image.deserialize(bytes(content[:18]) + b"\x01\x01" + bytes(content[20:]))
    return image


def transactions_in_the_file(engine: Engine) -> Counter[int]:
    """Transactions named in the file of raters' rows, as its bytes have them: also where no row is any more."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CHECKPOINT")
        folder = connection.scalar(text("SHOW data_directory"))
        name = connection.scalar(text("SELECT pg_relation_filepath('invitation')"))
        raters = connection.scalars(text("SELECT id FROM invitation")).all()
    content = (Path(folder) / name).read_bytes()
    found: Counter[int] = Counter()
    for rater in raters:
        at = content.find(rater.bytes)
        while at >= 0:
            found.update(struct.unpack_from("<II", content, at - TUPLE_HEADER))
            at = content.find(rater.bytes, at + 1)
    return found


def _in_order(crowd: Crowd, boxes: Sequence[bytes]) -> Pairs:
    came = [rater for rater in crowd.order if rater in crowd.truth]
    return list(zip(came, boxes, strict=False))


def _rows(engine: Engine, statement: str) -> list[tuple]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def _toast(engine: Engine) -> str:
    return _rows(engine, "SELECT reltoastrelid::regclass::text FROM pg_class WHERE relname = 'envelope'")[0][0]


def _file(engine: Engine) -> Path:
    return Path(engine.url.database or "")


POSTGRESQL: dict[str, Callable[[Crowd], Pairs]] = {
    "same xmin": by_transaction,
    "same xmin, pieces": by_the_transaction_of_the_box,
    "next xmin": by_nearest_transaction,
    "ctid": by_place,
    "number of pieces": by_the_number_of_the_box,
}
SQLITE: dict[str, Callable[[Crowd], Pairs]] = {
    "log": by_the_log,
    "place in the file": by_place_in_the_file,
}
