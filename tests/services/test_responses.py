"""Answering, on both databases."""

from __future__ import annotations

import secrets
import threading

import pytest
from sqlalchemy import func, select

from survey import context
from survey.core.errors import BadInput, Incomplete, LinkClosed
from survey.core.relationships import Relationship
from survey.core.responses import Answers
from survey.services import responses
from survey.store import envelopes
from survey.store.envelopes import Draft, Envelope
from survey.store.invitations import Invitation, InvitationToken
from tests.company import answers_to


def test_an_answer_becomes_one_sealed_envelope_and_one_bit(company):
    company.open()
    tokens = company.tokens()
    company.answer(tokens["ana"], words="A canary sings.")
    with context.reading() as session:
        (box,) = session.scalars(select(Envelope.box)).all()
        states = session.scalars(select(Invitation.state).where(Invitation.rater_id == company.ids["ana"])).all()
    assert b"canary" not in box
    assert states == ["done"]


def test_every_envelope_has_the_same_size(company):
    company.open()
    tokens = company.tokens()
    company.answer(tokens["ana"], rating=None)
    company.answer(tokens["ben"], words="Ünïcödé 🎈 " * 100)
    company.answer(tokens["sam"], words="I am the subject. " * 40)
    with context.reading() as session:
        sizes = set(session.scalars(select(func.length(Envelope.box))))
    assert len(sizes) == 1


def test_the_envelope_opens_with_the_cycles_key_to_exactly_what_was_sent(company):
    cycle_id, _ = company.open()
    token = company.tokens()["ana"]
    company.answer(token, rating=3, words="Here  is\tone word.\r\n\r\nAnd another.")
    with context.reading() as session:
        box = session.scalar(select(Envelope.box))
    response = envelopes.unseal(box, context.installation().keyring.read(cycle_id))
    assert response.relationship is Relationship.PEER
    assert set(response.answers.ratings.values()) == {3}
    assert set(response.answers.comments.values()) == {"Here is one word.\nAnd another."}


def test_a_link_is_used_up_by_the_answer(company):
    company.open()
    token = company.tokens()["ana"]
    company.answer(token)
    with pytest.raises(LinkClosed):
        company.answer(token)
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(Envelope)) == 1
        ana = select(Invitation.id).where(Invitation.rater_id == company.ids["ana"])
        assert (
            session.scalar(
                select(func.count()).select_from(InvitationToken).where(InvitationToken.invitation_id.in_(ana))
            )
            == 0
        )


def test_answers_with_gaps_are_refused_and_leave_everything_as_it_was(company):
    company.open()
    token = company.tokens()["ana"]
    asked = _asked(token)
    complete = answers_to(asked.questionnaire)
    keys = list(complete.ratings)
    with pytest.raises(Incomplete) as refusal:
        company.answer(token, Answers(dict.fromkeys(keys[2:], 4), {}))
    assert refusal.value.gaps == tuple(keys[:2])
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(Envelope)) == 0
    company.answer(token)


@pytest.mark.parametrize("rating", [0, 6, -1, 99])
def test_a_rating_off_the_scale_is_refused(company, rating):
    company.open()
    token = company.tokens()["ana"]
    given = answers_to(_asked(token).questionnaire)
    with pytest.raises(BadInput):
        company.answer(token, Answers(dict.fromkeys(given.ratings, rating), {}))


def test_texts_that_do_not_fit_are_refused_with_a_sentence(company):
    company.open()
    token = company.tokens()["ana"]
    with pytest.raises(BadInput, match="2,000 fit"):
        company.answer(token, words="x" * 2001)
    sam = company.tokens()
    company.answer(token, words="x" * 2000)
    assert sam == {}


def test_the_self_assessment_asks_what_others_are_not_asked(company):
    company.open()
    tokens = company.tokens()
    own, peer = _asked(tokens["sam"]), _asked(tokens["ana"])
    assert {item.section for item in own.questionnaire.items if item.is_open} == {"questions_to_ask_yourself"}
    assert {item.section for item in peer.questionnaire.items if item.is_open} == {"seek_feedback"}
    assert not own.statement.is_anonymous
    assert not _asked(tokens["marta"]).statement.is_anonymous
    assert peer.statement.lines[0].startswith("6 peers were asked about Sam Rivera, you among them.")


def test_a_small_group_is_told_that_it_is_never_shown_alone(company):
    company.open()
    lines = " ".join(_asked(company.tokens()["ines"]).statement.lines)
    assert "2 direct reports were asked" in lines
    assert "never shown on its own" in lines


def test_declining_counts_as_finished_and_takes_no_answer(company):
    company.open()
    token = company.tokens()["ana"]
    invitation_id = _asked(token).invitation_id
    with context.transaction() as session:
        responses.decline(session, token, invitation_id, draft_secret=None)
    with pytest.raises(LinkClosed):
        company.answer(token)
    with context.reading() as session:
        assert session.get(Invitation, invitation_id).state == "declined"


def test_a_draft_opens_with_its_secret_alone_and_goes_with_the_answer(company):
    company.open()
    token = company.tokens()["ana"]
    asked = _asked(token)
    secret = secrets.token_bytes(32)
    half = Answers({asked.questionnaire.items[0].key: 2}, {asked.questionnaire.items[-1].key: "half a thought"})
    with context.transaction() as session:
        responses.save_draft(session, token, asked.invitation_id, half, draft_secret=secret)
    with context.transaction() as session:  # saving again replaces it
        responses.save_draft(session, token, asked.invitation_id, half, draft_secret=secret)
    with context.reading() as session:
        assert responses.draft(session, asked.invitation_id, draft_secret=secret) == half
        assert responses.draft(session, asked.invitation_id, draft_secret=secrets.token_bytes(32)) is None
        assert b"half a thought" not in session.scalar(select(Draft.box))
    with context.transaction() as session:
        responses.submit(session, asked, answers_to(asked.questionnaire), draft_secret=secret)
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(Draft)) == 0


def test_a_link_opens_nobody_elses_invitation(company):
    company.open()
    tokens = company.tokens()
    of_ben = _asked(tokens["ben"]).invitation_id
    with context.reading() as session, pytest.raises(LinkClosed):
        responses.asked(session, tokens["ana"], of_ben)


def test_fifty_parallel_answers_to_one_invitation_leave_exactly_one_envelope(company):
    company.open()
    token = company.tokens()["ana"]
    outcomes: list[str] = []

    def post() -> None:
        with company.app.app_context():
            try:
                company.answer(token)
                outcomes.append("taken")
            except LinkClosed:
                outcomes.append("closed")

    threads = [threading.Thread(target=post) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["closed"] * 49 + ["taken"]
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(Envelope)) == 1


def _asked(token):
    with context.reading() as session:
        return responses.asked(session, token, responses.waiting(session, token)[0].invitation_id)
