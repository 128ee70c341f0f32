"""Weakened builds: designs that look anonymous and are not. Each attacker is first shown to succeed against one."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import secrets
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import pytest
from flask_wtf import FlaskForm
from sqlalchemy import Engine, text, update
from sqlalchemy.orm import Session
from wtforms import BooleanField

from survey import context
from survey.core import disclosure, reports, values
from survey.core.errors import LinkClosed
from survey.core.questionnaires import Questionnaire
from survey.core.relationships import Relationship
from survey.core.reports import Report
from survey.core.responses import Answers, Response
from survey.services import responses
from survey.store.cycles import Review
from survey.store.invitations import Invitation, State, fingerprint
from survey.store.reports import Comment
from tests.attacks.attackers import Place
from tests.attacks.rounds import Crowd, Ticket, as_built
from tests.company import Company

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


def live_report(company: Company, review_id: uuid.UUID, given: Sequence[Response], *, k: int) -> Report:
    """A report that is made anew from the answers whenever it is looked at."""
    with context.reading() as session:
        review = session.get(Review, review_id)
        questionnaire = values.load(Questionnaire, review.questionnaire)
        invited = {Relationship(kind): number for kind, number in review.invited.items()}
        pages = [reports.page_of(entry.page.body) for entry in review.pages]
    published = disclosure.publish(questionnaire, given, k=k, shuffle=lambda comments: None)
    return reports.build(questionnaire, published, pages=pages, invited=invited)


def claim_in_two_steps(patch: pytest.MonkeyPatch) -> None:
    """First a look whether the invitation is open, then the mark, whatever has happened in between.

    Two requests that both look before either marks are what an attacker posts for; here they wait for each other.
    """
    together = threading.Barrier(2)
    opened = responses._open_invitation

    def look(session: Session, *args: object):
        with context.reading() as before:
            row = opened(before, *args)
        with suppress(threading.BrokenBarrierError):
            together.wait(2)
        return row

    def claim(session: Session, invitation_id: uuid.UUID, state: State) -> None:
        session.execute(update(Invitation).where(Invitation.id == invitation_id).values(state=state))

    patch.setattr(responses, "_open_invitation", look)
    patch.setattr(responses, "_claim", claim)


class NoTick(FlaskForm):
    """A form to decline that any press of its button sends."""

    is_meant = BooleanField()


def remember_the_done(patch: pytest.MonkeyPatch) -> None:
    """A page that is kind enough to say that one has answered already."""
    done: set[bytes] = set()
    submit, opened_by = responses.submit, responses._opened_by

    def note(session: Session, token: str, *args: object, **kwargs: object) -> None:
        submit(session, token, *args, **kwargs)
        done.add(fingerprint(token))

    def look(token: str, *args: object):
        if fingerprint(token) in done:
            raise LinkClosed("You have already answered. Thank you!")
        return opened_by(token, *args)

    patch.setattr(responses, "submit", note)
    patch.setattr(responses, "_opened_by", look)


class SameShuffle:
    """In place of the system's randomness: a new order for each review, and the same one for all its questions."""

    def __init__(self) -> None:
        self._seed = secrets.randbits(32)

    def shuffle(self, items: list[object]) -> None:
        """Mixes lists of one length in the same way."""
        random.Random(self._seed).shuffle(items)


def numbered_comment(**fields: object) -> Comment:
    """A comment whose key counts upwards, as a serial would."""
    return Comment(id=uuid.UUID(int=next(_numbers)), **fields)


def comment_by(authors: Mapping[str, uuid.UUID]) -> Callable[..., Comment]:
    """Comments whose keys begin with something of their author; `authors` has them by the first word of a text."""

    def comment(**fields: object) -> Comment:
        author = hashlib.sha256(authors[str(fields["text"]).split()[0]].bytes).digest()
        return Comment(id=uuid.UUID(bytes=author[:8] + secrets.token_bytes(8)), **fields)

    return comment


_numbers = itertools.count(1)
