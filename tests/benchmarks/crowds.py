"""Large rounds made through the program's own use cases, and web servers as deployed to answer them."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import psutil
from flask import Flask
from nacl.public import PrivateKey
from sqlalchemy import func, insert, select, update

from survey import context
from survey.core.questionnaires import Questionnaire
from survey.core.relationships import Relationship
from survey.core.responses import Answers, Response
from survey.services import cycles, drafts, nominations
from survey.store import envelopes, mailings
from survey.store.cycles import Cycle, Review
from survey.store.envelopes import Envelope
from survey.store.invitations import Invitation, InvitationToken, State, mint
from survey.store.people import Person
from tasks import cycles as tasks
from tests import installations, servers
from tests.benchmarks.clients import Browser, Rater
from tests.company import Company, answers_to

ROOT = Path(__file__).resolve().parents[2]
PEERS = 8
WORDS = "What I would say about that, if I were asked: a sentence or two, as people write them here."


@dataclass
class Crowd:
    """An open round of many reviews with eight peers each; every peer is another person, with a link of their own."""

    cycle_id: uuid.UUID
    questionnaire: Questionnaire
    links: list[tuple[str, uuid.UUID]] = field(default_factory=list)
    """Secret and invitation of each rater."""

    def raters(self, port: int) -> list[Rater]:
        """All of them, each with a browser."""
        return [Rater(token, invitation, self.questionnaire, Browser(port)) for token, invitation in self.links]


def draft(company: Company, reviews: int, *, now: datetime) -> uuid.UUID:
    """A round in draft with so many reviews: its id."""
    people = [
        {"id": uuid.uuid4(), "name": f"Person {number}", "address": f"person{number}.{uuid.uuid4().hex}@company.test"}
        for number in range(reviews * (PEERS + 1))
    ]
    with context.transaction() as session:
        session.execute(insert(Person), people)
        cycle = drafts.make(
            session,
            "Spring round",
            launcher_id=company.ids["marta"],
            minimum=4,
            closes_at=now + timedelta(days=14),
            now=now,
        )
        for number in range(reviews):
            subject, *peers = people[number * (PEERS + 1) : (number + 1) * (PEERS + 1)]
            review = drafts.add_review(session, cycle.id, subject["id"], [company.page_id])
            nominations.choose(session, review.id, {peer["id"]: Relationship.PEER for peer in peers})
        return cycle.id


def launch(cycle_id: uuid.UUID) -> None:
    """Opens the round: begun as by the button, and if it is large, opened by the worker's task."""
    parts = context.installation()
    with context.transaction() as session:
        is_open = cycles.open_(session, cycle_id, parts.keyring, pace=parts.pace, actor_id=None, now=context.now())
    while not is_open:
        is_open = tasks.go_on_opening() == 1


def asked(cycle_id: uuid.UUID) -> Questionnaire:
    """What every peer of an open round is asked."""
    with context.reading() as session:
        review = session.scalars(select(Review).where(Review.cycle_id == cycle_id).limit(1)).one()
        return cycles.questionnaire(review).for_rater(Relationship.PEER)


def answer_all(cycle_id: uuid.UUID) -> None:
    """Opens the round, and everybody has answered everything: written as the program does, without mail and web."""
    launch(cycle_id)
    questionnaire, dice = asked(cycle_id), random.Random(360)
    with context.transaction() as session:
        key = session.get_one(Cycle, cycle_id).public_key
        reviews = session.scalars(select(Review.id).where(Review.cycle_id == cycle_id)).all()
        for review_id in reviews:
            given = [answers_to(questionnaire, rating=dice.randint(1, 5), words=WORDS) for _ in range(PEERS)]
            boxes = [envelopes.seal(Response(Relationship.PEER, answers), key) for answers in given]
            session.execute(insert(Envelope), [{"review_id": review_id, "box": box} for box in boxes])
        session.execute(update(Invitation).where(Invitation.review_id.in_(reviews)).values(state=State.DONE))
        mailings.forget(session, cycle_id)


