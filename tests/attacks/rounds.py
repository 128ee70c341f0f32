"""Rounds for attacks: many raters who answer one after the other, each with words that only they use."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask
from sqlalchemy import Engine, insert, select

import config as settings
from survey import app as wiring
from survey import context
from survey.core.relationships import Relationship
from survey.core.responses import Answers
from survey.services import responses
from survey.store import base
from survey.store.invitations import Invitation, InvitationToken, mint
from survey.store.people import Person
from tests import servers
from tests.company import Company, answers_to, submit


@dataclass(frozen=True)
class Ticket:
    """What one rater's mail would hold, and whose it is."""

    rater: uuid.UUID
    invitation: uuid.UUID
    token: str


@dataclass
class Crowd:
    """Peers of one review, in the order in which they answer; `truth` has the word that each of them wrote."""

    company: Company
    cycle_id: uuid.UUID
    review_id: uuid.UUID
    tickets: list[Ticket]
    truth: dict[uuid.UUID, str] = field(default_factory=dict)

    @property
    def order(self) -> list[uuid.UUID]:
        return [ticket.rater for ticket in self.tickets]

    @property
    def engine(self) -> Engine:
        return context.installation().engine

    def answers(self, ticket: Ticket) -> Answers:
        """Ratings that differ from rater to rater, and the rater's own word in every open answer."""
        number = len(self.truth)
        word = self.truth.setdefault(ticket.rater, secrets.token_hex(8))
        with context.reading() as session:
            asked = responses.asked(session, ticket.token, ticket.invitation)
        return answers_to(asked.questionnaire, rating=1 + number % 5, words=f"{word} is what I have to say about Sam.")

    def answer(self, give: Callable[[Crowd, Ticket, Answers], None], first: int | None = None) -> None:
        """Has everybody who has not answered do so, one after the other; or the first so many of them."""
        for ticket in [ticket for ticket in self.tickets if ticket.rater not in self.truth][:first]:
            give(self, ticket, self.answers(ticket))

    def close_and_count(self) -> None:
        self.company.close(self.cycle_id)
        self.company.count()

    def vacuum(self) -> None:
        base.vacuum(self.engine)


def as_built(crowd: Crowd, ticket: Ticket, answers: Answers) -> None:
    """Answers as the program does."""
    with context.one_step() as session:
        submit(session, ticket.token, ticket.invitation, answers)


def gather(company: Company, size: int) -> Crowd:
    """An open round about Sam with so many peers, each with a link, in an order that nothing else follows."""
    people = [
        {"id": uuid.uuid4(), "name": f"Peer {number}", "address": f"peer{number}@company.test"}
        for number in range(size)
    ]
    with context.transaction() as session:
        session.execute(insert(Person), people)
    company.ids |= {str(person["name"]): uuid.UUID(str(person["id"])) for person in people}
    cycle_id, review_id = company.open({str(person["name"]): Relationship.PEER for person in people})
    tickets = []
    with context.transaction() as session:
        for invitation, rater in session.execute(select(Invitation.id, Invitation.rater_id)).all():
            token, token_hash = mint()
            session.add(InvitationToken(hash=token_hash, invitation_id=invitation))
            tickets.append(Ticket(rater, invitation, token))
    secrets.SystemRandom().shuffle(tickets)
    return Crowd(company, cycle_id, review_id, tickets)


@contextmanager
def installation(databases: servers.Databases, kind: str, folder: Path) -> Iterator[Flask]:
    """An installation on a new database of this kind, for work outside of pytest."""
    app = wiring.create_app(
        settings.load(
            {
                "SURVEY_MODE": "testing",
                "SURVEY_SECRET_KEY": secrets.token_urlsafe(48),
                "SURVEY_DATABASE_URL": databases.make(kind),
                "SURVEY_REDIS_URL": "redis://127.0.0.1:1/0",
                "SURVEY_KEY_DIRECTORY": str(folder / f"keys-{secrets.token_hex(4)}"),
                "SURVEY_BASE_URL": "http://localhost",
                "SURVEY_SMTP_HOST": "127.0.0.1",
                "SURVEY_MAIL_PACE": "at_once",
            }
        )
    )
    with app.app_context():
        try:
            yield app
        finally:
            context.installation().engine.dispose()
