"""`survey doctor`: looks at everything that an installation needs, and says what to do about what is wrong."""

from __future__ import annotations

import os
import shutil
import smtplib
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import redis
from flask import Flask
from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError

from survey import context
from survey.cli import instances
from survey.core import checkups
from survey.core.checkups import Finding, Health
from survey.core.errors import KeysElsewhere, KeysExposed, SurveyError
from survey.delivery import mail
from survey.services import clocks, keys
from survey.store import schema
from survey.store.keys import Keyring

ILL = 1
HEADINGS = ("", "Looked at", "Found, and what to do")
WIDTH = 100


@click.command()
@instances.OPTION
@click.pass_obj
def doctor(make: Callable[..., Flask]) -> int:
    """Look at settings, database, queue, mail, clocks, disk and keys, beside a running instance or without one.

    Changes nothing and sends no mail. Ends with 1 if something is ill.
    """
    try:
        app = make(instances.environ(), is_audit=True)
    except SurveyError as error:
        findings = [Finding("settings", Health.ILL, str(error), "Correct them; .env.example says what each one means.")]
    else:
        with app.app_context():
            findings = list(_look(app.extensions["config"]))
    print(_table(findings))
    ill = sum(finding.health is Health.ILL for finding in findings)
    print(f"\n{ill} of {len(findings)} things are ill." if ill else f"\nNothing of {len(findings)} things is ill.")
    return ILL if ill else 0


def _look(config: Any) -> Iterator[Finding]:
    """Everything that is looked at, in the order in which to mend it. What is to be looked at next goes here."""
    yield Finding("settings", Health.WELL, f"all can be used, mode {config.mode}")
    yield checkups.secret(len(config.secret_key), len(set(config.secret_key)))
    yield _time_zones(config.timezone)
    yield from _database()
    yield from _sweeps()
    yield _keys(config)
    yield from _missing_keys()
    yield _queue(config.redis_url)
    yield _mail(config)
    yield from _disks(config)


def _time_zones(chosen: ZoneInfo) -> Finding:
    try:
        for name in ("Europe/Vienna", "America/New_York", "Asia/Tokyo", chosen.key):
            ZoneInfo(name)
    except (KeyError, OSError):
        remedy = "Install the time zones: the package tzdata of the system, or of Python."
        return Finding("time zones", Health.ILL, "their data are missing", remedy)
    return Finding("time zones", Health.WELL, f"data are there; the installation is in {chosen.key}")


def _database() -> Iterator[Finding]:
    engine = context.installation().engine
    try:
        with engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
            began = context.now()
            at = connection.scalar(text(_CLOCKS[engine.dialect.name]))
            theirs = datetime.fromtimestamp(float(at), UTC)
            ours = began + (context.now() - began) / 2
            revision, is_current = schema.revision(connection), schema.is_current(connection)
    except SQLAlchemyError as error:
        remedy = "Start it, and check SURVEY_DATABASE_URL, its password and its rights."
        yield Finding("database", Health.ILL, f"does not answer ({type(error).__name__})", remedy)
        return
    if is_current:
        yield Finding("database", Health.WELL, f"answers; {engine.dialect.name}, tables at revision {revision}")
    else:
        found = f"tables at {revision or 'no revision'}, the program knows {schema.head()}"
        yield Finding("database", Health.ILL, found, "Stop the program, make a backup, and run `survey db upgrade`.")
    yield checkups.clock("clock of the database", theirs - ours)


def _sweeps() -> Iterator[Finding]:
    """What waits because the clock may have jumped. Nothing where the tables are not there."""
    try:
        with context.reading() as session:
            held = clocks.held(session, context.now(), context.kept())
    except SQLAlchemyError:
        return
    yield checkups.sweeps([one for each in held for one in each.would])


_CLOCKS = {
    "sqlite": "SELECT (julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
}


def _keys(config: Any) -> Finding:
    url = make_url(config.database_url)
    folder = Path(url.database).parent if url.get_backend_name() == "sqlite" and url.database else None
    directory: Path = config.key_directory
    try:
        Keyring(directory).check(folder)
    except KeysExposed as error:
        return Finding("keys", Health.ILL, str(error), "Nothing starts before that is done.")
    if not directory.exists():
        return Finding("keys", Health.WELL, "no directory yet; it is made with the first key")
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        return Finding(
            "keys", Health.ILL, f"{directory} cannot be written", "Give it to the user of the program, 0700."
        )
    return Finding("keys", Health.WELL, "for the program's user alone")


