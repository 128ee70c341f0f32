"""The audit log: whole, in order, never changed by the program, and broken by whoever goes past it."""

from __future__ import annotations

import ast
import contextlib
import re
import threading
import uuid
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError

from survey import context
from survey.core.audit import UNREADABLE, Event, Head
from survey.services import audit, cycles, drafts
from survey.store.audit import GUARDS, AuditEntry, record, record_once_a_day
from survey.store.invitations import Invitation
from tasks import cycles as tasks

ROOT = Path(__file__).resolve().parents[2]


def test_an_empty_log_is_whole(app):
    with context.reading() as session:
        assert audit.verify(session).is_whole
        assert audit.newest(session) == []


def test_entries_come_back_newest_first_and_the_log_is_whole(app, clock):
    write(clock, Event.CYCLE_OPENED, Event.CYCLE_CLOSED, Event.CYCLE_RELEASED)
    with context.reading() as session:
        assert [entry.event for entry in audit.newest(session, limit=2)] == [Event.CYCLE_RELEASED, Event.CYCLE_CLOSED]
        assert [entry.number for entry in audit.newest(session, before=2)] == [1]
        assert [entry.number for entry in audit.newest(session, event=Event.CYCLE_CLOSED)] == [2]
        verdict = audit.verify(session)
    assert (verdict.is_whole, verdict.entries) == (True, 3)


def test_a_log_longer_than_what_is_read_at_once_is_looked_through_to_its_end(app, clock, monkeypatch):
    monkeypatch.setattr(audit, "AT_ONCE", 3)
    write(clock, *[Event.REPORT_READ] * 10)
    with context.reading() as session:
        assert audit.verify(session).entries == 10
    past_the_program("UPDATE audit_entry SET event = 'report lost' WHERE number = 8")
    with context.reading() as session:
        assert audit.verify(session).first_broken == 8


