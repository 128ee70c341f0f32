"""A3: a dump while the round is open, without the key: rows, files, redis, logs."""

from __future__ import annotations

import logging
import re
from contextlib import redirect_stderr

import pytest
import structlog
from flask.testing import FlaskClient
from sqlalchemy import text

import config as settings
from survey import app as wiring
from survey import context
from survey.cli.logs import log_to_stderr
from survey.store import envelopes
from tasks import outbox
from tests import servers
from tests.attacks import attackers, searches, weakened
from tests.attacks.rounds import as_built
from tests.company import csrf, hidden, radios
from tests.conftest import Browser

RATERS = 12


def test_boxes_of_the_length_of_what_is_in_them_tell_the_answers_apart(gather, monkeypatch):
    monkeypatch.setattr(envelopes, "pack", weakened.packed_without_filling)
    crowd = gather(RATERS)
    crowd.answer(as_built)
    assert attackers.sizes(crowd.engine) > 1


def test_answers_that_are_kept_but_not_sealed_are_read_in_a_dump(gather, monkeypatch):
    monkeypatch.setattr(envelopes, "seal", weakened.sealed_without_a_key)
    crowd = gather(RATERS)
    crowd.answer(as_built)
    assert attackers.read(attackers.dump(crowd.engine), crowd.truth.values())["envelope"] == RATERS
    assert attackers.sizes(crowd.engine) == 1


@pytest.mark.parametrize("place", weakened.TALKATIVE)
def test_answers_and_links_that_pass_through_a_queue_or_a_log_are_read_there(gather, place, redis_url, logs):
    crowd = gather(RATERS)
    crowd.answer(weakened.TALKATIVE[place])
    content = searches.redis_now(redis_url) | searches.folder(logs)
    assert searches.hits(content, crowd.truth.values())[place] == RATERS
    assert searches.hits(content, [ticket.token for ticket in crowd.tickets])[place] == RATERS


def test_nothing_of_an_open_round_can_be_read_without_its_key(gather, redis_url, logs, tmp_path, app, mailbox):
    with searches.all_commands(redis_url, tmp_path / "commands"):
        crowd = gather(RATERS)
        context.wake("tasks.outbox.sweep")
        assert outbox.sweep() == RATERS
        for number, ticket in enumerate(crowd.tickets):
            _answer_in_a_browser(app.test_client(), crowd, ticket, with_gap=number == 0, with_draft=number == 1)
        context.wake("tasks.tally.sweep")
    mailed = {token for mail in mailbox.messages for token in re.findall(r"/r/([\w-]{43})", mail.as_string())}
    assert len(mailed) == RATERS
    secrets = [*crowd.truth.values(), *mailed, *(ticket.token for ticket in crowd.tickets)]

    content = attackers.dump(crowd.engine) | searches.redis_now(redis_url) | searches.folder(logs)
    content |= {"redis: all commands": (tmp_path / "commands").read_bytes()}
    assert b"tasks.tally.sweep" in content["redis: keys"]
    assert b"tasks.outbox.sweep" in content["redis: all commands"]
    assert b"INSERT INTO envelope" in content["log"]
    assert +searches.hits(content, secrets) == {}

    assert attackers.sizes(crowd.engine) == 1
    with crowd.engine.connect() as connection:
        boxes = connection.scalars(text("SELECT box FROM envelope")).all()
    assert len(boxes) == RATERS
    assert all(attackers.is_random(box) for box in boxes)


def _answer_in_a_browser(client: FlaskClient, crowd, ticket, *, with_gap: bool, with_draft: bool) -> None:
    """The rater's own pages; one leaves a gap first, another saves a draft."""
    answers = crowd.answers(ticket)
    start = client.get(f"/r/{ticket.token}")
    client.post(f"/r/{ticket.token}", data={"csrf_token": csrf(start.text)})
    page = client.get(f"/feedback/{ticket.invitation}").text
    form = {"csrf_token": csrf(page), "fingerprint": hidden(page, "fingerprint")} | dict(answers.comments)
    if with_gap:
        assert client.post(f"/feedback/{ticket.invitation}", data=form).status_code == 422
    if with_draft:
        assert client.post(f"/feedback/{ticket.invitation}", data=form | {"action": "save"}).status_code == 200
    form |= {name: str(answers.ratings[name]) for name in radios(page)}
    assert client.post(f"/feedback/{ticket.invitation}", data=form).status_code == 303


@pytest.fixture
def redis_url():
    with servers.redis_server() as url:
        yield url


@pytest.fixture
def logs(tmp_path):
    """A folder with the log of everything that says anything, every statement included."""
    folder = tmp_path / "logs"
    folder.mkdir()
    root, handler = logging.getLogger(), logging.FileHandler(folder / "log")
    previous = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO)
    # The mail server of the tests, which of course sees the mails.
    logging.getLogger("mail").setLevel(logging.WARNING)
    with (folder / "errors").open("w") as file, redirect_stderr(file):
        log_to_stderr()
        yield folder
    structlog.reset_defaults()
    for name in ("sqlalchemy.engine", "mail"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    root.setLevel(previous)
    root.removeHandler(handler)
    handler.close()


@pytest.fixture
def environ(environ, redis_url):
    return environ | {"SURVEY_REDIS_URL": redis_url}


@pytest.fixture
def app(environ, clock, logs):
    """An app whose doorbells are rung."""
    made = wiring.create_app(settings.load(environ), clock=clock)
    made.test_client_class = Browser
    with made.app_context():
        yield made
        context.installation().engine.dispose()
