"""The tally fails closed: a mutant makes the auditor object, and nothing of that review gets out."""

from __future__ import annotations

import collections
import contextlib

import pytest
from sqlalchemy import func, select

from survey import context
from survey.core import disclosure
from survey.core.audit import Event
from survey.core.cycles import ATTEMPTS, Phase
from survey.core.errors import BadInput, IllegalStep, KeyMissing
from survey.core.relationships import Relationship
from survey.services import audit, cycles, drafts, nominations, publication
from survey.services import tally as services
from survey.store.cycles import Review
from survey.store.envelopes import Envelope
from survey.store.keys import MARK
from survey.store.reports import Cell, Comment, Report
from tasks import tally
from tests.company import PEERS, Company


def test_a_review_to_which_the_auditor_objects_is_set_apart_and_the_others_go_on(company, mutant, rung):
    cycle_id, thin, full = _answered(company)
    _sweep()
    with context.reading() as session:
        for table in (Cell, Comment, Report):
            assert session.scalars(select(table.review_id).where(table.review_id == thin)).all() == []
        assert session.scalar(select(func.count()).where(Cell.review_id == full)) > 0
        assert session.scalar(select(func.count()).where(Envelope.review_id == thin)) == 4
        assert session.scalar(select(func.count()).where(Envelope.review_id == full)) == 0
        assert [review.id for review in services.objected(session, cycle_id)] == [thin]
        assert cycles.get(session, cycle_id).phase == Phase.CLOSED
    assert context.installation().keyring.is_kept(cycle_id)
    assert "tasks.outbox.sweep" in rung.tasks


def test_the_sweep_leaves_it_alone_and_says_it_once(company, mutant):
    _cycle_id, thin, _ = _answered(company)
    _sweep()
    _sweep()
    tally.count.run(str(thin))
    letters = [letter for letter, _ in company.letters() if letter.kind == "objection"]
    assert [letter.address for letter in letters] == ["noor@company.test"]
    with context.reading() as session:
        entries = [entry for entry in audit.newest(session) if entry.event == Event.AUDITOR_OBJECTED]
        assert [(entry.about, dict(entry.detail), entry.actor_id) for entry in entries] == [(thin, {}, None)]


def test_after_an_update_it_is_counted_again_and_the_round_goes_on(company, mutant):
    cycle_id, thin, _ = _answered(company)
    _sweep()
    mutant.undo()
    _again(thin)
    _sweep()
    with context.reading() as session:
        assert session.get(Report, thin) is not None
        assert session.scalar(select(func.count()).where(Cell.review_id == thin, Cell.group == "peer")) == 0
        assert cycles.get(session, cycle_id).is_key_destroyed
    assert [file.name for file in context.installation().keyring.directory.iterdir()] == [MARK]


def test_an_objection_that_comes_again_is_told_again(company, mutant):
    cycle_id, thin, _ = _answered(company)
    for _ in range(2):
        _sweep()
        assert [letter.kind for letter, _ in company.letters() if letter.kind == "objection"] == ["objection"]
        _again(thin)
    _sweep()
    with context.reading() as session:
        assert [review.id for review in services.objected(session, cycle_id)] == [thin]


def test_publishing_nothing_deletes_its_answers_and_lets_the_round_finish(company, mutant):
    cycle_id, thin, full = _answered(company)
    _sweep()
    with context.transaction() as session:
        services.abandon(session, thin, actor_id=company.ids["noor"], now=context.now())
    _sweep()
    assert not context.installation().keyring.is_kept(cycle_id)
    company.release(cycle_id)
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(Envelope)) == 0
        for table in (Cell, Comment, Report):
            assert session.scalars(select(table.review_id).where(table.review_id == thin)).all() == []
        assert session.get(Report, full) is not None
    kinds = {letter.address: letter.kind for letter, _ in company.letters() if letter.kind != "objection"}
    assert kinds == {
        "sam@company.test": "no_report",
        "ben@company.test": "report",
        "marta@company.test": "team_reports",
    }


