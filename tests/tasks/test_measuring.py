"""A round of twelve people through the tasks of the tally: measured once, before anything is counted."""

from __future__ import annotations

import contextlib

import pandas
import pingouin
import pytest
from sqlalchemy import func, select

from survey import context
from survey.core import instruments as formulas
from survey.core import measurements, rows, values
from survey.core.cycles import ATTEMPTS, Phase
from survey.core.measurements import Measurement
from survey.services import cycles, tally
from survey.store import envelopes
from survey.store.cycles import Review
from survey.store.envelopes import Envelope
from survey.store.instruments import Instrument
from survey.store.reports import Cell, Report
from tasks import tally as tasks
from tests import dozen


def test_the_figures_are_those_of_pingouin_from_the_raw_answers(company, at_once, every_digit):
    made = dozen.answered(company)
    _sweep_until_done()
    found = _stored(made.cycle_id)
    keys = [item.key for item in made.questionnaire.items if item.section in rows.COMPARED]

    averages = [
        {
            "subject": str(review_id),
            "rater": number,
            "average": pandas.Series([given.ratings[key] for key in keys]).mean(),
        }
        for review_id, answers in made.said.items()
        for number, given in enumerate(answers)
    ]
    icc = pingouin.intraclass_corr(pandas.DataFrame(averages), "subject", "rater", "average").set_index("Type")
    whole = pandas.DataFrame([[given.ratings[key] for key in keys] for said in made.said.values() for given in said])
    alpha, _ = pingouin.cronbach_alpha(whole.astype(float), nan_policy="listwise")

    reliability = found.reliability
    assert (found.subjects, reliability.subjects, reliability.raters) == (12, 12, 6)
    assert reliability.icc_1 == round(icc["ICC"]["ICC(1,1)"], 2)
    assert reliability.icc_k == round(icc["ICC"]["ICC(1,k)"], 2)
    for interval, kind in [(reliability.icc_1_interval, "ICC(1,1)"), (reliability.icc_k_interval, "ICC(1,k)")]:
        assert [interval.low, interval.high] == pytest.approx([round(end, 2) for end in icc["CI95"][kind]])
    assert [page.alpha for page in found.pages] == [round(alpha, 2)]
    complete = whole.dropna().astype(float)
    assert found.pages[0].halo == round(formulas.halo(complete.to_numpy().tolist()), 2)
    assert found.answer_rate == 1.0


def test_the_round_is_through_in_the_end(company, at_once):
    made = dozen.answered(company)
    _sweep_until_done()
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(Report)) == 12
        assert session.scalar(select(func.count()).select_from(Envelope)) == 0
        assert cycles.get(session, made.cycle_id).is_key_destroyed
        assert cycles.get(session, made.cycle_id).phase == Phase.TALLIED
        assert cycles.counted(session, made.cycle_id) == (12, 12)


def test_nothing_is_counted_before_it_is_measured(company):
    made = dozen.answered(company)
    with context.reading() as session:
        assert tally.waiting(session) == []
        assert tally.unmeasured(session) == [made.cycle_id]
        reviews = session.scalars(select(Review.id)).all()
    for review_id in reviews:
        tasks.count.run(str(review_id))
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(Cell)) == 0
        assert session.scalar(select(func.count()).select_from(Envelope)) == 12 * 7
    tasks.measure.run(str(made.cycle_id))
    with context.reading() as session:
        assert tally.unmeasured(session) == []
        assert {review_id for batch in tally.waiting(session) for review_id in batch} == set(reviews)


def test_a_crash_while_measuring_leaves_nothing_and_it_is_measured_once(company, monkeypatch):
    made = dozen.answered(company)
    with monkeypatch.context() as patched:
        patched.setattr(measurements, "measure", _fall_over)
        with pytest.raises(RuntimeError):
            tasks.measure.run(str(made.cycle_id))
    with context.reading() as session:
        assert session.get(Instrument, made.cycle_id) is None
        assert tally.unmeasured(session) == [made.cycle_id]
    tasks.measure.run(str(made.cycle_id))
    first = _stored(made.cycle_id)
    tasks.measure.run(str(made.cycle_id))
    assert _stored(made.cycle_id) == first


