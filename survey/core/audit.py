"""The audit log: what was done to rounds, people and reports, chained by hashes. Knows no rater, and no answer."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from survey.core.errors import BadInput

START = bytes(32)
"""What stands in place of the entry before the first one."""


class Event(StrEnum):
    """What may be written down. None of these is about one rater: who opened, answered or declined is never here."""

    CYCLE_OPENED = "cycle opened"
    CYCLE_CHANGED = "cycle changed"
    RATERS_REMINDED = "raters reminded"
    CYCLE_CLOSED = "cycle closed"
    CYCLE_RELEASED = "cycle released"
    COMMENTS_READ = "comments read"
    COMMENT_WITHHELD = "comment withheld"
    REPORT_READ = "report read"
    REPORT_EXPORTED = "report exported"
    PEOPLE_CHANGED = "people changed"
    PEOPLE_EXPORTED = "people exported"
    READER_CHANGED = "report reader changed"
    ADDRESS_CONFIRMED = "address confirmed"
    PERSON_ERASED = "person erased"
    UNLOCK_REFUSED = "unlock refused"
    AUDITOR_OBJECTED = "auditor objected"
    CUSTODY_CHANGED = "custody changed"
    KEY_UNLOCKED = "key unlocked"
    REPORT_ABANDONED = "report abandoned"
    INVITATIONS_DELETED = "invitations deleted"
    REPORTS_DELETED = "reports deleted"
    RESTORED = "restored from a backup"
    COUNT_GIVEN_UP = "count given up"
    REPORT_GIVEN_UP = "report given up"
    STEP_GIVEN_UP = "step given up"
    CLOCK_ACCEPTED = "clock accepted"
    KEY_MISSING = "key missing"
    KEY_GIVEN_UP = "key given up"
    KEYS_MARKED = "directory of keys marked"

    @property
    def label(self) -> str:
        """The event for people."""
        return _in_words(self.value)


UNREADABLE = "unreadable"
"""Stands in place of the event of an entry that somebody wrote past the program, and that cannot be read."""


@dataclass(frozen=True)
class Entry:
    """One line of the log. `actor_id` is who did it (None: the program), `about` the thing it was done to.

    `number` counts from 1; `hash` covers everything else in it, and the hash of the entry before. `event` is one of
    `Event` unless it was written by another version, or past the program.
    """

    number: int
    at: datetime
    event: str
    actor_id: uuid.UUID | None
    about: uuid.UUID
    detail: dict[str, str]
    hash: bytes = b""

    @property
    def label(self) -> str:
        """The event for people."""
        return _in_words(self.event)


@dataclass(frozen=True)
class Head:
    """The newest entry at some moment. Kept elsewhere, it shows later that nothing before it was cut off."""

    number: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.number}:{self.hash.hex()}"


@dataclass(frozen=True)
class Verdict:
    """What came of looking through the log. `head` is the newest entry before whatever is wrong."""

    entries: int
    head: Head | None
    first_broken: int | None = None
    is_cut: bool = False  # the head that was kept is not there

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.first_broken is None and not self.is_cut


def head_of(text: str) -> Head:
    """The head that was written down as NUMBER:HASH. Raises `BadInput` for anything else."""
    number, _, digest = text.strip().partition(":")
    if not (number.isascii() and number.isdecimal() and re.fullmatch("[0-9a-fA-F]{64}", digest)):
        raise BadInput("A head looks like 12:5f0c…, a number, a colon and 64 letters and digits, as it was shown.")
    return Head(int(number), bytes.fromhex(digest))


def link(entry: Entry, *, previous: bytes) -> bytes:
    """The hash that the entry must have: SHA-256 over its fields as canonical JSON and the hash of the one before."""
    plain = json.dumps(
        [
            entry.number,
            entry.at.isoformat(),
            entry.event,
            str(entry.actor_id) if entry.actor_id else None,
            str(entry.about),
            entry.detail,
            previous.hex(),
        ],
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(plain.encode()).digest()


def examine(entries: Iterable[Entry], *, kept: Head | None = None) -> Verdict:
    """Whether the log is whole, and if not, the first entry that is missing, was changed, or follows another.

    `entries` are in order, from the first. That the newest ones were cut off, or that everything was written anew,
    shows only beside a head that was `kept` elsewhere.
    """
    head = None
    is_cut = kept is not None
    for expected, entry in enumerate(entries, 1):
        previous = head.hash if head else START
        if entry.number != expected or entry.hash != link(entry, previous=previous):
            return Verdict(expected - 1, head, first_broken=expected)
        head = Head(expected, entry.hash)
        is_cut = is_cut and head != kept
    return Verdict(head.number if head else 0, head, is_cut=is_cut)


def _in_words(event: str) -> str:
    """People call a cycle a round."""
    return event.replace("cycle", "round").capitalize()