def test_only_what_was_objected_to_can_be_settled(company):
    _cycle_id, thin, _ = _answered(company)
    with pytest.raises(IllegalStep), context.transaction() as session:
        services.abandon(session, thin, actor_id=company.ids["noor"], now=context.now())
    with pytest.raises(IllegalStep):
        _again(thin)
    _sweep()
    with pytest.raises(IllegalStep), context.transaction() as session:
        services.object_to(session, thin, now=context.now())


def test_the_log_says_that_it_objected_and_not_why(company, mutant, capsys):
    _answered(company)
    _sweep()
    said = capsys.readouterr()
    assert "auditor_objected" in said.out + said.err
    assert "success_indicators" not in said.out + said.err


def test_a_count_that_ends_each_of_its_workers_is_begun_five_times_and_then_told(company, monkeypatch):
    cycle_id, thin, full = _answered(company)
    begun = _dies(monkeypatch, thin)
    for _ in range(8):
        _sweep_of_mortals()
    assert len(begun) == ATTEMPTS
    with context.reading() as session:
        assert [review.id for review in services.objected(session, cycle_id)] == [thin]
        assert session.scalar(select(func.count()).where(Cell.review_id == full)) > 0
        assert session.scalar(select(func.count()).where(Envelope.review_id == thin)) == 4
        assert [entry.about for entry in audit.newest(session) if entry.event == Event.COUNT_GIVEN_UP] == [thin]
    assert [letter.address for letter, _ in company.letters() if letter.kind == "objection"] == ["noor@company.test"]


def test_what_was_begun_with_others_and_ended_its_worker_comes_alone_from_then_on(company, monkeypatch):
    _, thin, full = _answered(company)
    begun = _dies(monkeypatch, thin)
    with context.reading() as session:
        together = services.waiting(session)
    assert [sorted(batch) for batch in together] == [sorted([thin, full])]
    # The broker hands the message of a dead worker out again, and knows nothing of attempts.
    with pytest.raises(_Killed):
        tally.count.run(*map(str, together[0]))
    for _ in range(8):
        tally.count.run(*map(str, together[0]))
    assert len(begun) == 1
    with context.reading() as session:
        assert sorted(services.waiting(session)) == sorted([[thin], [full]])
        assert services.objected(session, session.get(Review, thin).cycle_id) == []


def test_counted_again_it_has_as_many_attempts_as_before(company, monkeypatch):
    cycle_id, thin, _ = _answered(company)
    begun = _dies(monkeypatch, thin)
    for _ in range(8):
        _sweep_of_mortals()
    begun.clear()
    _again(thin)
    monkeypatch.undo()
    _sweep()
    with context.reading() as session:
        assert session.get(Report, thin) is not None
        assert cycles.get(session, cycle_id).is_key_destroyed


def test_a_key_that_is_missing_for_a_day_costs_no_attempt(company, tmp_path):
    cycle_id, thin, full = _answered(company)
    keys = context.installation().keyring.directory
    away = keys.rename(tmp_path / "away")
    for _ in range(8):
        for review_id in (thin, full):
            with pytest.raises(KeyMissing):
                tally.count.run(str(review_id))
    away.rename(keys)
    _sweep()
    with context.reading() as session:
        assert services.objected(session, cycle_id) == []
        assert cycles.get(session, cycle_id).is_key_destroyed


def test_messages_do_not_beget_each_other(company, queue):
    cycle_ids = [_closed(company, subjects=("sam", "ben", "ana")) for _ in range(4)]
    for _ in range(3):
        queue.append((tally.sweep, ()))
    taken = 0
    while queue:
        taken += 1
        assert taken < 100
        task, arguments = queue.popleft()
        task.run(*arguments)
    with context.reading() as session:
        assert all(cycles.get(session, cycle_id).is_key_destroyed for cycle_id in cycle_ids)
    # Three sweeps that each ask for the three reviews of every round together, and the reports of each round.
    assert taken == 3 + 3 * 4 + 4


