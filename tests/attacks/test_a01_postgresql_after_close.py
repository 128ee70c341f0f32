"""A1: the live PostgreSQL after the close, 200 answers given in a known order."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from survey.services import tally
from tests.attacks import attackers, weakened
from tests.attacks.attackers import Place
from tests.attacks.rounds import as_built

RATERS = 200
QUESTIONS = [Place("comment", "text", f"item = '1.seek_feedback.{number}'") for number in (1, 2, 3)]


def test_an_answer_beside_the_invitation_in_one_transaction_is_relinked(gather):
    crowd = _round(gather, weakened.in_one_transaction)
    results = attackers.recover(crowd.engine, weakened.RESPONSES, crowd.order, crowd.truth)
    assert results["same xmin"].links == RATERS
    assert results["ctid"].links == RATERS


def test_an_answer_in_a_transaction_of_its_own_is_relinked(gather):
    crowd = _round(gather, weakened.in_two_transactions)
    results = attackers.recover(crowd.engine, weakened.RESPONSES, crowd.order, crowd.truth)
    assert results["same xmin"].links == 0
    assert results["next xmin"].links == RATERS


def test_comments_that_were_not_shuffled_give_away_the_order(gather, monkeypatch):
    monkeypatch.setattr(tally, "SystemRandom", weakened.NoShuffle)
    crowd = _round(gather, as_built)
    results = attackers.recover(crowd.engine, QUESTIONS[0], crowd.order, crowd.truth)
    assert results["ctid"].links == RATERS


def test_nothing_in_the_program_s_database_leads_back(gather):
    crowd = _round(gather, as_built)
    for place in QUESTIONS:
        results = attackers.recover(crowd.engine, place, crowd.order, crowd.truth)
        assert len(results) >= 8
        assert results["same xmin"].links == 0
        assert {name: result for name, result in results.items() if not result.is_chance} == {}
    with crowd.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM invitation WHERE state = 'done'")) == RATERS
        for table in ("cell", "comment", "report"):
            joined = f"SELECT count(*) FROM invitation i JOIN {table} t ON t.xmin = i.xmin"
            assert connection.scalar(text(joined)) == 0


def _round(gather, give):
    crowd = gather(RATERS)
    weakened.add_responses(crowd.engine)
    crowd.answer(give)
    crowd.close_and_count()
    crowd.vacuum()
    return crowd


@pytest.fixture
def database_url(databases):
    return databases.make("postgresql")
