"""A large round is opened by the worker in portions: here of one review each, and a large round has three."""

from __future__ import annotations

import contextlib

import pytest
from sqlalchemy import func, select

from survey import context
from survey.core.audit import Event
from survey.core.cycles import ATTEMPTS, Phase
from survey.core.errors import IllegalStep, LinkClosed
from survey.core.relationships import Relationship
from survey.services import audit, cycles, drafts, erasures, mailings, nominations, openings, people, restores
from survey.store import openings as store
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation
from survey.store.mailings import Mailing, plan
from survey.store.people import Person
from tasks import cycles as tasks
from tests.company import PEERS, csrf

SUBJECTS = ("sam", "ben", "ana")
RATERS = PEERS[2:6]


def test_a_large_round_is_begun_at_once_and_opened_portion_by_portion(company):
    cycle_id = _begun(company)
    assert _phase(cycle_id) == Phase.OPENING
    assert _progress(cycle_id) == (0, 3)
    _one_portion(cycle_id)
    assert (_phase(cycle_id), _progress(cycle_id)) == (Phase.OPENING, (1, 3))
    assert tasks.go_on_opening() == 1
    assert _phase(cycle_id) == Phase.OPEN
    with context.reading() as session:
        rows = session.execute(select(Invitation.review_id, Invitation.rater_id, Invitation.state)).all()
        assert {(review_id, rater_id) for review_id, rater_id, _ in rows} == {
            (review.id, company.ids[name]) for review in session.scalars(select(Review)) for name in RATERS
        }
        assert len(rows) == 3 * len(RATERS)
        for review in session.scalars(select(Review)):
            assert review.invited == {"peer": len(RATERS)}
            assert review.minutes["peer"] > 0
            assert review.managers[-1] == str(company.ids["marta"])
        cycle = cycles.get(session, cycle_id)
        assert (cycle.opens_at, cycle.attempts, cycle.opener_id) == (context.now(), 0, None)
        (entry,) = [entry for entry in audit.newest(session) if entry.event == Event.CYCLE_OPENED]
        assert (entry.actor_id, entry.detail["under review"]) == (company.ids["marta"], "3")
    assert context.installation().keyring.read(cycle_id).public_key.encode() == cycle.public_key
    assert tasks.go_on_opening() == 0


def test_everybody_is_mailed_once_it_is_open_and_not_before(company, rung):
    cycle_id = _begun(company)
    assert rung.tasks == []
    _one_portion(cycle_id)
    assert company.tokens() == {}
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(Mailing)) == 0
    tasks.go_on_opening()
    assert rung.tasks == ["tasks.outbox.sweep"]
    assert set(company.tokens()) == set(RATERS)


def test_nobody_can_answer_about_it_with_the_link_of_another_round(company):
    company.open(dict.fromkeys(RATERS, Relationship.PEER), subject="sam")
    token = company.tokens()[RATERS[0]]
    cycle_id = _begun(company)
    for _ in SUBJECTS:
        _one_portion(cycle_id)
    company.answer(token)
    with pytest.raises(LinkClosed):
        company.answer(token)


def test_what_is_planned_is_what_each_zone_would_get_by_itself(company):
    zones = dict(zip(RATERS, (None, "Asia/Tokyo", "America/New_York", "Asia/Tokyo"), strict=True))
    with context.transaction() as session:
        for name, zone in zones.items():
            session.get_one(Person, company.ids[name]).time_zone = zone
    cycle_id = _begun(company)
    tasks.go_on_opening()
    planned = _planned(cycle_id)
    with context.transaction() as session:
        cycle = cycles.get(session, cycle_id)
        session.query(Mailing).delete()
        plan(
            session,
            cycle_id,
            [company.ids[name] for name in RATERS],
            opens_at=cycle.opens_at,
            closes_at=cycle.closes_at,
            pace=context.installation().pace,
        )
    assert planned == _planned(cycle_id)
    assert len(planned) == 4 * len(RATERS)


def test_a_round_that_is_no_larger_than_a_portion_is_open_at_once(company, monkeypatch):
    monkeypatch.setattr(store, "PORTION", 3)
    assert _phase(_begun(company)) == Phase.OPEN


def test_when_time_is_up_the_next_task_goes_on(company, clock, rung, monkeypatch):
    cycle_id = _begun(company)
    real = openings.go_on

    def slow(session, cycle_id, review_ids):
        clock.move(seconds=15)
        return real(session, cycle_id, review_ids)

    monkeypatch.setattr(openings, "go_on", slow)
    assert tasks.go_on_opening() == 0
    assert (_progress(cycle_id), rung.tasks) == ((2, 3), ["tasks.cycles.go_on_opening"])
    assert tasks.go_on_opening() == 1


