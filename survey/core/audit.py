"""The audit log: what was done to rounds, people and reports, chained by hashes. Knows no rater, and no answer."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

START = bytes(32)
"""What stands in place of the entry before the first one."""


class Event(StrEnum):
    """What may be written down. None of these is about one rater: who opened, answered or declined is never here."""

    CYCLE_OPENED = "cycle opened"
    CYCLE_CHANGED = "cycle changed"
    CYCLE_CLOSED = "cycle closed"
    CYCLE_RELEASED = "cycle released"
    COMMENT_WITHHELD = "comment withheld"
    REPORT_READ = "report read"
    REPORT_EXPORTED = "report exported"
    PEOPLE_CHANGED = "people changed"
    PEOPLE_EXPORTED = "people exported"
    PERSON_ERASED = "person erased"
    UNLOCK_REFUSED = "unlock refused"
    AUDITOR_OBJECTED = "auditor objected"
    CUSTODY_CHANGED = "custody changed"
    KEY_UNLOCKED = "key unlocked"
    REPORT_ABANDONED = "report abandoned"

    @property
    def label(self) -> str:
        """The event for people."""
        return self.value.capitalize()


@dataclass(frozen=True)
class Entry:
    """One line of the log. `actor_id` is who did it (None: the program), `about` the thing it was done to.

    `number` counts from 1; `hash` covers everything else in it, and the hash of the entry before.
    """

    number: int
    at: datetime
    event: Event
    actor_id: uuid.UUID | None
    about: uuid.UUID
    detail: Mapping[str, str]
    hash: bytes = b""


def link(entry: Entry, *, previous: bytes) -> bytes:
    """The hash that the entry must have: SHA-256 over its fields as canonical JSON and the hash of the one before."""
    plain = json.dumps(
        [
            entry.number,
            entry.at.isoformat(),
            entry.event,
            str(entry.actor_id) if entry.actor_id else None,
            str(entry.about),
            dict(entry.detail),
            previous.hex(),
        ],
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(plain.encode()).digest()


def first_broken(entries: Iterable[Entry]) -> int | None:
    """The number of the first entry that is missing, was changed, or does not follow the one before; None if none.

    `entries` are in order, from the first. That the newest ones were cut off shows only beside a hash that somebody
    kept elsewhere.
    """
    previous = START
    for expected, entry in enumerate(entries, 1):
        if entry.number != expected or entry.hash != link(entry, previous=previous):
            return expected
        previous = entry.hash
    return None
