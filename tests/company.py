"""A company for tests: people, pages, and the verbs of a round, all through the program's own use cases."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from survey import context
from survey.core.access import Role
from survey.core.competencies import Section
from survey.core.letters import Letter
from survey.core.questionnaires import ON_BY_DEFAULT, Questionnaire
from survey.core.relationships import Relationship
from survey.core.responses import Answers
from survey.services import (
    competencies,
    cycles,
    drafts,
    mailings,
    nominations,
    outbox,
    people,
    responses,
    sign_ins,
)
from survey.store.people import Person
from tests import counting

SAMPLES = Path(__file__).resolve().parents[1] / "survey" / "samples"
PEERS = ("ana", "ben", "chloe", "dev", "ewa", "farid", "grace", "hugo")
SURROUNDINGS = ("ines", "jonas")  # two who report to the subject


class Company:
    """`ids` has everybody by first name: noor (people operations), marta (manager), sam (subject), peers."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        with context.transaction() as session:
            noor = people.add(session, "Noor Haddad", "noor@company.test", role=Role.PEOPLE_OPERATIONS)
            marta = people.add(session, "Marta Lindqvist", "marta@company.test", role=Role.MANAGER)
            sam = people.add(session, "Sam Rivera", "sam@company.test", manager_id=marta.id)
            self.ids: dict[str, uuid.UUID] = {"noor": noor.id, "marta": marta.id, "sam": sam.id}
            for name in PEERS:
                address = f"{name}@company.test"
                self.ids[name] = people.add(session, name.capitalize(), address, manager_id=marta.id).id
            for name in SURROUNDINGS:
                address = f"{name}@company.test"
                self.ids[name] = people.add(session, name.capitalize(), address, manager_id=sam.id).id
            page = competencies.import_page(
                session, (SAMPLES / "product-stability-level-3.txt").read_bytes(), competency="Product Stability"
            )
            self.page_id = page.id

    def draft(
        self,
        raters: Mapping[str, Relationship] | None = None,
        *,
        subject: str = "sam",
        k: int = 4,
        blocks: Sequence[Section] = tuple(ON_BY_DEFAULT),
        days: int = 14,
    ) -> tuple[uuid.UUID, uuid.UUID]:
        """A round in draft about one person: its id and the review's."""
        with context.transaction() as session:
            cycle = drafts.make(
                session,
                "Spring round",
                launcher_id=self.ids["marta"],
                minimum=k,
                closes_at=context.now() + timedelta(days=days),
                blocks=blocks,
                now=context.now(),
            )
            review = drafts.add_review(session, cycle.id, self.ids[subject], [self.page_id])
            chosen = raters if raters is not None else self.usual_raters()
            nominations.choose(session, review.id, {self.ids[name]: kind for name, kind in chosen.items()})
            return cycle.id, review.id

    def usual_raters(self, peers: int = 6) -> dict[str, Relationship]:
        """Sam, the manager, some peers, and two direct reports."""
        return (
            {"sam": Relationship.SELF, "marta": Relationship.MANAGER}
            | dict.fromkeys(PEERS[:peers], Relationship.PEER)
            | dict.fromkeys(SURROUNDINGS, Relationship.DIRECT_REPORT)
        )

    def open(self, *args: object, **kwargs: object) -> tuple[uuid.UUID, uuid.UUID]:
        """A round that is open: its id and the review's."""
        cycle_id, review_id = self.draft(*args, **kwargs)  # type: ignore[arg-type]
        parts = context.installation()
        with context.transaction() as session:
            cycles.open_(
                session, cycle_id, parts.keyring, pace=parts.pace, actor_id=self.ids["marta"], now=context.now()
            )
        return cycle_id, review_id

    def tokens(self) -> dict[str, str]:
        """Composes all mail that is due, as the worker does, and gives each person's newest link by first name."""
        found = {}
        names = {person_id: name for name, person_id in self.ids.items()}
        for letter, person_id in self.letters():
            if letter.parts:
                found[names[person_id]] = letter.token
        return found

    def letters(self) -> Iterator[tuple[Letter, uuid.UUID]]:
        """Composes all mail that is due, marks it sent, and gives it with whom it is to."""
        pace, began = context.installation().pace, context.now()
        with context.transaction() as session:
            mailings.gather(session, pace=pace, now=began, limit=10_000)
            leased = outbox.lease(session, now=began, limit=10_000)
        for mail_id in leased:
            with context.transaction() as session:
                letter = outbox.compose(session, mail_id, leased_at=began, pace=pace, now=context.now())
                mail = session.get(outbox.Mail, mail_id)
                person_id = mail.person_id if mail else None
            if letter is not None and person_id is not None:
                with context.transaction() as session:
                    outbox.sent(session, mail_id)
                yield letter, person_id

    def answer(self, token: str, answers: Answers | None = None, *, rating: int | None = 4, words: str = "") -> None:
        """Answers the first invitation that this link opens, by default the same rating everywhere."""
        with context.reading() as session:
            waiting = responses.waiting(session, token)[0]
            asked = responses.asked(session, token, waiting.invitation_id)
        given = answers or answers_to(asked.questionnaire, rating=rating, words=words)
        with context.one_step() as session:
            responses.submit(session, asked, given, draft_secret=None)

    def close(self, cycle_id: uuid.UUID) -> None:
        with context.transaction() as session:
            cycles.close(session, cycle_id, actor_id=self.ids["marta"], now=context.now())

    def count(self) -> None:
        """What the tally's tasks do, one after the other."""
        counting.count()

    def release(self, cycle_id: uuid.UUID) -> None:
        with context.transaction() as session:
            cycles.release(session, cycle_id, actor_id=self.ids["marta"], now=context.now())

    def run(self, raters: Mapping[str, Relationship] | None = None, **kwargs: object) -> tuple[uuid.UUID, uuid.UUID]:
        """A whole round in which everybody answers 4, released."""
        cycle_id, review_id = self.open(raters, **kwargs)
        for name, token in self.tokens().items():
            self.answer(token, words=f"What {name} wrote.")
        self.close(cycle_id)
        self.count()
        self.release(cycle_id)
        return cycle_id, review_id

    def person(self, name: str) -> Person:
        with context.reading() as session:
            person = session.get(Person, self.ids[name])
        assert person is not None
        return person

    def sign_in(self, name: str) -> FlaskClient:
        """A browser in which this person is signed in, through the link that a mail would hold."""
        with context.transaction() as session:
            token = sign_ins.link(session, f"{name}@company.test", now=context.now(), life=timedelta(minutes=10))
        client = self.app.test_client()
        page = client.get(f"/sign-in/{token}")
        answer = client.post(f"/sign-in/{token}", data={"csrf_token": csrf(page.text)})
        assert answer.status_code == 303, answer.text
        return client