@pytest.mark.parametrize(
    ("damage", "broken"),
    [
        (update(AuditEntry).where(AuditEntry.number == 2).values(detail={"people": "3"}), 2),
        (update(AuditEntry).where(AuditEntry.number == 2).values(event="report read"), 2),
        (update(AuditEntry).where(AuditEntry.number == 2).values(event="never heard of"), 2),
        (update(AuditEntry).where(AuditEntry.number == 3).values(actor_id=uuid.uuid4()), 3),
        (update(AuditEntry).where(AuditEntry.number == 2).values(hash=b"short"), 2),
        ("UPDATE audit_entry SET detail = '[1, 2]' WHERE number = 2", 2),
        ("UPDATE audit_entry SET detail = 'null' WHERE number = 2", 2),
        ("UPDATE audit_entry SET number = 4 WHERE number = 1", 1),
        ("UPDATE audit_entry SET number = -1 WHERE number = 1", 1),
        (delete(AuditEntry).where(AuditEntry.number == 1), 1),
        (delete(AuditEntry).where(AuditEntry.number == 2), 2),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_was_changed_in_the_log_is_named(app, clock, damage, broken):
    write(clock, Event.CYCLE_OPENED, Event.CYCLE_CLOSED, Event.CYCLE_RELEASED)
    past_the_program(damage)
    with context.reading() as session:
        assert audit.verify(session).first_broken == broken
        assert len(audit.newest(session)) >= 2


@pytest.mark.parametrize(
    "damage",
    ["at = 'soon'", "about = 'somebody'", "actor_id = 'nobody'", "detail = '{'", "hash = 'text'", "event = x'ff00'"],
)
def test_an_entry_that_cannot_be_read_is_named_and_hides_no_other(company, clock, damage):
    recorded(company, clock)
    try:
        past_the_program(f"UPDATE audit_entry SET {damage} WHERE number = 2")
    except DBAPIError:
        # PostgreSQL takes little into a column that is not of its type.
        assert context.installation().engine.dialect.name == "postgresql"
        return
    with context.reading() as session:
        assert audit.verify(session).first_broken == 2
        entries = audit.newest(session)
    assert [entry.number for entry in entries][-3:] == [3, 2, 1]
    assert {entry.event for entry in entries if entry.number != 2} == {Event.PEOPLE_CHANGED}
    if context.installation().engine.dialect.name == "sqlite" and damage.split()[0] in {"at", "about", "detail"}:
        assert entries[-2].event == UNREADABLE
    assert "The log is not whole: entry 2" in company.sign_in("noor").get("/log").text


def test_cutting_off_the_newest_entries_shows_beside_a_head_that_was_kept(app, clock):
    write(clock, Event.CYCLE_OPENED, Event.CYCLE_CLOSED)
    with context.reading() as session:
        kept = audit.verify(session).head
    past_the_program("DELETE FROM audit_entry WHERE number = 2")
    write(clock, Event.CYCLE_RELEASED)
    with context.reading() as session:
        assert audit.verify(session).is_whole
        assert audit.verify(session, kept=kept).is_cut
        assert audit.verify(session, kept=Head(1, audit.newest(session)[-1].hash)).is_whole


def test_entries_written_at_the_same_time_follow_each_other(app, clock):
    def many():
        with app.app_context():
            for _ in range(10):
                write(clock, Event.REPORT_READ)

    at_once(many, 4)
    with context.reading() as session:
        assert audit.verify(session).entries == 40
        assert audit.verify(session).is_whole


def test_what_is_recorded_once_a_day_is_so_for_each_person_and_thing_even_at_the_same_time(app, clock):
    reader, other, about = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()

    def look(actor_id=reader, about=about):
        with app.app_context(), context.transaction() as session:
            record_once_a_day(session, Event.REPORT_READ, actor_id=actor_id, about=about, now=clock())

    at_once(look, 6)
    assert numbers() == [1]
    look(actor_id=other)
    look(about=uuid.uuid4())
    look(actor_id=None)
    look(actor_id=None)
    assert numbers() == [1, 2, 3, 4]
    clock.move(hours=14, minutes=59)
    look()
    assert numbers() == [1, 2, 3, 4]
    clock.move(minutes=1)  # midnight, UTC
    look()
    assert numbers() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("statement", ["UPDATE audit_entry SET event = 'x'", "DELETE FROM audit_entry", "TRUNCATE"])
def test_the_database_itself_refuses_to_change_an_entry(app, clock, statement):
    write(clock, Event.CYCLE_OPENED)
    is_postgresql = context.installation().engine.dialect.name == "postgresql"
    if statement == "TRUNCATE":
        # SQLite knows no such word; there it is a DELETE.
        statement = "TRUNCATE audit_entry" if is_postgresql else "DELETE FROM audit_entry WHERE 1"
    with pytest.raises(DBAPIError, match="never changed or deleted"), context.transaction() as session:
        session.execute(text(statement))
    assert numbers() == [1]


def test_the_program_has_no_statement_that_could_change_an_entry():
    """Three modules know the table, and none of them changes or deletes anything in it."""
    knowing = {}
    for path in [*(ROOT / "survey").rglob("*.py"), *(ROOT / "tasks").rglob("*.py")]:
        source = path.read_text()
        if re.search(r"AuditEntry|audit_entry", source):
            knowing[path.relative_to(ROOT).as_posix()] = ast.parse(source)
    inspecting = "survey/store/inspection/walls.py"
    assert knowing.keys() == {"survey/store/audit.py", "survey/store/schema.py", "survey/services/audit.py", inspecting}
    for name, tree in knowing.items():
        called = {
            node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, (ast.Attribute, ast.Name))
        }
        assert not called & {"update", "delete", "merge"}, name
        spelled = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        assert not [word for word in spelled if re.match(r"\s*(UPDATE|DELETE|TRUNCATE|DROP|ALTER)\b", str(word))], name


def test_what_is_done_to_a_round_is_recorded_with_who_did_it(company, clock):
    before = len(numbers())
    cycle_id, review_id = company.open()
    with context.transaction() as session:
        closes_at = clock().replace(day=20)
        cycles.move_end(session, cycle_id, closes_at, actor_id=company.ids["noor"], now=clock())
    company.answer(company.tokens()["ana"])
    company.close(cycle_id)
    company.count()
    company.release(cycle_id)
    marta, noor = company.ids["marta"], company.ids["noor"]
    with context.reading() as session:
        entries = audit.newest(session, limit=100)[::-1][before:]
        rounds = [(entry.event, entry.actor_id, entry.about) for entry in entries]
        invited = set(session.scalars(select(Invitation.id)))
    assert rounds == [
        (Event.CYCLE_OPENED, marta, cycle_id),
        (Event.CYCLE_CHANGED, noor, cycle_id),
        (Event.CYCLE_CLOSED, marta, cycle_id),
        (Event.CYCLE_RELEASED, marta, cycle_id),
    ]
    assert entries[1].detail == {"last day": "2026-03-20", "before": "2026-03-16"}
    # Nothing of a rater: no key of theirs, and no number that changes when one of them answers.
    told = str(entries)
    strangers = set(company.ids.values()) - {marta, noor}
    assert not [key for key in strangers | invited | {review_id} if str(key) in told or repr(key) in told]


def test_a_draft_leaves_no_trace_in_the_log(company, clock):
    before = numbers()
    cycle_id, _ = company.draft()
    with context.transaction() as session:
        cycles.move_end(session, cycle_id, clock().replace(day=20), actor_id=None, now=clock())
        drafts.discard(session, cycle_id)
    assert numbers() == before


def test_a_round_that_ends_by_date_was_closed_by_the_program(company, clock):
    first, _ = company.open()
    second, _ = company.open(days=13)
    clock.move(days=14)
    assert tasks.close_due() == 2
    with context.reading() as session:
        entries = audit.newest(session, event=Event.CYCLE_CLOSED)
    assert {entry.about for entry in entries} == {first, second}
    assert {(entry.actor_id, entry.detail["how"]) for entry in entries} == {(None, "its last day was over")}


def test_what_failed_is_not_recorded(company):
    cycle_id, _ = company.open()
    before = numbers()
    with contextlib.suppress(ValueError), context.transaction() as session:
        cycles.close(session, cycle_id, actor_id=None, now=context.now())
        raise ValueError("the page broke down after this")
    assert numbers() == before


def write(clock, *events):
    for event in events:
        with context.transaction() as session:
            record(session, event, actor_id=None, about=uuid.uuid4(), now=clock(), detail={"people": "2"})


def recorded(company, clock):
    """The company with an entry for each of its people, as if they had been added one by one."""
    with context.transaction() as session:
        for person_id in company.ids.values():
            record(session, Event.PEOPLE_CHANGED, actor_id=None, about=person_id, now=clock(), detail={"added": "1"})
    return company


def numbers():
    with context.reading() as session:
        return sorted(session.scalars(select(AuditEntry.number)))


def past_the_program(damage):
    """What somebody does who owns the database: the guards come off first."""
    engine = context.installation().engine
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            for name in GUARDS:
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
        else:
            connection.exec_driver_sql("ALTER TABLE audit_entry DISABLE TRIGGER USER")
        connection.execute(text(damage) if isinstance(damage, str) else damage)


def at_once(work, times):
    threads = [threading.Thread(target=work) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