def _missing_keys() -> Iterator[Finding]:
    """Whether the directory is the right one, and holds what it should. Nothing where the database does not answer."""
    keyring = context.installation().keyring
    try:
        with context.reading() as session:
            missing = keys.missing(session, keyring)
            has_copy = keys.has_copy(session, now=context.now())
            keys.check(session, keyring)
    except KeysElsewhere as error:
        yield Finding("place of keys", Health.ILL, str(error), "All hosts must share one directory of keys.")
        return
    except SQLAlchemyError:
        return
    if has_copy:
        remedy = "Have all hosts share one directory, and destroy every copy. No key is called destroyed for an hour."
        yield Finding("place of keys", Health.ILL, "a host was met that has a copy of the directory", remedy)
    for name in missing:
        remedy = "Bring it back: mount its disk, or `survey keys restore` from a copy. If it is lost, see the round."
        yield Finding("key", Health.ILL, f"that of “{name}” is missing", remedy)
    if not has_copy and not missing:
        yield Finding("place of keys", Health.WELL, "all keys are there; all hosts must share this one directory")


def _queue(url: str) -> Finding:
    try:
        # Celery's name for a local socket is not that of the client.
        with redis.Redis.from_url(
            url.replace("redis+socket:", "unix:"), socket_timeout=3, socket_connect_timeout=3
        ) as connection:
            connection.ping()
    except redis.RedisError as error:
        found = f"redis does not answer ({type(error).__name__})"
        remedy = "Start it, and check SURVEY_REDIS_URL. People can answer; mail and counting wait."
        return Finding("queue", Health.ILL, found, remedy)
    return Finding("queue", Health.WELL, "redis answers")


def _mail(config: Any) -> Finding:
    server = mail.Server(
        config.smtp_host, config.smtp_port, config.smtp_security, config.smtp_username, config.smtp_password
    )
    where = f"{config.smtp_host}:{config.smtp_port}"
    try:
        mail.greet(server)
    except smtplib.SMTPAuthenticationError:
        return Finding("mail", Health.ILL, f"{where} refuses the login", "Check SURVEY_SMTP_USERNAME and its password.")
    except (smtplib.SMTPException, OSError) as error:
        remedy = "Check SURVEY_SMTP_HOST, SURVEY_SMTP_PORT and SURVEY_SMTP_SECURITY, and the way through the firewall."
        return Finding("mail", Health.ILL, f"{where} cannot be used ({type(error).__name__})", remedy)
    protected = "unprotected" if config.smtp_security == "none" else f"with {config.smtp_security}"
    return Finding("mail", Health.WELL, f"{where} answers, {protected}")


def _disks(config: Any) -> Iterator[Finding]:
    """The disks of the database's file and of the keys: room, and the clock by which files are dated."""
    url = make_url(config.database_url)
    places: Mapping[str, Path | None] = {
        "database": Path(url.database).parent if url.get_backend_name() == "sqlite" and url.database else None,
        "keys": config.key_directory,
    }
    for name, place in places.items():
        if place is None or not place.is_dir():
            continue
        yield checkups.space(f"disk of the {name}", shutil.disk_usage(place).free)
        probe = place / f".doctor-{os.getpid()}"
        try:
            descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            dated = os.fstat(descriptor).st_mtime
            os.close(descriptor)
            probe.unlink()
        except OSError as error:
            remedy = "Make it writable for the user of the program."
            yield Finding(f"files of the {name}", Health.ILL, f"cannot be written: {error.strerror}", remedy)
        else:
            yield checkups.clock(f"clock of the {name}'s files", timedelta(seconds=dated - time.time()))


def _table(findings: list[Finding]) -> str:
    rows = [HEADINGS, *((each.health.value, each.looked_at, each.found) for each in findings)]
    first, second = (max(len(row[column]) for row in rows) for column in range(2))
    lines = [f"{health.ljust(first)}  {looked_at.ljust(second)}  {found}" for health, looked_at, found in rows]
    for finding, line in zip(findings, range(1, len(lines)), strict=True):
        if finding.remedy:
            lines[line] += f"\n{' ' * (first + second + 4)}→ {finding.remedy}"
    return "\n".join([lines[0], "-" * WIDTH, *lines[1:]])
