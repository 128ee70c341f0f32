"""The chain of the audit log, and heads that were kept."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import UTC, datetime

import pytest

from survey.core import audit
from survey.core.audit import Entry, Event, Head, head_of
from survey.core.errors import BadInput

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_an_empty_log_is_whole_unless_a_head_was_kept():
    assert audit.examine([]) == audit.Verdict(0, None)
    assert audit.examine([], kept=Head(1, bytes(32))).is_cut


def test_a_whole_log_has_its_newest_entry_as_its_head():
    entries = chain(3)
    verdict = audit.examine(entries)
    assert verdict.is_whole
    assert verdict.head == Head(3, entries[-1].hash)


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_any_head_that_was_kept_is_found_again(kept):
    entries = chain(3)
    assert audit.examine(entries, kept=Head(kept, entries[kept - 1].hash)).is_whole


def test_entries_that_were_cut_off_show_beside_a_kept_head_and_only_there():
    entries = chain(3)
    assert audit.examine(entries[:2]).is_whole
    assert not audit.examine(entries[:2], kept=Head(3, entries[2].hash)).is_whole


def test_a_log_that_was_written_anew_shows_beside_a_kept_head():
    assert audit.examine(chain(3)).is_whole
    assert audit.examine(chain(3), kept=Head(2, chain(3)[1].hash)).is_cut


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Entry)])
def test_no_field_of_an_entry_can_be_changed_unseen(field):
    others = {
        "number": 7,
        "at": AT.replace(minute=1),
        "event": "report read",
        "actor_id": None,
        "about": uuid.uuid4(),
        "detail": {"people": "3"},
        "hash": bytes(32),
    }
    entries = chain(3)
    entries[1] = dataclasses.replace(entries[1], **{field: others[field]})
    assert audit.examine(entries).first_broken == 2


def test_entries_cannot_change_places_or_come_twice():
    first, second, third = chain(3)
    assert audit.examine([second, first, third]).first_broken == 1
    assert audit.examine([first, third, second]).first_broken == 2
    assert audit.examine([first, second, second]).first_broken == 3


def test_a_head_is_written_down_and_read_back():
    head = Head(12, bytes(range(32)))
    assert head_of(f" {head}\n") == head


@pytest.mark.parametrize("text", ["", "12", "12:", ":" + "a" * 64, "12:" + "a" * 63, "x:" + "a" * 64, "²:" + "a" * 64])
def test_what_is_no_head_is_refused(text):
    with pytest.raises(BadInput, match="looks like"):
        head_of(text)


def chain(length: int) -> list[Entry]:
    entries: list[Entry] = []
    for number in range(1, length + 1):
        entry = Entry(number, AT, Event.CYCLE_OPENED, uuid.uuid4(), uuid.uuid4(), {"people": "2"})
        previous = entries[-1].hash if entries else audit.START
        entries.append(dataclasses.replace(entry, hash=audit.link(entry, previous=previous)))
    return entries
