"""Weakened builds: designs that look anonymous and are not. Each attacker is first shown to succeed against one."""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from collections.abc import Callable

from celery import Celery
from nacl.public import PrivateKey
from sqlalchemy import Engine, text

from survey import context
from survey.core import responses as core
from survey.core.responses import Answers, Response
from survey.services import responses
from survey.store.keys import Keyring
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


def packed_without_filling(response: Response) -> bytes:
    """In place of `pack`: leaves out what makes every response as long as any other."""
    packed = core.pack(response)
    return packed[: 2 + int.from_bytes(packed[:2], "big")]


def sealed_without_a_key(response: Response, public_key: bytes) -> bytes:
    """In place of `seal`: keeps the response as text, filled up to one length."""
    text_ = json.dumps([response.relationship, dict(response.answers.ratings), dict(response.answers.comments)])
    return text_.encode().ljust(core.PACKED_SIZE, b" ")


def through_the_queue(crowd: Crowd, ticket: Ticket, answers: Answers) -> None:
    """The answers are handed to a worker, so that the page is back sooner."""
    url = context.current_app.extensions["config"].redis_url
    arguments = [ticket.token, dict(answers.ratings), dict(answers.comments)]
    Celery("weakened", broker=url).send_task("tasks.responses.submit", args=arguments)
    as_built(crowd, ticket, answers)


def with_a_line_in_the_log(crowd: Crowd, ticket: Ticket, answers: Answers) -> None:
    """A line that somebody wrote while looking for a mistake, and left there."""
    logging.getLogger("survey").warning("submitted %s %s", ticket.token, dict(answers.comments))
    as_built(crowd, ticket, answers)


TALKATIVE: dict[str, Callable[[Crowd, Ticket, Answers], None]] = {
    "redis: keys": through_the_queue,
    "redis: the file of SAVE": through_the_queue,
    "log": with_a_line_in_the_log,
}
"""Where each of these leaves the words of an answer."""


class KeptKeys(Keyring):
    """Keys that stay where they are."""

    def destroy(self, cycle_id: uuid.UUID) -> None:
        """Does nothing."""


class MadeKeys(Keyring):
    """Keys that need no file, since they are made of the app's secret whenever they are needed."""

    def make(self, cycle_id: uuid.UUID) -> bytes:
        """The public half; nothing is written."""
        return bytes(self.read(cycle_id).public_key)

    def read(self, cycle_id: uuid.UUID) -> PrivateKey:
        """The same for every round."""
        return PrivateKey(hashlib.sha256(_app_secret()).digest())


class CopiedKeys(Keyring):
    """Keys with a copy for the day on which somebody deletes the wrong file."""

    def make(self, cycle_id: uuid.UUID) -> bytes:
        """The public half; the private one is there twice."""
        public = super().make(cycle_id)
        self.directory.joinpath("backup").mkdir()
        self.directory.joinpath("backup", "key.old").write_bytes(bytes(self.read(cycle_id)))
        return public


KEYRINGS = (KeptKeys, MadeKeys, CopiedKeys)


DRAFT_SECRETS: dict[str, Callable[[uuid.UUID], bytes]] = {
    "the invitation's id": lambda invitation: invitation.bytes,
    "a hash of the invitation's id": lambda invitation: hashlib.sha256(invitation.bytes).digest(),
    "the app's secret": lambda invitation: hashlib.sha256(_app_secret()).digest(),
    "the app's secret and the invitation's id": lambda invitation: hashlib.sha256(
        _app_secret() + invitation.bytes
    ).digest(),
}
"""Secrets for drafts that the server could make again, so that no cookie is needed."""


def _app_secret() -> bytes:
    return str(context.current_app.config["SECRET_KEY"]).encode()
