"""A14: the drafts table, every other table, the app's secret and the key directory."""

from __future__ import annotations

import secrets

import pytest
from sqlalchemy import text

from survey import context
from survey.core.responses import Answers
from survey.services import responses
from tests.attacks import attackers, weakened
from tests.company import submit

RATERS = 8


@pytest.mark.parametrize("design", weakened.DRAFT_SECRETS)
def test_a_draft_whose_secret_the_server_can_make_is_read_and_traced_to_its_rater(gather, app, design):
    crowd = gather(RATERS)
    _save(crowd, weakened.DRAFT_SECRETS[design])
    found = _attack(crowd, app)
    said = {invitation: next(iter(response.answers.comments.values())) for invitation, response in found.items()}
    assert said == {ticket.invitation: _words(crowd, ticket) for ticket in crowd.tickets}


def test_a_draft_saved_with_a_mark_on_the_invitation_is_traced_to_it(gather):
    crowd = gather(RATERS)
    if crowd.engine.dialect.name == "sqlite":
        return
    _save(crowd, lambda invitation: secrets.token_bytes(32), with_mark=True)
    assert _written_together(crowd.engine) == RATERS


def test_drafts_can_be_neither_read_nor_linked(gather, app):
    crowd = gather(RATERS)
    one_browser = secrets.token_bytes(32)
    kept = _save(crowd, lambda invitation: one_browser)
    assert _attack(crowd, app) == {}
    assert attackers.read(attackers.dump(crowd.engine), crowd.truth.values()).total() == 0
    assert _written_together(crowd.engine) == 0
    boxes = _drafts(crowd.engine)
    assert len(boxes) == RATERS
    assert len({len(box) for box in boxes.values()}) == 1
    assert all(attackers.is_random(box) for box in boxes.values())
    # What the attack lacks is the cookie, and nothing else.
    known = attackers.drafts_opened(boxes, [ticket.invitation for ticket in crowd.tickets], [one_browser])
    assert {invitation: dict(response.answers.comments) for invitation, response in known.items()} == kept


def test_drafts_of_answers_that_were_sent_and_of_rounds_that_ended_are_gone(gather):
    crowd = gather(RATERS)
    secret = secrets.token_bytes(32)
    _save(crowd, lambda invitation: secret)
    with context.transaction() as session:
        ticket = crowd.tickets[0]
        submit(session, ticket.token, ticket.invitation, crowd.answers(ticket), draft_secret=secret)
    assert len(_drafts(crowd.engine)) == RATERS - 1
    crowd.close_and_count()
    assert _drafts(crowd.engine) == {}


def _save(crowd, secret_for, *, with_mark=False):
    """Half-finished answers of everybody; the value has the words that each invitation's draft holds."""
    kept = {}
    for ticket in crowd.tickets:
        answers = crowd.answers(ticket)
        half = Answers(dict(list(answers.ratings.items())[:3]), answers.comments)
        with context.transaction() as session:
            responses.save_draft(
                session, ticket.token, ticket.invitation, half, draft_secret=secret_for(ticket.invitation)
            )
            if with_mark:
                session.execute(
                    text("UPDATE invitation SET state = state WHERE id = :id"), {"id": str(ticket.invitation)}
                )
        kept[ticket.invitation] = dict(half.comments)
    return kept


def _attack(crowd, app):
    keys = attackers.candidate_keys(
        [app.config["SECRET_KEY"].encode()],
        [attackers.dump(crowd.engine)],
        context.installation().keyring.directory,
    )
    invitations = [ticket.invitation for ticket in crowd.tickets]
    return attackers.drafts_opened(_drafts(crowd.engine), invitations, [app.config["SECRET_KEY"].encode(), *keys])


def _drafts(engine):
    with engine.connect() as connection:
        return {bytes(key): bytes(box) for key, box in connection.execute(text("SELECT id, box FROM draft"))}


def _written_together(engine):
    """Drafts that PostgreSQL wrote in one transaction with an invitation."""
    if engine.dialect.name == "sqlite":
        return 0
    with engine.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM draft JOIN invitation ON draft.xmin = invitation.xmin"))


def _words(crowd, ticket):
    return f"{crowd.truth[ticket.rater]} is what I have to say about Sam."
