"""What machines ask of the app: alive, ready, and metrics in which no rater shows."""

from __future__ import annotations

import re

import pytest

import config as settings
from survey import app as wiring
from survey import context
from survey.core.letters import Kind
from survey.services import mailings, operations
from survey.store import schema
from survey.store.outbox import Mail

TOKEN = "a-token-for-the-monitor-of-this-test"
MEMORY = re.compile(r"^survey_process_memory_bytes .*$", re.MULTILINE)


def test_a_process_is_ready_when_the_tables_are_those_of_the_program(app):
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.text) == (200, "ready\n")


def test_a_process_is_not_ready_before_the_migrations_have_run(app):
    schema.downgrade(context.installation().engine, to="0012")
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.text) == (503, "the tables are not those of this program\n")
    assert app.test_client().get("/livez").status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_process_is_not_ready_without_its_database(environ, tmp_path):
    app = wiring.create_app(
        settings.load(environ | {"SURVEY_DATABASE_URL": f"sqlite:///{tmp_path / 'nowhere' / 'x.sqlite'}"})
    )
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.text) == (503, "the database does not answer\n")


@pytest.mark.parametrize("given", [None, "", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer ", "Bearer \xff"])
def test_metrics_are_for_whoever_has_the_token(company, given):
    headers = {} if given is None else {"Authorization": given}
    assert company.app.test_client().get("/metrics", headers=headers).status_code == 404


def test_without_a_token_in_the_settings_there_are_no_metrics(environ):
    app = wiring.create_app(settings.load(environ | {"SURVEY_METRICS_TOKEN": ""}))
    for given in (TOKEN, ""):
        assert app.test_client().get("/metrics", headers={"Authorization": f"Bearer {given}"}).status_code == 404


def test_no_letter_of_the_metrics_moves_when_raters_open_save_answer_and_decline(company):
    company.open()
    tokens = company.tokens()
    before = metrics(company)
    assert "survey_rounds_open 1.0" in before
    for name in ("ana", "ines", "marta", "sam"):
        client = company.app.test_client()
        assert client.get(f"/r/{tokens[name]}").status_code == 200
        assert metrics(company) == before
        company.answer(tokens[name])
        assert metrics(company) == before


def test_metrics_have_no_label_no_counter_and_no_time_of_the_processor(company):
    text = metrics(company)
    assert "{" not in text
    assert "_total" not in text
    assert "cpu" not in text
    assert "_created" not in text


def test_work_that_waits_is_counted(company, clock):
    cycle_id, _ = company.open()
    with context.reading() as session:
        assert operations.work(session, now=clock()).rounds_unmailed == 0
    clock.move(minutes=10)
    with context.transaction() as session:
        assert operations.work(session, now=clock()).rounds_unmailed == 1, "nobody gathers what is due"
        mailings.gather(session, pace=context.installation().pace, now=clock())
        assert operations.work(session, now=clock()).mails_due == 0, "mails that are only just due"
    clock.move(hours=1)
    with context.reading() as session:
        work = operations.work(session, now=clock())
    assert (work.rounds_unmailed, work.mails_due) == (0, 10)
    assert work.late_seconds == 0, "how late a rater's mail is, is not told"
    company.tokens()
    company.close(cycle_id)
    with context.transaction() as session:
        session.add(Mail(kind=Kind.SIGN_IN, person_id=company.ids["ana"], reference=cycle_id, due_at=clock()))
    clock.move(minutes=2)
    with context.reading() as session:
        work = operations.work(session, now=clock())
    assert (work.rounds_open, work.reviews_uncounted, work.mails_due, work.late_seconds) == (0, 1, 1, 120)


def metrics(company):
    answer = company.app.test_client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain")
    return MEMORY.sub("", answer.text)


@pytest.fixture
def environ(environ):
    return environ | {"SURVEY_METRICS_TOKEN": TOKEN}