def answers_to(questionnaire: Questionnaire, *, rating: int | None = 4, words: str = "") -> Answers:
    """Answers to everything that is asked: one rating everywhere (cut to the scale), the same words everywhere."""
    return Answers(
        {
            item.key: None if rating is None else min(rating, item.scale.points)
            for item in questionnaire.items
            if item.scale is not None
        },
        {item.key: words for item in questionnaire.items if item.is_open and words},
    )


def submit(
    session: Session, token: str, invitation_id: uuid.UUID, answers: Answers, *, draft_secret: bytes | None = None
) -> None:
    """Follows the link to this invitation and answers it. Raises what `responses.asked` and `submit` raise."""
    responses.submit(session, responses.asked(session, token, invitation_id), answers, draft_secret=draft_secret)


def csrf(page: str) -> str:
    """The token in the first form of a page."""
    return hidden(page, "csrf_token")


def hidden(page: str, name: str) -> str:
    """The value of a hidden field."""
    tag = re.search(rf'<input[^>]*name="{name}"[^>]*>', page)
    assert tag, page
    value = re.search(r'value="([^"]*)"', tag.group())
    assert value, tag.group()
    return value.group(1)


def radios(page: str) -> dict[str, list[str]]:
    """The radio groups of a page: names with their values."""
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", page):
        if 'type="radio"' in tag:
            name = re.search(r'name="([^"]+)"', tag)
            value = re.search(r'value="([^"]*)"', tag)
            if name and value:
                found.setdefault(name.group(1), []).append(value.group(1))
    return found
