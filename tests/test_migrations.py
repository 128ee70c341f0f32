"""Migrations: up, down and up again on both databases, and the tables are those of the models."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from survey.core import disclosure
from survey.core.disclosure import Band, Group
from survey.store import base, reports, schema
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation
from survey.store.mailings import Mailing
from survey.store.outbox import Mail
from survey.store.people import Person


@pytest.fixture
def engine(database_url):
    made = base.connect(database_url)
    yield made
    made.dispose()


def test_the_tables_are_those_of_the_models(engine):
    with engine.connect() as connection:
        found = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(found, schema.metadata) == []
        assert schema.is_current(connection)


def test_migrations_go_down_to_nothing_and_up_again(engine):
    schema.downgrade(engine, to="base")
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    schema.upgrade(engine)
    assert set(schema.TABLES) < set(inspect(engine).get_table_names())


def test_the_schema_module_names_every_table():
    assert set(schema.TABLES) == set(schema.metadata.tables)


@pytest.mark.parametrize("constraint", ["minimum", "group", "release"])
def test_constraints_of_the_promise_are_in_the_database(engine, constraint):
    names = {check["name"] for table in ("cycle", "cell") for check in inspect(engine).get_check_constraints(table)}
    expected = {
        "minimum": "ck_cycle_minimum_protects",
        "group": "ck_cell_minimum_holds",
        "release": "ck_cycle_released_means_unlinkable",
    }
    assert expected[constraint] in names


def test_mail_that_waits_is_planned_anew_and_back_again(engine):
    schema.downgrade(engine, to="0008-1")
    ids = {name: uuid.uuid4() for name in ("person", "cycle", "review", "first", "second", "third")}
    asked = {"key": "1", "asked": ["peer"], "scale": None}
    questionnaire = {"parts": [{"items": [asked | {"scale": {"labels": []}}, asked, asked]}]}
    now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    reflected = MetaData()
    reflected.reflect(engine)
    mail = {"person_id": ids["person"], "reference": ids["cycle"], "attempts": 0, "due_at": now}
    with engine.begin() as connection:
        for table, row in (
            (
                "person",
                {"id": ids["person"], "name": "A", "address": "a@b.test", "role": "engineer", "is_active": True},
            ),
            (
                "cycle",
                {
                    "id": ids["cycle"],
                    "name": "C",
                    "launcher_id": ids["person"],
                    "phase": "draft",
                    "minimum": 4,
                    "blocks": [],
                    "closes_at": now,
                    "is_key_destroyed": False,
                },
            ),
            (
                "review",
                {
                    "id": ids["review"],
                    "cycle_id": ids["cycle"],
                    "subject_id": ids["person"],
                    "questionnaire": questionnaire,
                    "is_tallied": False,
                },
            ),
            ("outbox", mail | {"id": ids["first"], "kind": "reminder", "slot": "half-time", "state": "waiting"}),
            ("outbox", mail | {"id": ids["second"], "kind": "reminder", "slot": "one-day", "state": "dropped"}),
            ("outbox", mail | {"id": ids["third"], "kind": "report", "slot": "", "state": "sent"}),
        ):
            connection.execute(insert(_typed(reflected.tables[table], table)), row)
    schema.upgrade(engine)
    with engine.connect() as connection:
        assert connection.execute(select(Mailing.slot, Mailing.due_at)).all() == [("half-time", now)]
        assert connection.execute(select(Mail.kind, Mail.state)).all() == [("report", "settled")]
        assert connection.scalar(select(Review.minutes)) == {"peer": 2}
    schema.downgrade(engine, to="0008-1")
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT kind, slot, state FROM outbox ORDER BY kind")).all()
    assert [tuple(row) for row in rows] == [("reminder", "half-time", "waiting"), ("report", "", "sent")]
    schema.upgrade(engine)


def test_a_round_that_is_being_opened_goes_back_to_what_it_was_with_the_program(engine):
    ids = {name: uuid.uuid4() for name in ("person", "draft", "nominating")}
    with engine.begin() as connection:
        person = {"id": ids["person"], "name": "A", "address": "a@b.test"}
        connection.execute(insert(Person), person)
        for name in ("draft", "nominating"):
            row = {"id": ids[name], "name": name, "launcher_id": ids["person"], "phase": "opening", "minimum": 4}
            row |= {"blocks": [], "closes_at": datetime(2026, 3, 2, tzinfo=UTC), "was_nominating": name == "nominating"}
            connection.execute(insert(Cycle), row)
            review = {"id": uuid.uuid4(), "cycle_id": ids[name], "subject_id": ids["person"], "questionnaire": {}}
            connection.execute(insert(Review), review)
            invited = {"review_id": review["id"], "rater_id": ids["person"], "relationship": "self"}
            connection.execute(insert(Invitation), invited)
    schema.downgrade(engine, to="0017")
    with engine.connect() as connection:
        assert dict(connection.execute(text("SELECT name, phase FROM cycle")).all()) == {
            "draft": "draft",
            "nominating": "nominating",
        }
        assert connection.scalar(text("SELECT count(*) FROM invitation")) == 0
        assert connection.scalar(text("SELECT count(questionnaire) FROM review")) == 0
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text("UPDATE cycle SET phase = 'opening'"))
    schema.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE cycle SET phase = 'opening'"))
    for phase in ("open", "unknown"):
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(text(f"UPDATE cycle SET phase = '{phase}'"))


def _typed(table, name):
    """The reflected table with the types that the program knows: SQLite forgets them."""
    known = schema.metadata.tables[name].c
    for column in table.c:
        if column.name in known:
            column.type = known[column.name].type
    return table


def test_figures_of_earlier_versions_lose_the_squares_of_few_and_are_read_as_before(engine):
    review_id = _a_review(engine)
    schema.downgrade(engine, to="0022-1")
    key = {"review_id": review_id, "item": "1.key_behaviors.1"}
    rows = [
        key | {"group": "self", "n": 1, "total": 4, "squares": 16, "counts": None, "band": None},
        key | {"group": "peer", "n": 4, "total": 16, "squares": 66, "counts": None, "band": None},
        key | {"group": "direct_report", "n": 5, "total": None, "squares": None, "counts": None, "band": "high"},
        key | {"group": "other", "n": 6, "total": 20, "squares": 70, "counts": [0, 1, 2, 3, 0], "band": None},
    ]
    reflected = MetaData()
    reflected.reflect(engine)
    with engine.begin() as connection:
        connection.execute(insert(_typed(reflected.tables["cell"], "cell")), rows)
    schema.upgrade(engine)
    with Session(engine) as session:
        found = {cell.group: cell for cell in reports.cells(session, [review_id])[review_id]}
    assert found[Group.PEER] == disclosure.Cell(key["item"], Group.PEER, 4, 16)
    assert found[Group.OTHER] == disclosure.Cell(key["item"], Group.OTHER, 6, 20, (0, 1, 2, 3, 0))
    assert found[Group.DIRECT_REPORT].band is Band.HIGH
    schema.downgrade(engine, to="0022-1")
    with engine.connect() as connection:
        squares = dict(connection.execute(text('SELECT "group", squares FROM cell')).all())
    assert squares == {"self": 16, "peer": None, "direct_report": None, "other": 70}
    schema.upgrade(engine)


def _a_review(engine):
    """A review as the newest program would have it."""
    ids = {name: uuid.uuid4() for name in ("person", "cycle", "review")}
    with engine.begin() as connection:
        connection.execute(insert(Person), {"id": ids["person"], "name": "A", "address": "a@b.test"})
        cycle = {"id": ids["cycle"], "name": "Spring", "launcher_id": ids["person"], "phase": "draft", "minimum": 4}
        connection.execute(insert(Cycle), cycle | {"blocks": [], "closes_at": datetime(2026, 3, 2, tzinfo=UTC)})
        review = {"id": ids["review"], "cycle_id": ids["cycle"], "subject_id": ids["person"], "questionnaire": {}}
        connection.execute(insert(Review), review)
    return ids["review"]
