"""Work that ends each of its workers is begun five times and then told to people, and everything else goes on."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from survey import context
from survey.core import reports as rules
from survey.core.audit import Event
from survey.core.cycles import ATTEMPTS, Phase
from survey.core.errors import IllegalStep
from survey.core.letters import Kind
from survey.services import audit, cycles, publication, releases, tally
from survey.services import operations as services
from survey.store import reports as written
from survey.store.cycles import Review
from survey.store.reports import Cell, Comment, Report
from tasks import cycles as closings
from tasks import releases as released
from tasks import tally as counts
from tests import dozen
from tests.company import csrf

TOLD = ["marta@company.test", "noor@company.test"]
"""The launcher, and people operations."""


class _Killed(BaseException):
    """What a task that ends its process does to everything in it: nothing is caught, nothing is committed."""


@pytest.fixture(params=[_Killed, MemoryError])
def end(request):
    """How the work ends each time: with its process, or with an error."""
    return request.param


def test_a_round_that_cannot_be_closed_keeps_no_other_open(company, clock, monkeypatch, end):
    broken, whole = company.open()[0], company.open()[0]
    clock.move(days=14)
    begun = _breaks(monkeypatch, cycles, "_close", broken, end)
    for _ in range(8):
        _go(closings.close_due, end)
    assert len(begun) == ATTEMPTS
    with context.reading() as session:
        assert cycles.get(session, whole).phase == Phase.CLOSED
        assert cycles.get(session, broken).phase == Phase.OPEN
        assert cycles.due_to_close(session, now=clock()) == []
    assert _stuck(company) == TOLD
    assert _given_up() == [(broken, "closing")]
    assert "could not: it was tried five times" in company.sign_in("marta").get(f"/rounds/{broken}").text
    monkeypatch.undo()
    company.close(broken)
    with context.reading() as session:
        assert (cycles.get(session, broken).phase, cycles.get(session, broken).attempts) == (Phase.CLOSED, 0)


def test_a_round_that_was_given_up_is_tried_again_when_its_end_is_moved(company, clock, monkeypatch):
    cycle_id, _ = company.open()
    clock.move(days=14)
    _breaks(monkeypatch, cycles, "_close", cycle_id, _Killed)
    for _ in range(8):
        _go(closings.close_due, _Killed)
    monkeypatch.undo()
    with context.transaction() as session:
        cycles.move_end(session, cycle_id, clock() + timedelta(days=2), actor_id=None, now=clock())
    assert _stuck(company) == []
    clock.move(days=2)
    assert closings.close_due() == 1


def test_a_release_that_never_ends_keeps_no_other_back(company, clock, monkeypatch, end):
    broken, whole = _held(company), _held(company)
    clock.move(days=4)
    begun = _breaks(monkeypatch, releases, "to_subjects", broken, end)
    list(company.letters())
    for _ in range(8):
        _go(released.sweep, end)
    assert len(begun) == ATTEMPTS
    with context.reading() as session:
        assert cycles.get(session, whole).held_until is None
        assert cycles.get(session, broken).held_until is not None
    assert _stuck(company) == TOLD
    assert _given_up() == [(broken, "release")]
    monkeypatch.undo()
    assert "could not: it was tried five times" in company.sign_in("marta").get(f"/rounds/{broken}").text
    with context.transaction() as session:
        releases.to_subjects(session, broken, actor_id=company.ids["marta"], now=clock())
    with context.reading() as session:
        assert cycles.get(session, broken).attempts == 0


def test_a_report_that_ends_each_of_its_workers_is_set_apart_and_the_others_are_built(company, monkeypatch, end, rung):
    made, bad = _counted(company)
    begun = _breaks_report(monkeypatch, bad, end)
    for _ in range(8):
        _go(lambda: counts.build.run(str(made.cycle_id)), end)
    assert len(begun) == ATTEMPTS
    with context.reading() as session:
        built = set(session.scalars(select(Report.review_id)))
        assert built == set(made.said) - {bad}
        assert [review.id for review in tally.objected(session, made.cycle_id)] == [bad]
        assert publication.due(session) == {}
        assert services.work(session, now=context.now()).reviews_objected == 1
        assert cycles.get(session, made.cycle_id).phase == Phase.CLOSED
        events = [(entry.about, entry.actor_id) for entry in audit.newest(session, event=Event.REPORT_GIVEN_UP)]
        assert events == [(bad, None)]
    letters = [letter.address for letter, _ in company.letters() if letter.kind == Kind.OBJECTION]
    assert letters == ["noor@company.test"]
    assert "writing the report" in company.sign_in("noor").get(f"/rounds/{made.cycle_id}").text


def test_after_an_update_that_report_is_built(company, monkeypatch):
    made, bad = _given_up_report(company, monkeypatch)
    noor = company.sign_in("noor")
    token = csrf(noor.get(f"/rounds/{made.cycle_id}").text)
    noor.post(f"/rounds/{made.cycle_id}/reviews/{bad}/objection/again", data={"csrf_token": token})
    counts.build.run(str(made.cycle_id))
    with context.reading() as session:
        assert session.get(Report, bad) is not None
        assert cycles.get(session, made.cycle_id).is_key_destroyed


def test_or_nothing_is_published_and_what_was_counted_is_deleted(company, monkeypatch):
    made, bad = _given_up_report(company, monkeypatch)
    with context.transaction() as session:
        tally.abandon(session, bad, actor_id=company.ids["noor"], now=context.now())
    counts.finish()
    with context.reading() as session:
        assert cycles.get(session, made.cycle_id).is_key_destroyed
        for table in (Cell, Comment, Report):
            assert session.scalar(select(func.count()).where(table.review_id == bad)) == 0
    with pytest.raises(IllegalStep), context.transaction() as session:
        tally.try_again(session, bad)


def _go(task, end) -> None:
    with contextlib.suppress(end):
        task()


def _breaks(monkeypatch, module, name, cycle_id, end):
    """Has this step end like that for this cycle, and only for this one; the value has an entry for each attempt."""
    real, begun = getattr(module, name), []

    def step(session, about, **kwargs):
        if about == cycle_id:
            begun.append(about)
            raise end
        return real(session, about, **kwargs)

    monkeypatch.setattr(module, name, step)
    return begun


def _breaks_report(monkeypatch, review_id, end):
    """Has the building of this report end like that, alone or among others; the value has an entry for each attempt."""
    begun, seen, cells, build = [], [], written.cells, rules.build

    class Looked(dict):
        def __getitem__(self, about):
            seen.append(about)
            return super().__getitem__(about)

    def step(*args, **kwargs):
        if seen[-1] == review_id:
            begun.append(review_id)
            raise end
        return build(*args, **kwargs)

    monkeypatch.setattr(written, "cells", lambda session, review_ids: Looked(cells(session, review_ids)))
    monkeypatch.setattr(rules, "build", step)
    return begun


def _counted(company):
    """A round of ten, counted, without reports, and one of its reviews."""
    made = dozen.answered(company, subjects=10)
    counts.measure.run(str(made.cycle_id))
    with context.reading() as session:
        waiting = [review_id for batch in tally.waiting(session) for review_id in batch]
    counts.count.run(*map(str, waiting))
    with context.reading() as session:
        assert set(session.scalars(select(Review.attempts))) == {0}
    return made, waiting[4]


def _given_up_report(company, monkeypatch):
    made, bad = _counted(company)
    with monkeypatch.context() as patched:
        _breaks_report(patched, bad, _Killed)
        for _ in range(8):
            _go(lambda: counts.build.run(str(made.cycle_id)), _Killed)
    return made, bad


def _held(company):
    """A round whose reports are with the managers, and go to the engineers on their day."""
    cycle_id, _ = company.draft()
    parts = context.installation()
    with context.transaction() as session:
        cycles.get(session, cycle_id).manager_days = 3
        cycles.open_(session, cycle_id, parts.keyring, actor_id=None, now=context.now())
    company.close(cycle_id)
    company.count()
    company.release(cycle_id)
    return cycle_id


def _stuck(company) -> list[str]:
    return sorted(letter.address for letter, _ in company.letters() if letter.kind == Kind.STUCK)


def _given_up():
    with context.reading() as session:
        entries = audit.newest(session, event=Event.STEP_GIVEN_UP)
    return [(entry.about, entry.detail["step"]) for entry in entries]


@pytest.fixture(autouse=True)
def nobody_listens(monkeypatch):
    """Reports are built when a test says so."""
    monkeypatch.setattr(counts.build, "delay", lambda cycle_id: None)