def test_a_measurement_that_ends_each_of_its_workers_is_begun_five_times_and_the_round_is_counted(
    company, at_once, monkeypatch
):
    made = dozen.answered(company)
    begun = []

    def measure(*args, **kwargs):
        begun.append(args)
        raise _Killed

    with monkeypatch.context() as patched:
        patched.setattr(measurements, "measure", measure)
        for _ in range(8):
            with contextlib.suppress(_Killed):
                tasks.measure.run(str(made.cycle_id))
    assert len(begun) == ATTEMPTS
    _sweep_until_done()
    with context.reading() as session:
        assert session.get(Instrument, made.cycle_id).body is None
        assert cycles.get(session, made.cycle_id).is_key_destroyed
        assert session.scalar(select(func.count()).select_from(Report)) == 12


@pytest.mark.parametrize("subjects", [9, 10])
def test_ten_people_under_review_are_needed(company, at_once, subjects):
    made = dozen.answered(company, subjects=subjects)
    _sweep_until_done()
    with context.reading() as session:
        row = session.get(Instrument, made.cycle_id)
        assert (row is not None) is (subjects == 10)
        assert session.scalar(select(func.count()).select_from(Report)) == subjects


def test_a_round_that_was_counted_in_part_before_is_not_measured(company, at_once):
    made = dozen.answered(company)
    with context.transaction() as session:
        session.scalars(select(Review)).first().is_tallied = True
    _sweep_until_done()
    with context.reading() as session:
        assert session.get(Instrument, made.cycle_id).body is None
        assert cycles.get(session, made.cycle_id).is_key_destroyed


def test_a_cancelled_round_is_not_opened_for_it(company, at_once):
    made = dozen.answered(company)
    with context.transaction() as session:
        cycles.get(session, made.cycle_id).is_cancelled = True
    _sweep_until_done()
    with context.reading() as session:
        assert session.get(Instrument, made.cycle_id) is None
        assert session.scalar(select(func.count()).select_from(Report)) == 0
        assert cycles.get(session, made.cycle_id).is_key_destroyed


def test_of_a_very_large_round_reviews_are_drawn_until_there_are_answers_enough(company, monkeypatch):
    made = dozen.answered(company)
    opened = []
    real = envelopes.unseal
    monkeypatch.setattr(envelopes, "unseal", lambda box, key: opened.append(box) or real(box, key))
    monkeypatch.setattr(measurements, "ENVELOPES", 70)
    tasks.measure.run(str(made.cycle_id))
    assert len(opened) == 10 * 7
    assert _stored(made.cycle_id).reliability.subjects == 10
    assert _stored(made.cycle_id).answer_rate == 1.0


def test_the_stored_row_names_nobody_and_holds_no_answer(company, at_once):
    made = dozen.answered(company)
    _sweep_until_done()
    with context.reading() as session:
        body = str(session.get(Instrument, made.cycle_id).body)
    assert not any(str(review_id) in body for review_id in made.said)
    assert not any(str(person_id) in body for person_id in company.ids.values())


class _Killed(BaseException):
    """What a task that ends its process does to everything in it: nothing is caught, nothing is committed."""


def _fall_over(*args, **kwargs):
    raise RuntimeError("The worker went away.")


def _stored(cycle_id) -> Measurement:
    with context.reading() as session:
        return values.load(Measurement, session.get(Instrument, cycle_id).body)


def _sweep_until_done() -> None:
    for _ in range(10):
        if not tasks.sweep.run():
            return
    raise AssertionError("The sweep finds something to do again and again.")


@pytest.fixture
def at_once(monkeypatch):
    """Tasks that are run as soon as they are sent."""
    for task in (tasks.measure, tasks.count, tasks.build):
        monkeypatch.setattr(task, "delay", task.run)


@pytest.fixture
def every_digit(monkeypatch):
    """Intervals from pingouin, which rounds them to two digits by default."""
    monkeypatch.setitem(pingouin.options, "round.column.CI95", None)