def _answered(company: Company):
    """A closed round about Sam, where one of four peers observed nothing, and Ben, where six rate everything."""
    cycle_id, thin = company.draft(dict.fromkeys(PEERS[:4], Relationship.PEER))
    with context.transaction() as session:
        full = drafts.add_review(session, cycle_id, company.ids["ben"], [company.page_id])
        raters = {company.ids[name]: Relationship.PEER for name in PEERS if name != "ben"}
        nominations.choose(session, full.id, raters)
        cycles.open_(session, cycle_id, context.installation().keyring, actor_id=None, now=context.now())
    for name, token in company.tokens().items():
        with context.reading() as session:
            subjects = session.scalars(select(Review.id).where(Review.cycle_id == cycle_id)).all()
        for _ in subjects if name in set(PEERS[:4]) - {"ben"} else subjects[:1]:
            company.answer(token, rating=None if name == "ana" else 3, words="Something to say.")
    company.close(cycle_id)
    return cycle_id, thin, full.id


def _closed(company: Company, subjects):
    """A closed round about these people, in which nobody answered."""
    cycle_id, _ = company.draft(dict.fromkeys(PEERS[3:7], Relationship.PEER), subject=subjects[0])
    with context.transaction() as session:
        for name in subjects[1:]:
            review = drafts.add_review(session, cycle_id, company.ids[name], [company.page_id])
            nominations.choose(session, review.id, {company.ids[rater]: Relationship.PEER for rater in PEERS[3:7]})
        cycles.open_(session, cycle_id, context.installation().keyring, actor_id=None, now=context.now())
    company.close(cycle_id)
    return cycle_id


def test_a_crash_before_the_files_are_clean_has_them_cleaned_before_anything_is_released(company, monkeypatch):
    cycle_id, _, _ = _answered(company)
    cleaned = []

    def crash(engine):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("survey.store.base.vacuum", crash)
        with pytest.raises(MemoryError):
            _sweep()
    keyring = context.installation().keyring
    assert not keyring.is_kept(cycle_id)
    with context.reading() as session, pytest.raises(BadInput, match="being destroyed"):
        cycles.release(session, cycle_id, actor_id=None, now=context.now())
    monkeypatch.setattr("survey.store.base.vacuum", cleaned.append)
    tally.finish()
    tally.finish()
    assert cleaned == [context.installation().engine]
    with context.transaction() as session:
        cycles.release(session, cycle_id, actor_id=None, now=context.now())


def _sweep() -> None:
    """The sweeps until nothing is left to do, with each of their tasks run at once."""
    with context.reading() as session:
        waiting = services.waiting(session)
    for review_ids in waiting:
        tally.count.run(*map(str, review_ids))
    with context.reading() as session:
        due = publication.due(session)
    for cycle_id in due:
        tally.build.run(str(cycle_id))
    tally.finish()


def _again(review_id) -> None:
    with context.transaction() as session:
        services.try_again(session, review_id)


@pytest.fixture(autouse=True)
def nobody_listens(monkeypatch):
    """Reports are built when a test says so."""
    monkeypatch.setattr(tally.build, "delay", lambda cycle_id: None)


@pytest.fixture
def queue(monkeypatch):
    """Messages in the order in which they are sent, as redis keeps them."""
    sent = collections.deque()
    for task in (tally.measure, tally.count, tally.build):
        monkeypatch.setattr(task, "delay", lambda *arguments, task=task: sent.append((task, arguments)))
    monkeypatch.setattr(context, "wake", lambda name: sent.append((tally.sweep, ())) if "tally" in name else None)
    return sent


@pytest.fixture
def mutant(monkeypatch):
    """A build that takes one rater too few for a figure (R1); the auditor knows better."""
    real = disclosure._cell
    with monkeypatch.context() as patched:
        patched.setattr(disclosure, "_cell", lambda *args: real(*args[:-1], args[-1] - 1))
        yield patched


class _Killed(BaseException):
    """What a task that kills its child does to everything in it: nothing is caught, nothing is committed."""


def _dies(monkeypatch, review_id) -> list[object]:
    real, begun = services.count, []

    def count(session, about, keyring):
        if review_id in about:
            begun.append(about)
            raise _Killed
        return real(session, about, keyring)

    monkeypatch.setattr(services, "count", count)
    return begun


def _sweep_of_mortals() -> None:
    with context.reading() as session:
        waiting = services.waiting(session)
    for review_ids in waiting:
        with contextlib.suppress(_Killed):
            tally.count.run(*map(str, review_ids))
