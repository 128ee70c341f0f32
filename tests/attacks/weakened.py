"""Weakened builds: designs that look anonymous and are not. Each attacker is first shown to succeed against one."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

from sqlalchemy import Engine, text

from survey import context
from survey.core.responses import Answers
from survey.services import responses
from tests.attacks.attackers import Place
from tests.attacks.rounds import Crowd, Ticket, as_built

RESPONSES = Place("response", "body")
"""Where the obvious design keeps what was said: a random key, no foreign key to a rater, no time."""


def add_responses(engine: Engine) -> None:
    """The table of the obvious design."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE response (id CHAR(32) PRIMARY KEY, review_id CHAR(32), body TEXT)"))


def in_one_transaction(crowd: Crowd, ticket: Ticket, answers: Answers) -> None:
    """The response is written in the transaction that marks the invitation."""
    with context.transaction() as session:
        responses.submit(session, ticket.token, ticket.invitation, answers, draft_secret=None)
        session.execute(*_insert(crowd, answers))


def in_two_transactions(crowd: Crowd, ticket: Ticket, answers: Answers) -> None:
    """The response is written in a transaction of its own, after the one that marks the invitation."""
    as_built(crowd, ticket, answers)
    with context.transaction() as session:
        session.execute(*_insert(crowd, answers))


OBVIOUS: dict[str, Callable[[Crowd, Ticket, Answers], None]] = {
    "one transaction": in_one_transaction,
    "two transactions": in_two_transactions,
}


def _insert(crowd: Crowd, answers: Answers):
    body = json.dumps({**answers.ratings, **answers.comments})
    return text("INSERT INTO response VALUES (:id, :review, :body)"), {
        "id": uuid.uuid4().hex,
        "review": crowd.review_id.hex,
        "body": body,
    }


class NoShuffle:
    """In place of the system's randomness: leaves everything in the order in which it came."""

    def shuffle(self, items: list[object]) -> None:
        """Does nothing."""
