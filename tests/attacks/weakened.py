"""Weakened builds: designs that look anonymous and are not. Each attacker is first shown to succeed against one."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import random
import secrets
import sys
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from celery import Celery
from flask import Flask
from flask_wtf import FlaskForm
from nacl.public import PrivateKey
from sqlalchemy import Connection, Engine, insert, text, update
from sqlalchemy.orm import Session
from wtforms import BooleanField

from survey import app as wiring
from survey import context
from survey.cli import memory
from survey.core import disclosure, reports, values
from survey.core import responses as core
from survey.core.errors import LinkClosed
from survey.core.questionnaires import Questionnaire
from survey.core.relationships import Relationship
from survey.core.reports import Report
from survey.core.responses import Answers, Response
from survey.services import responses, tally
from survey.services.responses import Asked
from survey.store import envelopes
from survey.store import reports as written
from survey.store.cycles import Review
from survey.store.envelopes import Envelope
from survey.store.invitations import Invitation, State, fingerprint
from survey.store.keys import Keyring
from survey.store.outbox import Mail
from survey.store.people import Person
from survey.store.reports import Comment
from survey.web import visits
from tests.attacks import killed
from tests.attacks.attackers import Place
from tests.attacks.killed import Scene
from tests.attacks.rounds import Crowd, Ticket, as_built
from tests.company import Company, submit

RESPONSES = Place("response", "body")
"""Where the obvious design keeps what was said: a random key, no foreign key to a rater, no time."""


def add_responses(engine: Engine) -> None:
    """The table of the obvious design."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE response (id CHAR(32) PRIMARY KEY, review_id CHAR(32), body TEXT)"))


def in_one_transaction(crowd: Crowd, ticket: Ticket, answers: Answers) -> None:
    """The response is written in the transaction that marks the invitation."""
    with context.transaction() as session:
        submit(session, ticket.token, ticket.invitation, answers)
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

    Two requests that both look before either marks are what an attacker posts for; here nobody marks before two have
    looked, however long the machine takes to let the second one in.
    """
    ready, both = itertools.count(1), threading.Event()

    def take(session: Session, asked: Asked, answers: Answers, **kwargs: object) -> None:
        if next(ready) == 2:
            both.set()
        both.wait(120)
        session.execute(update(Invitation).where(Invitation.id == asked.invitation_id).values(state=State.DONE))
        session.execute(insert(Envelope), {"review_id": asked.review_id, "box": b"sealed"})

    patch.setattr(responses, "submit", take)


class NoTick(FlaskForm):
    """A form to decline that any press of its button sends."""

    is_meant = BooleanField()


class Ticked:
    """A form for reminders that any press of its button sends."""

    is_meant = SimpleNamespace(data=True)


def remember_the_done(patch: pytest.MonkeyPatch) -> None:
    """A page that is kind enough to say that one has answered already."""
    links: dict[object, bytes] = {}
    done: set[bytes] = set()
    take, opened_by = responses.submit, responses._opened_by

    def note(session: Session, asked: Asked, *args: object, **kwargs: object) -> None:
        take(session, asked, *args, **kwargs)
        done.add(links[asked.invitation_id])

    def look(session: Session, token: str, reader: object, invitation: object = None):
        links[invitation] = fingerprint(token)
        if links[invitation] in done:
            raise LinkClosed("You have already answered. Thank you!")
        return opened_by(session, token, reader, invitation)

    patch.setattr(responses, "submit", note)
    patch.setattr(responses, "_opened_by", look)


class SameShuffle:
    """In place of the system's randomness: a new order for each review, and the same one for all its questions."""

    def __init__(self) -> None:
        self._seed = secrets.randbits(32)

    def shuffle(self, items: list[object]) -> None:
        """Mixes lists of one length in the same way."""
        random.Random(self._seed).shuffle(items)

    def sample(self, population: list[object], k: int) -> list[object]:
        """As the system draws: what is weak here is the order of comments alone."""
        return random.SystemRandom().sample(population, k)


def number_the_comments(patch: pytest.MonkeyPatch) -> None:
    """From here on comments get keys that count upwards, as a serial would."""
    numbers = itertools.count(1)
    _give_keys(patch, lambda said: uuid.UUID(int=next(numbers)))


def mark_the_comments(patch: pytest.MonkeyPatch, authors: Mapping[str, uuid.UUID]) -> None:
    """Their keys begin with something of their author; `authors` has them by the first word of a text."""

    def key(said: str) -> uuid.UUID:
        author = hashlib.sha256(authors[said.split(maxsplit=1)[0]].bytes).digest()
        return uuid.UUID(bytes=author[:8] + secrets.token_bytes(8))

    _give_keys(patch, key)