def gather(company: Company, raters: int) -> Crowd:
    """A crowd of so many raters, or up to seven more. Their links are minted here; mail is measured elsewhere."""
    cycle_id = draft(company, -(-raters // PEERS), now=context.now())
    launch(cycle_id)
    crowd = None
    with context.transaction() as session:
        rows = session.execute(select(Invitation.id, Review).join(Review).where(Review.cycle_id == cycle_id)).all()
        for invitation, review in rows:
            crowd = crowd or Crowd(cycle_id, cycles.questionnaire(review).for_rater(Relationship.PEER))
            token, token_hash = mint()
            session.add(InvitationToken(hash=token_hash, invitation_id=invitation))
            crowd.links.append((token, invitation))
    assert crowd is not None
    return crowd


def stored(cycle_id: uuid.UUID) -> list[Answers]:
    """Every answer of an open round, unsealed."""
    key: PrivateKey = context.installation().keyring.read(cycle_id)
    with context.reading() as session:
        boxes = session.scalars(select(Envelope.box).join(Review).where(Review.cycle_id == cycle_id)).all()
    return [envelopes.unseal(box, key).answers for box in boxes]


def done(cycle_id: uuid.UUID) -> int:
    """How many invitations of the round are done."""
    with context.reading() as session:
        found = session.scalar(
            select(func.count())
            .select_from(Invitation)
            .join(Review)
            .where(Review.cycle_id == cycle_id, Invitation.state == State.DONE)
        )
    return found or 0


def compared(sent: list[Answers], cycle_id: uuid.UUID) -> str:
    """What is wrong with the stored answers of this round, when exactly these were sent; nothing if nothing is."""

    def plain(answers: Answers) -> str:
        return json.dumps([dict(answers.ratings), dict(answers.comments)], sort_keys=True)

    was_sent, is_stored = sorted(map(plain, sent)), sorted(map(plain, stored(cycle_id)))
    if was_sent != is_stored:
        lost, added = set(was_sent) - set(is_stored), set(is_stored) - set(was_sent)
        return f"{len(was_sent)} sent, {len(is_stored)} stored; {len(lost)} lost, {len(added)} that nobody sent"
    return "" if done(cycle_id) == len(sent) else f"{done(cycle_id)} invitations done"


def settings_of(app: Flask, database_url: str) -> dict[str, str]:
    """The environment in which other processes serve the same installation."""
    config = app.extensions["config"]
    return {
        "SURVEY_MODE": "testing",
        "SURVEY_SECRET_KEY": config.secret_key,
        "SURVEY_DATABASE_URL": database_url,
        "SURVEY_REDIS_URL": config.redis_url,
        "SURVEY_KEY_DIRECTORY": str(config.key_directory),
        "SURVEY_SMTP_HOST": "127.0.0.1",
    }


def command() -> list[str]:
    """The web server's command, word by word as the container's file says it, without where it listens."""
    said = re.search(r"^CMD (\[.*?\])", (ROOT / "Dockerfile").read_text().replace("\\\n", ""), re.M | re.S)
    assert said is not None
    words: list[str] = json.loads(said.group(1))
    place = words.index("--bind")
    return [sys.executable, "-m", *words[:place], *words[place + 2 :]]


@dataclass(frozen=True)
class Server:
    """A web server with its workers; `pid` is the first process."""

    port: int
    pid: int

    def busy(self) -> float:
        """Seconds of processor time of all its processes so far."""
        first = psutil.Process(self.pid)
        return sum(sum(each.cpu_times()[:2]) for each in [first, *first.children(recursive=True)])


@contextmanager
def serving(environ: Mapping[str, str], log: Path, *, app: str = "", workers: int | None = None) -> Iterator[Server]:
    """The program as deployed, or another `app` in its place, or with another number of processes, on a free port."""
    port = servers.free_port()
    words = command()
    if workers is not None:
        words[words.index("--workers") + 1] = str(workers)
    if app:
        words[-1] = app
    words[3:3] = ["--bind", f"127.0.0.1:{port}"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SURVEY_")}
    own = {"PYTHONPATH": str(ROOT), "SURVEY_BASE_URL": f"http://127.0.0.1:{port}"}
    with log.open("wb") as output:
        process = subprocess.Popen(words, env=kept | own | dict(environ), cwd=ROOT, stdout=output, stderr=output)
        try:
            installations.wait_until(lambda: _answers(port), 180, "the web server")
            yield Server(port, process.pid)
        finally:
            process.terminate()
            process.wait(60)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
