"""Shaking in any order with answers, closes and counts, one after the other and at once: nothing lost or doubled."""

from __future__ import annotations

import random
import threading
from collections import Counter

import pytest
from sqlalchemy import text

from survey.core.errors import LinkClosed
from tasks import shakes
from tests.attacks import rounds
from tests.attacks.rounds import as_built

STEPS = 24
RATERS = 16


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_in_which_order_each_answer_is_in_one_envelope(company, seed):
    dice = random.Random(seed)
    crowd = rounds.gather(company, RATERS)
    closes_at = dice.randrange(STEPS // 2, STEPS)
    for step in range(STEPS):
        if step == closes_at:
            company.close(crowd.cycle_id)
        elif dice.random() < 0.4:
            shakes.sweep(dice.choice([1, 4]))
        elif step < closes_at:
            crowd.answer(as_built, first=1)
        _is_whole(crowd)
    company.count()
    assert _counted(crowd) == len(crowd.truth)


def test_answers_shakes_and_the_close_at_once_lose_and_double_nothing(company, app):
    crowd = rounds.gather(company, RATERS)
    given = {ticket.invitation: crowd.answers(ticket) for ticket in crowd.tickets}
    came, faults = Counter(), []
    is_over = threading.Event()

    def answer(tickets):
        for ticket in tickets:
            try:
                as_built(crowd, ticket, given[ticket.invitation])
                came["answered"] += 1
            except LinkClosed:
                came["late"] += 1

    def shake():
        while not is_over.is_set():
            came["shaken"] += shakes.sweep()

    def close():
        while came["answered"] < RATERS // 2:
            if is_over.wait(0.01):
                return
        company.close(crowd.cycle_id)

    def in_the_app(act, *arguments):
        with app.app_context():
            try:
                act(*arguments)
            except Exception as error:
                faults.append(error)

    raters = [threading.Thread(target=in_the_app, args=(answer, crowd.tickets[part::2])) for part in (0, 1)]
    others = [threading.Thread(target=in_the_app, args=(act,)) for act in (shake, shake)]
    end = threading.Thread(target=in_the_app, args=(close,))
    for thread in [*raters, *others, end]:
        thread.start()
    for thread in [*raters, end]:
        thread.join(120)
    is_over.set()
    for thread in others:
        thread.join(120)
    assert faults == []
    assert came["answered"] + came["late"] == RATERS
    assert came["answered"] >= RATERS // 2
    assert _is_whole(crowd) == came["answered"]
    shakes.sweep()
    company.count()
    assert _counted(crowd) == came["answered"]


def _is_whole(crowd):
    """How many are done. As many boxes are there, no two alike."""
    with crowd.engine.connect() as connection:
        boxes = connection.scalars(text("SELECT box FROM envelope")).all()
        done = connection.scalar(text("SELECT count(*) FROM invitation WHERE state = 'done'"))
        shaken = connection.scalar(text("SELECT max(shaken) FROM review"))
    assert len(boxes) == len(set(boxes)) == done
    assert shaken <= done
    return done


def _counted(crowd):
    with crowd.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM envelope")) == 0
        return connection.scalar(text("SELECT max(n) FROM cell WHERE \"group\" = 'peer'"))
