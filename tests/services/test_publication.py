"""Reports are built once everything is counted, from published cells alone, and every step survives a crash."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict

import pytest
from sqlalchemy import func, select, update

from survey import context
from survey.core import reports as rules
from survey.core import samples, spreads, statistics, values
from survey.core.cycles import Phase
from survey.core.disclosure import Group
from survey.core.errors import IllegalStep
from survey.core.reports import Report
from survey.services import cycles, publication, tally
from survey.store import reports
from survey.store.cycles import Cycle, Review
from survey.store.reports import Cell
from tests import counting, dozen


def test_intervals_use_the_spread_of_the_round(company):
    made = dozen.answered(company)
    counting.count()
    # From the raw answers, which nobody but this test has: peers are six, so that every full cell is exact.
    squares, freedom = 0.0, 0
    for answers in made.said.values():
        for item in made.questionnaire.items:
            own = [given.ratings[item.key] for given in answers if given.ratings.get(item.key) is not None]
            if len(own) == 6:
                squares += sum((one - sum(own) / 6) ** 2 for one in own)
                freedom += 5
    expected = -(-((squares / freedom) ** 0.5) * 10 // 1) / 10
    with context.reading() as session:
        assert session.get(Cycle, made.cycle_id).spreads == {"5": expected}
        stored = _reports(session)
        cells = {(row.review_id, row.item, row.group): row.as_value() for row in session.scalars(select(Cell))}
    assert expected != statistics.TYPICAL_SD
    figures = [
        (review_id, item, figure)
        for review_id, report in stored.items()
        for item, row in report.rows.items()
        for figure in row.figures
        if figure.mean is not None
    ]
    assert len(figures) > 50
    for review_id, item, figure in figures:
        cell = cells[review_id, item, figure.group]
        interval = samples.interval(samples.of(cell, 5, expected), 5, expected)
        assert (figure.low, figure.high) == (interval.low, interval.high)


def test_a_small_round_uses_the_usual_spread(company):
    _, review_id = company.run()
    with context.reading() as session:
        assert session.scalar(select(Cycle.spreads)) == {}
        for row in _reports(session)[review_id].rows.values():
            for figure in row.figures:
                cell = session.get(Cell, (review_id, row.item, figure.group)).as_value()
                points = len(row.scale)
                interval = samples.interval(samples.of(cell, points, None), points, None)
                assert (figure.low, figure.high) == (interval.low, interval.high)


def test_a_report_is_a_function_of_what_was_published(company):
    made = dozen.answered(company)
    _count_all()
    with context.reading() as session:
        before = {row.id: (row.published, row.questionnaire, row.invited) for row in session.scalars(select(Review))}
        pages = {
            row.id: [rules.page_of(entry.page.body) for entry in row.pages] for row in session.scalars(select(Review))
        }
        cells = defaultdict(list)
        for row in session.scalars(select(Cell)):
            cells[row.review_id].append(row.as_value())
    found = spreads.of_cycle((review, cell) for review, own in cells.items() for cell in own if cell.group.is_anonymous)
    counting.build()
    with context.reading() as session:
        stored = _reports(session)
    assert len(stored) == 12
    for review_id, (published, questionnaire, invited) in before.items():
        beside = values.load(rules.Published, published)
        built = rules.build(
            values.load(rules.Questionnaire, questionnaire),
            rules.Published(beside.k, beside.answered, tuple(cells[review_id]), (), beside.certificate),
            pages=pages[review_id],
            invited={rules.Relationship(kind): number for kind, number in invited.items()},
            spreads=found,
        )
        assert built == stored[review_id]
    assert made.said.keys() == stored.keys()


def test_no_report_is_built_before_everything_is_counted(company):
    made = dozen.answered(company)
    _measure()
    first = _waiting()[0]
    _count(first)
    with context.reading() as session:
        assert publication.due(session) == {}
    with pytest.raises(IllegalStep), context.transaction() as session:
        publication.settle(session, made.cycle_id)
    with pytest.raises(IllegalStep), context.transaction() as session:
        counting.some(session, made.cycle_id)
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(reports.Report)) == 0


def test_a_crash_at_any_commit_leaves_reports_that_are_built_once(company):
    """The steps are repeated from the start after each of them, as a sweep would after a crash."""
    made = dozen.answered(company, subjects=10)
    _measure()
    while waiting := _waiting():
        _count(waiting[0])
        _finish_nothing()
    stored = {}
    with context.reading() as session:
        settled = None
        assert list(publication.due(session).values()) == [10]
    for left in range(10, 0, -1):
        with context.transaction() as session:
            publication.settle(session, made.cycle_id)
        with context.reading() as session:
            spread = session.get(Cycle, made.cycle_id).spreads
            assert publication.due(session) == {made.cycle_id: left}
        settled = settled or spread
        assert spread == settled
        with pytest.raises(_Killed):
            _build_and_die(made.cycle_id)
        with context.transaction() as session:
            assert counting.some(session, made.cycle_id, limit=1) == 1
        stored = _unchanged(stored, 11 - left)
        if left > 1:
            _finish_nothing()
    with context.transaction() as session:
        assert counting.some(session, made.cycle_id) == 0
        assert tally.finish(session) == [made.cycle_id]
    with context.transaction() as session:
        publication.settle(session, made.cycle_id)
        assert counting.some(session, made.cycle_id) == 0
    _unchanged(stored, 10)


def test_reports_stay_as_they_are_when_cells_change_afterwards(company):
    made = dozen.answered(company)
    counting.count()
    stored = _unchanged({}, 12)
    with context.transaction() as session:
        session.execute(update(Cell).values(n=9))
        publication.settle(session, made.cycle_id)
        assert counting.some(session, made.cycle_id) == 0
    _unchanged(stored, 12)


def test_what_lies_between_the_two_phases_says_nothing_that_the_report_does_not(company):
    made = dozen.answered(company)
    _count_all()
    with context.reading() as session:
        beside = list(session.scalars(select(Review.published)))
    counting.build()
    with context.reading() as session:
        assert session.scalars(select(Review.published).where(Review.published.is_not(None))).all() == []
        said = [json.dumps(report.body) for report in session.scalars(select(reports.Report))]
    assert len(beside) == len(said) == len(made.said)
    for published in beside:
        assert published["cells"] == published["comments"] == []
        assert {group for group, _ in published["answered"]} <= {Group.SELF, Group.PEER}


def test_cancelled_rounds_have_nothing_to_build(company):
    cycle_id, _ = company.open()
    with context.transaction() as session:
        cycles.cancel(session, cycle_id, actor_id=None, now=context.now())
    _count_all()
    with context.reading() as session:
        assert publication.due(session) == {}
    counting.count()
    with context.reading() as session:
        assert cycles.get(session, cycle_id).is_key_destroyed


class _Killed(Exception):
    """The worker went away in the middle of a transaction."""


def _build_and_die(cycle_id) -> None:
    with context.transaction() as session:
        counting.some(session, cycle_id, limit=3)
        session.flush()
        raise _Killed


def _measure() -> None:
    with context.reading() as session:
        unmeasured = tally.unmeasured(session)
    for cycle_id in unmeasured:
        with context.transaction() as session:
            assert tally.measure(session, cycle_id, context.installation().keyring)


def _waiting() -> list:
    with context.reading() as session:
        return list(itertools.chain.from_iterable(tally.waiting(session)))


def _count(review_id) -> None:
    with context.transaction() as session:
        tally.count(session, [review_id], context.installation().keyring)


def _count_all() -> None:
    _measure()
    for review_id in _waiting():
        _count(review_id)


def _finish_nothing() -> None:
    """The cycle is not through, so that its key stays."""
    with context.transaction() as session:
        assert tally.finish(session) == []
        assert session.scalar(select(Cycle.phase)) == Phase.CLOSED


def _reports(session) -> dict:
    return {row.review_id: values.load(Report, row.body) for row in session.scalars(select(reports.Report))}


def _unchanged(before: dict, number: int) -> dict:
    """The stored reports, which are `number`, among them those of before as they were."""
    with context.reading() as session:
        now = {row.review_id: json.dumps(row.body) for row in session.scalars(select(reports.Report))}
    assert len(now) == number
    assert before.items() <= now.items()
    return now
