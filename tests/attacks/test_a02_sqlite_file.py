"""A2: the SQLite file with its log and journal, while open, after the count, and after the vacuum."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import event, text

from survey.services import tally
from tests.attacks import attackers, weakened
from tests.attacks.attackers import Place
from tests.attacks.rounds import as_built

RATERS = 200
QUESTIONS = [Place("comment", "text", f"item = '1.seek_feedback.{number}'") for number in (1, 2, 3)]


@pytest.mark.parametrize("design", weakened.OBVIOUS)
def test_a_table_with_row_numbers_gives_away_the_order(gather, design):
    crowd = gather(RATERS)
    weakened.add_responses(crowd.engine)
    crowd.answer(weakened.OBVIOUS[design])
    results = attackers.recover(crowd.engine, weakened.RESPONSES, crowd.order, crowd.truth)
    assert results["rowid"].links == RATERS
    assert results["place in the file-wal"].correlation > 0.9 or results["place in the file"].correlation > 0.9


def test_comments_written_as_they_came_lie_in_the_file_in_that_order(gather, monkeypatch):
    monkeypatch.setattr(tally, "SystemRandom", weakened.NoShuffle)
    crowd = gather(RATERS)
    _number_rows(crowd.engine, "comment")
    _number_rows(crowd.engine, "envelope", "id TEXT, review_id TEXT, box BLOB")
    crowd.answer(as_built)
    crowd.close_and_count()
    results = attackers.recover(crowd.engine, QUESTIONS[0], crowd.order, crowd.truth)
    assert results["rowid"].links == RATERS


def test_deleted_answers_stay_readable_where_they_are_not_overwritten(gather):
    crowd = gather(40)
    weakened.add_responses(crowd.engine)
    event.listen(crowd.engine, "connect", _keep_deleted_content)
    crowd.engine.dispose()
    crowd.answer(weakened.in_one_transaction)
    with crowd.engine.begin() as connection:
        connection.execute(text("DELETE FROM response"))
    assert attackers.read(attackers.files(crowd.engine), crowd.truth.values()).total() > 0


def test_nothing_in_the_program_s_files_leads_back(gather):
    crowd = gather(RATERS)
    crowd.answer(as_built)
    assert attackers.read(attackers.dump(crowd.engine), crowd.truth.values()).total() == 0
    crowd.close_and_count()
    # A crash between the count and the vacuum leaves everything as it is here.
    _holds(crowd)
    crowd.vacuum()
    _holds(crowd)
    outside = attackers.read(_without_comments(crowd.engine), crowd.truth.values())
    assert outside.total() == 0


def _holds(crowd):
    for place in QUESTIONS:
        results = attackers.recover(crowd.engine, place, crowd.order, crowd.truth)
        assert "rowid" not in results
        assert "place in the file" in results
        assert {name: result for name, result in results.items() if not result.is_chance} == {}


def _number_rows(engine, table, columns='id TEXT, review_id TEXT, item TEXT, "group" TEXT, text TEXT'):
    """A table of this name that SQLite numbers the rows of."""
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text(f"CREATE TABLE {table} ({columns})"))


def _keep_deleted_content(connection, record):
    connection.execute("PRAGMA secure_delete = OFF")


def _without_comments(engine):
    """The files after the comments are deleted from a copy, overwritten where they stood."""
    content = dict(attackers.dump(engine))
    content.pop("comment")
    (name,) = (name for name in content if name == "the file")
    copy = sqlite3.connect(":memory:")
    # Marked as a database without a log, which memory has no place for.
    copy.deserialize(content[name][:18] + b"\x01\x01" + content[name][20:])
    copy.execute("PRAGMA secure_delete = ON")
    copy.execute("DELETE FROM comment")
    copy.commit()
    return content | {name: copy.serialize()}


@pytest.fixture
def database_url(databases):
    return databases.make("sqlite")
