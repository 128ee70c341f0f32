"""A21: one copy of database and key while people answer links those who answered since the last shake, no others."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from survey.store import base
from tasks import shakes
from tests.attacks import snapshots
from tests.attacks.rounds import as_built

RATERS = 44
LATE = 4
BY_CHANCE = 6
"""A random order puts one answer in its place on average; more than six, in either direction, once in 5,000 times."""


def test_where_nothing_shakes_one_copy_links_everybody(gather):
    crowd = gather(RATERS)
    _keep_the_log(crowd.engine)
    crowd.answer(as_built)
    found = snapshots.linked(crowd)
    if crowd.engine.dialect.name == "postgresql":
        assert found["same xmin"] == found["same xmin, pieces"] == found["next xmin"] == RATERS
        assert found["number of pieces"] == RATERS
    else:
        assert found["log"] == RATERS
        assert found["place in the file"] > BY_CHANCE


def test_a_shake_that_leaves_old_rows_and_the_log_behind_hides_nothing(gather, monkeypatch):
    monkeypatch.setattr(base, "clean_up", lambda engine: True)
    crowd = gather(RATERS)
    _keep_the_log(crowd.engine)
    crowd.answer(as_built)
    written = _transactions(crowd.engine)
    assert shakes.sweep() == 1
    if crowd.engine.dialect.name == "postgresql":
        assert written <= set(snapshots.transactions_in_the_file(crowd.engine))
    else:
        assert snapshots.linked(crowd)["log"] == RATERS


def test_one_copy_links_only_those_who_came_since_the_last_shake(gather):
    crowd = gather(RATERS)
    crowd.answer(as_built, first=RATERS - LATE)
    assert shakes.sweep() == 1
    _by_chance(snapshots.linked(crowd))
    crowd.answer(as_built)
    found = snapshots.linked(crowd)
    assert found["same xmin" if "same xmin" in found else "log"] == LATE
    assert max(found.values()) <= LATE + BY_CHANCE
    assert shakes.sweep() == 1
    _by_chance(snapshots.linked(crowd))


def test_few_answers_are_shaken_as_well(gather):
    crowd = gather(5)
    for _ in crowd.tickets:
        crowd.answer(as_built, first=1)
        assert shakes.sweep() == 1
        # A single answer needs no shake: there is one mark, and one envelope.
        if len(crowd.truth) > 1:
            assert _surely(snapshots.linked(crowd)) == 0


def test_nothing_new_is_not_shaken_and_a_handful_is_at_once(gather):
    crowd = gather(9)
    assert shakes.sweep() == 0
    crowd.answer(as_built, first=3)
    assert shakes.sweep(4) == 0
    crowd.answer(as_built, first=1)
    assert shakes.sweep(4) == 1
    assert shakes.sweep() == 0
    before = _envelopes(crowd.engine)
    crowd.answer(as_built, first=1)
    assert shakes.sweep() == 1
    # Under new ids, the boxes as they were.
    after = _envelopes(crowd.engine)
    assert not set(before) & set(after)
    assert set(before.values()) < set(after.values())


def test_answers_of_a_closed_round_that_waits_to_be_counted_are_shaken_too(gather):
    crowd = gather(RATERS)
    crowd.answer(as_built)
    crowd.company.close(crowd.cycle_id)
    assert shakes.sweep() == 1
    _by_chance(snapshots.linked(crowd))
    crowd.company.count()
    assert _envelopes(crowd.engine) == {}
    assert shakes.sweep() == 0


@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_of_the_transactions_of_answers_not_a_byte_is_left_beside_raters(gather):
    crowd = gather(RATERS)
    crowd.answer(as_built)
    written = _transactions(crowd.engine)
    assert len(written) == RATERS
    assert written <= set(snapshots.transactions_in_the_file(crowd.engine))
    shakes.sweep()
    assert not written & set(snapshots.transactions_in_the_file(crowd.engine))


def test_a_reader_in_the_way_has_the_shake_done_again(gather):
    crowd = gather(RATERS)
    crowd.answer(as_built)
    with crowd.engine.execution_options(sqlite_begin="DEFERRED").connect() as reader:
        reader.execute(text("SELECT count(*) FROM invitation"))
        assert shakes.sweep() == 0
    assert shakes.sweep() == 1
    _by_chance(snapshots.linked(crowd))


@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_while_a_backup_still_sees_old_rows_the_shake_is_not_done(gather):
    crowd = gather(RATERS)
    crowd.answer(as_built)
    written = _transactions(crowd.engine)
    with crowd.engine.connect().execution_options(isolation_level="REPEATABLE READ") as backup:
        backup.execute(text("SELECT count(*) FROM person"))
        assert shakes.sweep() == 0
    assert shakes.sweep() == 1
    assert not written & set(snapshots.transactions_in_the_file(crowd.engine))


def _by_chance(found):
    assert _surely(found) == 0
    assert {name: number for name, number in found.items() if number > BY_CHANCE} == {}


def _surely(found):
    """Links that are no guess."""
    return sum(found.get(name, 0) for name in ("same xmin", "same xmin, pieces", "next xmin", "log"))


def _envelopes(engine):
    with engine.connect() as connection:
        return dict(connection.execute(text("SELECT id, box FROM envelope")).all())


def _transactions(engine):
    """Those in which envelopes were written, on PostgreSQL."""
    if engine.dialect.name == "sqlite":
        return set()
    with engine.connect() as connection:
        return set(connection.scalars(text("SELECT xmin::text::bigint FROM envelope")))


def _keep_the_log(engine):
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA wal_autocheckpoint = 0")