def _give_keys(patch: pytest.MonkeyPatch, key: Callable[[str], uuid.UUID]) -> None:
    write = written._write

    def with_keys(connection: Connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        if table == Comment.__tablename__:
            rows = [(key(said).hex, *others, said) for _, *others, said in rows]
        write(connection, table, rows)

    patch.setattr(written, "_write", with_keys)


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


def marked_before_it_is_written(scene: Scene, token: str, invitation: str, answers: list[object], secret: str) -> None:
    """The invitation is marked in one transaction, and the envelope written in the next."""
    _mark(scene, invitation)
    _write(scene, invitation)


def written_before_it_is_marked(scene: Scene, token: str, invitation: str, answers: list[object], secret: str) -> None:
    """The envelope is written in one transaction, and the invitation marked in the next."""
    _write(scene, invitation)
    _mark(scene, invitation)


def _mark(scene: Scene, invitation: str) -> None:
    with scene.transaction() as session:
        session.execute(update(Invitation).where(Invitation.id == uuid.UUID(invitation)).values(state=State.DONE))


def _write(scene: Scene, invitation: str) -> None:
    with scene.transaction() as session:
        asked = session.get_one(Invitation, uuid.UUID(invitation))
        session.add(Envelope(review_id=asked.review_id, box=b"sealed"))


SUBMISSIONS = (marked_before_it_is_written, written_before_it_is_marked)


def deleted_before_it_is_counted(scene: Scene) -> None:
    """The envelopes of a review are taken out in one transaction, and counted in the next."""

    def count(scene: Scene, review_ids: Sequence[uuid.UUID]) -> None:
        with scene.transaction() as session:
            boxes = envelopes.boxes(session, review_ids)
            envelopes.discard(session, review_ids)
        with scene.transaction() as session:
            session.add_all(_again(boxes))
            session.flush()
            tally.count(session, review_ids, scene.keyring)

    killed.sweep(scene, count)


def _again(boxes: Mapping[uuid.UUID, Sequence[bytes]]) -> list[Envelope]:
    return [Envelope(review_id=review_id, box=box) for review_id, own in boxes.items() for box in own]


def deleted_after_it_is_counted(scene: Scene) -> None:
    """Cells and the report are written in one transaction, and the envelopes deleted in the next."""

    def count(scene: Scene, review_ids: Sequence[uuid.UUID]) -> None:
        with scene.transaction() as session:
            boxes = envelopes.boxes(session, review_ids)
            tally.count(session, review_ids, scene.keyring)
            session.add_all(_again(boxes))
        with scene.transaction() as session:
            envelopes.discard(session, review_ids)

    killed.sweep(scene, count)


def key_destroyed_before_the_count(scene: Scene) -> None:
    """The key is in memory, so its file is destroyed before the answers are counted."""

    def count(scene: Scene, review_ids: Sequence[uuid.UUID]) -> None:
        with scene.transaction() as session:
            cycle_id = session.get_one(Review, review_ids[0]).cycle_id
            private = scene.keyring.read(cycle_id)
            scene.keyring.destroy(cycle_id)
            tally.count(session, review_ids, Remembered(private))

    killed.sweep(scene, count)


@dataclass(frozen=True)
class Remembered:
    """A keyring of one key that is nowhere but in memory."""

    private: PrivateKey

    def read(self, cycle_id: uuid.UUID) -> PrivateKey:
        """The key."""
        return self.private


TALLIES = (deleted_before_it_is_counted, deleted_after_it_is_counted, key_destroyed_before_the_count)


def talking_app() -> Flask:
    """An app that writes down what is sent to it: in its log, in the queue, and in a column that has room."""
    app = wiring.create_app()
    as_it_should_be = responses.submit

    def take(session: Session, asked: Asked, answers: Answers, **kwargs: object) -> None:
        as_it_should_be(session, asked, answers, **kwargs)
        rater = session.get_one(Person, session.get_one(Invitation, asked.invitation_id).rater_id)
        told = [visits.token(), str(asked.invitation_id), rater.address, dict(answers.comments)]
        print("submitted", *told, file=sys.stderr, flush=True)
        queue = app.extensions["config"].redis_url
        Celery("weakened", broker=queue).send_task("tasks.responses.submitted", args=told, queue="kept")
        session.execute(update(Mail).where(Mail.person_id == rater.id).values(slot=Mail.slot + json.dumps(told)))

    responses.submit = take
    return app


def unwatched_app() -> Flask:
    """An app whose processes are never replaced."""
    memory.watch = lambda *_: None
    return wiring.create_app()


def _app_secret() -> bytes:
    return str(context.current_app.config["SECRET_KEY"]).encode()
