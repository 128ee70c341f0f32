"""Rounds, from the draft to the release, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from survey import context
from survey.core.cycles import Phase
from survey.core.errors import BadInput, IllegalStep, KeyMissing, LinkClosed
from survey.core.relationships import Relationship
from survey.services import cycles, drafts, mailings, nominations, tally
from survey.store.cycles import Cycle, Review
from survey.store.envelopes import Draft, Envelope
from survey.store.invitations import Invitation, InvitationToken
from survey.store.mailings import Mailing
from survey.store.reports import Cell, Comment, Report
from tasks import cycles as tasks
from tests import counting


def test_a_round_runs_from_draft_to_release(company):
    cycle_id, review_id = company.run()
    with context.reading() as session:
        assert cycles.get(session, cycle_id).phase == Phase.RELEASED
        assert session.get(Report, review_id) is not None
        assert session.scalar(select(func.count()).select_from(Cell)) > 0


def test_opening_freezes_questionnaire_and_invited_and_invites_each_rater_once(company):
    _cycle_id, review_id = company.open()
    with context.reading() as session:
        review = session.get(Review, review_id)
        assert review.questionnaire["parts"][0]["competency"] == "Product Stability"
        assert review.invited == {"self": 1, "manager": 1, "peer": 6, "direct_report": 2}
        assert session.scalar(select(func.count()).select_from(Invitation)) == 10
        planned = session.execute(select(Mailing.slot, func.count()).group_by(Mailing.slot)).all()
    assert dict(planned) == {"opening": 10, "half-time": 10, "three-days": 10, "one-day": 10}


def test_opening_twice_is_refused_and_changes_nothing(company):
    cycle_id, _ = company.open()
    with context.reading() as session:
        key = cycles.get(session, cycle_id).public_key
    with pytest.raises(IllegalStep, match="This round is: open"), context.transaction() as session:
        cycles.open_(session, cycle_id, context.installation().keyring, actor_id=None, now=context.now())
    with context.reading() as session:
        assert cycles.get(session, cycle_id).public_key == key
    assert context.installation().keyring.read(cycle_id).public_key == type(
        context.installation().keyring.read(cycle_id).public_key
    )(key)


def test_a_round_without_raters_is_not_opened(company):
    cycle_id, _ = company.draft({"sam": Relationship.SELF})
    with pytest.raises(BadInput, match="Nobody is asked about Sam Rivera"), context.transaction() as session:
        cycles.open_(session, cycle_id, context.installation().keyring, actor_id=None, now=context.now())
    with context.reading() as session:
        assert cycles.get(session, cycle_id).phase == Phase.DRAFT
        assert session.scalar(select(func.count()).select_from(Invitation)) == 0


def test_raters_cannot_be_changed_after_launch(company):
    _, review_id = company.open()
    with pytest.raises(IllegalStep), context.transaction() as session:
        nominations.choose(session, review_id, {company.ids["ana"]: Relationship.OTHER})


def test_the_subject_cannot_be_chosen_as_a_peer_nor_two_managers(company):
    _, review_id = company.draft()
    with pytest.raises(BadInput, match="can be asked as “self”"), context.transaction() as session:
        nominations.choose(session, review_id, {company.ids["sam"]: Relationship.PEER})
    with pytest.raises(BadInput, match="Only one manager"), context.transaction() as session:
        nominations.choose(session, review_id, {company.ids[name]: Relationship.MANAGER for name in ("marta", "noor")})


def test_closing_makes_open_invitations_void_and_forgets_links_and_waiting_mail(company):
    cycle_id, _ = company.open()
    tokens = company.tokens()
    company.answer(tokens["ana"])
    company.close(cycle_id)
    with context.reading() as session:
        states = dict(session.execute(select(Invitation.state, func.count()).group_by(Invitation.state)).all())
        assert states == {"done": 1, "void": 9}
        assert session.scalar(select(func.count()).select_from(InvitationToken)) == 0
        assert session.scalar(select(func.count()).select_from(Mailing)) == 0
    with pytest.raises(LinkClosed):
        company.answer(tokens["ben"])


def test_a_round_closes_by_itself_after_its_last_day_and_not_before(company, clock):
    cycle_id, _ = company.open(days=14)
    clock.move(days=13, hours=23)
    assert tasks.close_due() == 0
    with context.transaction() as session:
        assert not cycles.close_due(session, cycle_id, now=clock())
    clock.move(hours=1)
    assert tasks.close_due() == 1
    assert tasks.close_due() == 0
    with context.transaction() as session:
        assert not cycles.close_due(session, cycle_id, now=clock())
        assert cycles.get(session, cycle_id).phase == Phase.CLOSED


def test_moving_the_end_moves_the_reminders_that_have_not_gone_out(company, clock):
    cycle_id, _ = company.open(days=14)
    with context.transaction() as session:
        pace = context.installation().pace
        cycles.move_end(session, cycle_id, clock() + timedelta(days=28), pace=pace, actor_id=None, now=clock())
    with context.reading() as session:
        due = set(session.scalars(select(Mailing.due_at).where(Mailing.slot != "opening")))
    midnight = timedelta(hours=9)
    days = [timedelta(days=14), timedelta(days=25) - midnight, timedelta(days=27) - midnight]
    assert due == {clock() + each for each in days}


def test_the_end_cannot_be_moved_to_where_nobody_has_time_left(company, clock):
    cycle_id, _ = company.open()
    with pytest.raises(BadInput), context.transaction() as session:
        cycles.move_end(session, cycle_id, clock() + timedelta(hours=3), actor_id=None, now=clock())


def test_after_the_tally_no_envelope_no_draft_and_no_key_is_left(company):
    cycle_id, _review_id = company.open()
    for token in company.tokens().values():
        company.answer(token, words="Something to say.")
    keyring = context.installation().keyring
    assert keyring.is_kept(cycle_id)
    company.close(cycle_id)
    company.count()
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(Envelope)) == 0
        assert session.scalar(select(func.count()).select_from(Draft)) == 0
        assert cycles.get(session, cycle_id).is_key_destroyed
    assert not keyring.is_kept(cycle_id)


def test_a_second_tally_changes_nothing(company):
    cycle_id, review_id = company.open()
    for token in company.tokens().values():
        company.answer(token, words="Something to say.")
    company.close(cycle_id)
    keyring = context.installation().keyring
    with context.transaction() as session:
        assert tally.count(session, [review_id], keyring).counted == [review_id]
    counting.build()
    with context.reading() as session:
        before = (session.get(Report, review_id).body, session.scalars(select(Comment.text)).all())
    with context.transaction() as session:
        assert tally.count(session, [review_id], keyring).counted == []
    counting.build()
    with context.reading() as session:
        assert (session.get(Report, review_id).body, session.scalars(select(Comment.text)).all()) == before


def test_an_open_round_is_not_counted(company):
    _, review_id = company.open()
    with pytest.raises(IllegalStep), context.transaction() as session:
        tally.count(session, [review_id], context.installation().keyring)


def test_a_lost_key_is_a_sentence_and_leaves_the_envelopes(company):
    cycle_id, review_id = company.open()
    company.answer(company.tokens()["ana"])
    company.close(cycle_id)
    context.installation().keyring.destroy(cycle_id)
    with pytest.raises(KeyMissing), context.transaction() as session:
        tally.count(session, [review_id], context.installation().keyring)
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(Envelope)) == 1


def test_the_database_itself_refuses_a_release_before_the_key_is_gone(company):
    cycle_id, _ = company.open()
    with pytest.raises(IntegrityError), context.transaction() as session:
        session.execute(update(Cycle).where(Cycle.id == cycle_id).values(phase="released"))


def test_a_thin_review_publishes_no_distribution_and_no_figure_below_the_minimum(company):
    cycle_id, review_id = company.open(company.usual_raters(peers=5))
    for name, token in company.tokens().items():
        company.answer(token, rating=None if name == "ana" else 3 if name == "ben" else 4)
    company.close(cycle_id)
    company.count()
    with context.reading() as session:
        cells = session.scalars(select(Cell).where(Cell.review_id == review_id)).all()
    assert {(cell.group, cell.n) for cell in cells} == {("self", 1), ("manager", 1), ("peer", 4)}
    assert all(cell.counts is None for cell in cells)


def test_a_review_that_nobody_answers_still_gets_its_report(company):
    cycle_id, review_id = company.open()
    company.close(cycle_id)
    company.count()
    with context.reading() as session:
        assert session.get(Report, review_id).body["talking_points"] == []
        assert session.scalar(select(func.count()).select_from(Cell)) == 0


def test_warnings_name_groups_that_can_never_be_shown(company):
    cycle_id, _ = company.draft(company.usual_raters(peers=3), k=3)
    with context.reading() as session:
        messages = [warning.message for warning in drafts.warnings(session, cycle_id)]
    assert any("2 direct reports invited" in message for message in messages)
    assert any("k = 3 gives weak protection" in message for message in messages)
    assert any("exactly 3 peers" in message for message in messages)


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
def test_nobody_gathers_the_mail_of_a_round_that_is_being_closed(company):
    """On PostgreSQL each would hold rows that the other one waits for."""
    cycle_id, _ = company.open()
    pace, now = context.installation().pace, context.now()
    with context.transaction() as closing:
        cycles.close(closing, cycle_id, actor_id=None, now=now)
        with context.transaction() as other:
            assert mailings.gather(other, pace=pace, now=now) == 0


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
def test_a_round_that_was_closed_and_counted_meanwhile_is_not_closed_again(company):
    """On SQLite nobody writes meanwhile: whoever writes has taken their turn before they read."""
    cycle_id, _ = company.open()
    with context.transaction() as session:
        seen = cycles.get(session, cycle_id)  # as a page does that asks who launched it
        assert seen.phase == Phase.OPEN
        company.close(cycle_id)
        company.count()
        with pytest.raises(IllegalStep):
            cycles.close(session, cycle_id, actor_id=None, now=context.now())