def test_a_round_opens_on_its_day_in_the_same_way(company, clock, rung):
    cycle_id = _drafted(company)
    _schedule(cycle_id, clock)
    assert tasks.open_due() == 1
    assert (_phase(cycle_id), rung.tasks) == (Phase.OPENING, ["tasks.cycles.go_on_opening"])
    assert tasks.open_due() == 0
    assert tasks.go_on_opening() == 1
    with context.reading() as session:
        (entry,) = [entry for entry in audit.newest(session) if entry.event == Event.CYCLE_OPENED]
        assert entry.actor_id is None


def test_an_opening_that_is_stopped_leaves_the_draft_as_it_was(company):
    cycle_id = _begun(company)
    _one_portion(cycle_id)
    with context.transaction() as session:
        openings.take_back(session, cycle_id)
    assert tasks.go_on_opening() == 0
    _is_untouched(cycle_id)
    assert not context.installation().keyring.is_kept(cycle_id)
    _begin(company, cycle_id)
    assert tasks.go_on_opening() == 1
    with pytest.raises(IllegalStep, match="This round is: open"), context.transaction() as session:
        openings.take_back(session, cycle_id)


def test_raters_are_being_chosen_again_where_that_was_so_before(company, clock):
    cycle_id = _drafted(company)
    _schedule(cycle_id, clock, days=10)
    with context.transaction() as session:
        nominations.start(session, cycle_id, now=clock())
    _begin(company, cycle_id)
    with context.transaction() as session:
        openings.take_back(session, cycle_id)
    _is_untouched(cycle_id, Phase.NOMINATING)


def test_nothing_of_it_can_be_changed_meanwhile(company):
    cycle_id = _begun(company)
    with context.reading() as session:
        review_id = session.scalar(select(Review.id).limit(1))
    for change in (
        lambda session: drafts.rename(session, cycle_id, "Another name"),
        lambda session: drafts.remove_review(session, review_id),
        lambda session: nominations.choose(session, review_id, {company.ids["noor"]: Relationship.PEER}),
        lambda session: cycles.move_end(session, cycle_id, context.now(), actor_id=None, now=context.now()),
        lambda session: cycles.close(session, cycle_id, actor_id=None, now=context.now()),
        lambda session: cycles.cancel(session, cycle_id, actor_id=None, now=context.now()),
        lambda session: mailings.remind(
            session, review_id, pace=context.installation().pace, actor_id=company.ids["noor"], now=context.now()
        ),
    ):
        with pytest.raises(IllegalStep, match="being opened"), context.transaction() as session:
            change(session)


def test_who_leaves_meanwhile_is_not_asked(company):
    cycle_id = _begun(company)
    _one_portion(cycle_id)
    gone = RATERS[0]
    with context.transaction() as session:
        people.deactivate(session, company.ids[gone], actor_id=company.ids["noor"], now=context.now())
    assert tasks.go_on_opening() == 1
    with context.reading() as session:
        states = session.scalars(select(Invitation.state).where(Invitation.rater_id == company.ids[gone])).all()
        assert states == ["open"]  # for the day on which they come back
    assert set(company.tokens()) == set(RATERS) - {gone}


def test_who_is_under_review_in_it_cannot_be_erased(company):
    _begun(company)
    with pytest.raises(IllegalStep, match="is under review in the round “Spring"), context.transaction() as session:
        erasures.erase(session, company.ids["sam"], actor_id=company.ids["noor"], now=context.now())


def test_where_nobody_is_left_to_ask_it_is_taken_back_and_its_launcher_is_told(company):
    cycle_id = _begun(company)
    _one_portion(cycle_id)
    with context.transaction() as session:
        for name in RATERS:
            people.deactivate(session, company.ids[name], actor_id=company.ids["noor"], now=context.now())
    assert tasks.go_on_opening() == 0
    _is_untouched(cycle_id)
    assert [(letter.kind, letter.address) for letter, _ in company.letters()] == [("not_opened", "marta@company.test")]


def test_an_opening_that_ends_each_of_its_workers_is_begun_five_times_and_the_others_go_on(company, monkeypatch):
    broken, whole = _begun(company), _begun(company)
    begun, real = [], store.freeze

    def freeze(session, review_ids):
        if session.get(Review, review_ids[0]).cycle_id == broken:
            begun.append(review_ids)
            raise _Killed
        real(session, review_ids)

    monkeypatch.setattr(store, "freeze", freeze)
    for _ in range(8):
        with contextlib.suppress(_Killed):
            tasks.go_on_opening()
    assert len(begun) == ATTEMPTS
    assert _phase(whole) == Phase.OPEN
    _is_untouched(broken)
    letters = [(letter.kind, letter.address) for letter, _ in company.letters() if not letter.parts]
    assert sorted(letters) == [("not_opened", "marta@company.test"), ("not_opened", "noor@company.test")]
    with context.reading() as session:
        (entry,) = [entry for entry in audit.newest(session) if entry.event == Event.STEP_GIVEN_UP]
        assert (entry.about, dict(entry.detail), entry.actor_id) == (broken, {"step": "opening"}, None)
    monkeypatch.undo()
    _begin(company, broken)
    while _phase(broken) == Phase.OPENING:
        tasks.go_on_opening()
    assert _phase(broken) == Phase.OPEN


