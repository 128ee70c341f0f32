"""The audit log: whole, in order, and broken by whatever is changed in it."""

from __future__ import annotations

import threading
import uuid

import pytest
from sqlalchemy import delete, update

from survey import context
from survey.core.audit import Event
from survey.services import audit
from survey.store.audit import AuditEntry, record


def test_an_empty_log_is_whole(app):
    with context.reading() as session:
        assert audit.verify(session) is None
        assert audit.newest(session) == []


def test_entries_come_back_newest_first_and_the_log_is_whole(app, clock):
    write(clock, Event.CYCLE_OPENED, Event.CYCLE_CLOSED)
    with context.reading() as session:
        assert [entry.event for entry in audit.newest(session)] == [Event.CYCLE_CLOSED, Event.CYCLE_OPENED]
        assert audit.verify(session) is None


@pytest.mark.parametrize(
    ("damage", "broken"),
    [
        (update(AuditEntry).where(AuditEntry.number == 2).values(detail={"people": "3"}), 2),
        (
            update(AuditEntry).where(AuditEntry.number == 2).values(event="report read"),
            2,
        ),
        (update(AuditEntry).where(AuditEntry.number == 3).values(actor_id=uuid.uuid4()), 3),
        (delete(AuditEntry).where(AuditEntry.number == 1), 1),
        (delete(AuditEntry).where(AuditEntry.number == 2), 2),
    ],
    ids=["detail", "event", "actor", "first gone", "middle gone"],
)
def test_what_was_changed_in_the_log_is_named(app, clock, damage, broken):
    write(clock, Event.CYCLE_OPENED, Event.CYCLE_CLOSED, Event.CYCLE_RELEASED)
    with context.transaction() as session:
        session.execute(damage)
    with context.reading() as session:
        assert audit.verify(session) == broken


def test_entries_written_at_the_same_time_follow_each_other(app, clock):
    def many():
        with app.app_context():
            for _ in range(10):
                write(clock, Event.REPORT_READ)

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with context.reading() as session:
        assert audit.verify(session) is None
        assert len(audit.newest(session)) == 40


def write(clock, *events):
    for event in events:
        with context.transaction() as session:
            record(session, event, actor_id=None, about=uuid.uuid4(), now=clock(), detail={"people": "2"})
