"""What lies sealed, and what should be gone: envelopes, drafts, links, and mail on its way."""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator

from sqlalchemy import Connection, select, text

from survey.core.letters import Kind
from survey.store import schema
from survey.store.inspection.looks import Look, count, plain_key
from survey.store.outbox import DIGEST

TOLERANCE = 0.1
"""Bits per byte by which a box may fall short of random bytes. Text falls short by more than two."""

EPHEMERAL = 32
"""The bytes at the start of a box that are made anew for each: a public key, or a nonce and what follows it."""


def look(connection: Connection) -> Iterator[Look]:
    """Boxes that tell something by their size or content, and rows that outlived their purpose."""
    yield _boxes(connection, "envelope", "A3", "envelopes that differ in size or can be read")
    total, left = _two_counts(
        connection,
        "SELECT count(*), count(*) FILTER (WHERE is_tallied OR phase IN ('tallied', 'released', 'archived')) "
        "FROM envelope JOIN review ON review.id = review_id JOIN cycle ON cycle.id = cycle_id",
    )
    found = (f"envelope: {count(left, 'row')}",) if left else ()
    yield Look("A4", "envelopes of reviews that are counted", count(total, "row"), found)
    yield _boxes(connection, "draft", "A14", "drafts that differ in size or can be read")
    total, left = _two_counts(
        connection,
        "SELECT count(*), count(*) FILTER (WHERE phase <> 'open') FROM draft JOIN cycle ON cycle.id = cycle_id",
    )
    found = (f"draft: {count(left, 'row')}",) if left else ()
    yield Look("A14", "drafts of rounds that are not open", count(total, "row"), found)
    yield _tokens(connection)
    yield _outbox(connection)


def _boxes(connection: Connection, table: str, attack: str, tried: str) -> Look:
    boxes = schema.metadata.tables[table].c.box
    sizes: Counter[int] = Counter()
    begins: Counter[bytes] = Counter()
    readable = 0
    for box in connection.scalars(select(boxes)):
        content = bytes(box)
        sizes[len(content)] += 1
        begins[content[:EPHEMERAL]] += 1
        readable += _falls_short(content) or len(zlib.compress(content, 9)) < len(content)
    found = []
    if len(sizes) > 1:
        found.append(f"{table}: {count(len(sizes), 'different size')}")
    if readable:
        found.append(f"{table}: {count(readable, 'box')} not sealed")
    if repeated := sum(number for number in begins.values() if number > 1):
        found.append(f"{table}: {count(repeated, 'box')} that begin alike")
    return Look(attack, tried, count(sizes.total(), "box"), tuple(found))


def _falls_short(content: bytes) -> bool:
    """Whether the bytes are less evenly spread than random ones.

    Shannon's entropy of n random bytes is about 8 - 255 / (2 n ln 2) bits per byte (G. A. Miller, "Note on the bias
    of information estimates", 1955); that of a box of 7 KiB varies by 0.002.
    """
    n = len(content)
    entropy = -sum(number / n * math.log2(number / n) for number in Counter(content).values())
    return entropy < 8 - 255 / (2 * n * math.log(2)) - TOLERANCE


def _two_counts(connection: Connection, statement: str) -> tuple[int, int]:
    total, some = connection.execute(text(statement)).one()
    return int(total), int(some)


def _tokens(connection: Connection) -> Look:
    """Links whose invitation waits for nothing, and what is no hash."""
    total, over = _two_counts(
        connection,
        "SELECT count(*), count(*) FILTER (WHERE state <> 'open' OR phase <> 'open') FROM invitation_token "
        "JOIN invitation ON invitation.id = invitation_id JOIN review ON review.id = review_id "
        "JOIN cycle ON cycle.id = cycle_id",
    )
    _, plain = _two_counts(
        connection, "SELECT count(*), count(*) FILTER (WHERE length(hash) <> 32) FROM invitation_token"
    )
    found = []
    if over:
        found.append(f"invitation_token: {count(over, 'row')} for invitations that wait for nothing")
    if plain:
        found.append(f"invitation_token: {count(plain, 'row')} with something else than a hash")
    return Look("A3", "links that should be gone or could be used", count(total, "row"), tuple(found))


def _outbox(connection: Connection) -> Look:
    """Rows that hold more than a kind, whom it is to, what it is about, and when it is due."""
    secret = {
        plain_key(key)
        for table in ("invitation", "envelope")
        for key in connection.scalars(text(f"SELECT id FROM {table}"))  # noqa: S608 - names of ours
    }
    known = {*Kind, DIGEST}
    looked = talkative = leading = 0
    for kind, slot, reference in connection.execute(text("SELECT kind, slot, reference FROM outbox")):
        looked += 1
        talkative += kind not in known or not _SLOT.fullmatch(slot)
        leading += plain_key(reference) in secret or plain_key(slot) in secret
    found = []
    if talkative:
        found.append(f"outbox: {count(talkative, 'row')} with words of their own")
    if leading:
        found.append(f"outbox: {count(leading, 'row')} naming an invitation or an envelope")
    return Look("A3", "mail on its way that holds more than a reference", count(looked, "row"), tuple(found))


# The name of a reminder, a day, or a random number: too short and too plain for a link's secret or an address.
_SLOT = re.compile(r"[a-z0-9-]{0,36}")
