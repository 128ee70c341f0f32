"""`survey doctor` on installations that are well, and on ones with one thing wrong at a time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from survey import context
from survey.core import checkups
from survey.core.checkups import Health
from survey.store import schema
from tests import servers
from tests.cli.typed import survey


def test_an_installation_that_is_well_is_said_to_be(app, environ, mailbox):
    with servers.redis_server() as address:
        said = doctor(environ | {"SURVEY_REDIS_URL": address})
    assert said.returncode == 0, said.stdout
    assert "Nothing of" in said.stdout
    for line in ("redis answers", "tables at revision", "the clocks agree", "for the program's user alone"):
        assert line in said.stdout or "no directory yet" in said.stdout
    assert mailbox.messages == []


def test_a_queue_and_a_mail_server_that_are_away_are_ill_and_the_rest_is_looked_at(app, environ):
    said = doctor(environ | {"SURVEY_SMTP_PORT": "1"})
    assert said.returncode == 1
    assert "redis does not answer (ConnectionError)" in said.stdout
    assert "People can answer; mail and counting wait." in said.stdout
    assert "127.0.0.1:1 cannot be used (ConnectionRefusedError)" in said.stdout
    assert "2 of " in said.stdout
    assert "tables at revision" in said.stdout


def test_tables_of_another_version_are_ill(app, environ):
    schema.downgrade(context.installation().engine, to="0005")
    said = doctor(environ)
    assert said.returncode == 1
    assert f"tables at 0005, the program knows {schema.head()}" in said.stdout
    assert "survey db upgrade" in said.stdout


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_database_that_is_away_is_ill(environ, tmp_path):
    said = doctor(environ | {"SURVEY_DATABASE_URL": f"sqlite:///{tmp_path / 'nowhere' / 'x.sqlite'}"})
    assert said.returncode == 1
    assert "does not answer (OperationalError)" in said.stdout


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_keys_that_others_can_read_are_ill(app, environ):
    keys = Path(environ["SURVEY_KEY_DIRECTORY"])
    keys.mkdir(mode=0o755)
    keys.chmod(0o755)
    said = doctor(environ)
    assert said.returncode == 1
    assert "can be read by others: set its rights to 0700." in said.stdout


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_settings_that_cannot_be_used_are_ill_and_no_secret_is_said(environ):
    said = doctor(environ | {"SURVEY_SECRET_KEY": "short-secret", "SURVEY_PROXY_HOPS": "many"})
    assert said.returncode == 1
    assert "SURVEY_SECRET_KEY must have at least 32 characters" in said.stdout
    assert "SURVEY_PROXY_HOPS must be" in said.stdout
    assert "short-secret" not in said.stdout + said.stderr


@pytest.mark.parametrize(
    ("finding", "health"),
    [
        (checkups.clock("x", timedelta(seconds=-4)), Health.WELL),
        (checkups.clock("x", timedelta(seconds=-6)), Health.ILL),
        (checkups.clock("x", timedelta(hours=2)), Health.ILL),
        (checkups.space("x", 100 * 1024**2), Health.ILL),
        (checkups.space("x", 1024**3), Health.WARNING),
        (checkups.space("x", 10 * 1024**3), Health.WELL),
        (checkups.secret(40, 1), Health.WARNING),
        (checkups.secret(40, 25), Health.WELL),
    ],
)
def test_what_is_measured_is_judged(finding, health):
    assert finding.health is health
    assert bool(finding.remedy) == (health is not Health.WELL)


def doctor(environ):
    return survey("doctor", environ=environ)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_key_that_is_missing_is_ill_and_so_is_the_wrong_directory(company, environ, tmp_path):
    company.open()
    keys = Path(environ["SURVEY_KEY_DIRECTORY"])
    (key,) = keys.glob("*.key")
    key.rename(tmp_path / "aside")
    assert "that of “Spring round” is missing" in doctor(environ).stdout
    (tmp_path / "aside").rename(key)
    assert "all keys are there" in doctor(environ).stdout
    keys.rename(tmp_path / "away")
    said = doctor(environ).stdout
    assert "has no mark" in said
    assert "All hosts must share one directory of keys." in said