def test_a_restored_database_does_not_go_on_opening(company):
    cycle_id = _begun(company)
    _one_portion(cycle_id)
    now = context.now()
    with context.transaction() as session:
        settled = restores.settle(session, made_at=now, pace=context.installation().pace, now=now)
    assert settled.openings_stopped == ("Spring round",)
    _is_untouched(cycle_id)


def test_who_opens_it_sees_how_far_it_is_and_can_stop_it(company):
    cycle_id = _drafted(company)
    marta = company.sign_in("marta")
    page = _press(marta, f"/rounds/{cycle_id}/open")
    assert page.location.endswith(f"/rounds/{cycle_id}")
    _one_portion(cycle_id)
    text = marta.get(f"/rounds/{cycle_id}").text
    assert "1 of 3 reviews prepared" in text
    assert not any(name in text for name in ("Sam Rivera", *(name.capitalize() for name in RATERS)))
    assert "answered" not in marta.get("/rounds").text
    _press(marta, f"/rounds/{cycle_id}/stop-opening")
    assert "Nobody has been asked anything" in marta.get(f"/rounds/{cycle_id}", follow_redirects=True).text
    _is_untouched(cycle_id)


def _drafted(company):
    cycle_id, _ = company.draft(dict.fromkeys(RATERS, Relationship.PEER), subject=SUBJECTS[0])
    with context.transaction() as session:
        for name in SUBJECTS[1:]:
            review = drafts.add_review(session, cycle_id, company.ids[name], [company.page_id])
            nominations.choose(session, review.id, {company.ids[rater]: Relationship.PEER for rater in RATERS})
    return cycle_id


def _begun(company):
    cycle_id = _drafted(company)
    _begin(company, cycle_id)
    return cycle_id


def _begin(company, cycle_id) -> None:
    parts = context.installation()
    with context.transaction() as session:
        cycles.open_(
            session, cycle_id, parts.keyring, pace=parts.pace, actor_id=company.ids["marta"], now=context.now()
        )


def _one_portion(cycle_id) -> None:
    """As far as a worker comes that is killed after its next portion."""
    with context.transaction() as session:
        assert openings.begin(session, cycle_id, now=context.now())
    with context.transaction() as session:
        openings.go_on(session, cycle_id, openings.unopened(session, cycle_id)[:1])


def _schedule(cycle_id, clock, *, days=3) -> None:
    with context.transaction() as session:
        cycle = session.get_one(Cycle, cycle_id)
        cycle.opens_at = clock() + (cycle.closes_at - clock()) * days / 14
        if days < 4:
            cycle.is_scheduled = True
            clock.moment = cycle.opens_at


def _phase(cycle_id) -> str:
    with context.reading() as session:
        return cycles.get(session, cycle_id).phase


def _progress(cycle_id) -> tuple[int, int]:
    with context.reading() as session:
        return openings.progress(session, cycle_id)


def _planned(cycle_id):
    with context.reading() as session:
        rows = session.scalars(select(Mailing).where(Mailing.cycle_id == cycle_id))
        return sorted((str(row.person_id), row.slot, row.due_at) for row in rows)


def _is_untouched(cycle_id, phase=Phase.DRAFT) -> None:
    """Nothing is left of an opening, and it does not begin again by itself."""
    with context.reading() as session:
        cycle = cycles.get(session, cycle_id)
        assert (cycle.phase, cycle.public_key, cycle.is_scheduled, cycle.attempts) == (phase, None, False, 0)
        reviews = session.scalars(select(Review).where(Review.cycle_id == cycle_id)).all()
        assert [(row.questionnaire, row.invited, row.minutes, row.managers) for row in reviews] == [(None,) * 4] * 3
        of_them = Invitation.review_id.in_([row.id for row in reviews])
        assert session.scalar(select(func.count()).where(of_them)) == 0


def _press(browser, path):
    return browser.post(path, data={"csrf_token": csrf(browser.get(path).text)})


class _Killed(BaseException):
    """What a task that kills its child does to everything in it: nothing is caught, nothing is committed."""


@pytest.fixture(autouse=True)
def one_by_one(monkeypatch):
    """Portions of one review."""
    for module in (store, openings):
        monkeypatch.setattr(module, "PORTION", 1)
