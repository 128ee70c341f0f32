"""The restore drill, as an operator does it: the same reports, no mail twice, no old link, no destroyed key."""

from __future__ import annotations

import base64
import copy
import gzip
import json
import re
from collections.abc import Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from flask import current_app
from sqlalchemy import delete, func, select

import config as settings
from survey import app as wiring
from survey import context
from survey.core.audit import Event
from survey.core.errors import BadBackup
from survey.services import audit, cycles
from survey.store import backups, schema
from survey.store.cycles import Cycle
from survey.store.invitations import InvitationToken
from survey.store.keys import MARK
from survey.store.mailings import Mailing
from survey.store.people import SignIn, SignInLink
from survey.store.reports import Report
from tasks import outbox, releases
from tests.attacks import walks
from tests.cli.typed import survey

OTHER = {"sqlite": "postgresql", "postgresql": "sqlite"}


@pytest.mark.parametrize("to", ["the same", "the other"])
def test_a_restored_database_has_every_row_and_the_same_reports_byte_for_byte(
    company, environ, databases, tmp_path, clock, to
):
    _, review_id = company.run()
    company.open()
    before = everything()
    report = page(company, review_id)
    assert "Peers" in report
    made = backup(environ, tmp_path / "copies", "--keys")
    kind = context.installation().engine.dialect.name
    there = environ | {"SURVEY_DATABASE_URL": databases.make(kind if to == "the same" else OTHER[kind])}
    there["SURVEY_KEY_DIRECTORY"] = str(tmp_path / "new-keys")
    said = survey("restore", str(made[0]), "--keys", str(made[1]), environ=there)
    assert said.returncode == 0, said.stderr
    assert "1 keys were put back" in said.stdout
    with running(there, clock, company) as other:
        after = everything()
        skipped = {"outbox", "mailing", "audit_entry", "key_place"}
        assert {name: rows for name, rows in after.items() if name not in skipped} == {
            name: rows for name, rows in before.items() if name not in skipped
        }
        assert page(other, review_id) == report
        with context.reading() as session:
            assert audit.verify(session).is_whole
            assert audit.newest(session, limit=1)[0].event == Event.RESTORED
        assert "The whole installation" in other.sign_in("noor").get("/log").text
        restored = _keys(there)
        assert restored
        assert [file.read_bytes() for file in restored] == [file.read_bytes() for file in _keys(environ)]
        assert all(file.stat().st_mode & 0o777 == 0o600 for file in restored)


def _keys(environ: Mapping[str, str]) -> list[Path]:
    return sorted(file for file in Path(environ["SURVEY_KEY_DIRECTORY"]).iterdir() if file.name != MARK)


def test_no_mail_goes_out_twice_and_no_link_of_before_opens_anything(
    company, environ, databases, tmp_path, clock, mailbox
):
    company.open()
    database, _ = backup(environ, tmp_path / "copies")
    assert outbox.sweep() == 10, "sent after the backup was made, which says that they wait"
    links = [link_in(mail) for mail in mailbox.messages]
    company.answer(links[0])
    mailbox.messages.clear()
    clock.move(hours=1)
    there = environ | {"SURVEY_DATABASE_URL": databases.make(context.installation().engine.dialect.name)}
    there["SURVEY_MAIL_PACE"] = "office_hours"
    said = survey("restore", str(database), environ=there, clock=clock)
    assert "10 mails that were due by now are dropped" in said.stdout
    assert "no further mail is planned" not in said.stdout
    with running(there, clock, company) as other:
        assert outbox.sweep() == 0
        browser = other.app.test_client()
        closed = browser.get(f"/r/{'x' * len(links[0])}")
        for link in links:
            answer = browser.get(f"/r/{link}")
            assert (answer.status_code, answer.data) == (closed.status_code, closed.data)
        other.open()
        assert outbox.sweep() == 0, "today had its mail"
        clock.move(days=1)
        assert outbox.sweep() == 10
        assert len({str(mail["To"]) for mail in mailbox.messages}) == 10
        assert {browser.get(f"/r/{link_in(mail)}").status_code for mail in mailbox.messages} == {200}


def test_whoever_has_no_link_any_more_and_is_not_reminded_gets_a_new_one_where_that_is_asked_for(
    company, environ, databases, tmp_path, clock, mailbox
):
    company.open()
    links = company.tokens()
    company.answer(links["ana"])
    with context.transaction() as session:
        session.execute(delete(Mailing))
    database, _ = backup(environ, tmp_path / "copies")
    kind = context.installation().engine.dialect.name
    there = environ | {"SURVEY_DATABASE_URL": databases.make(kind)}
    said = survey("restore", str(database), environ=there, clock=clock)
    assert "Spring round: is open, and no further mail is planned" in said.stdout
    there = environ | {"SURVEY_DATABASE_URL": databases.make(kind)}
    said = survey("restore", str(database), "--new-links", environ=there, clock=clock)
    assert "no further mail is planned" not in said.stdout
    with running(there, clock, company):
        assert outbox.sweep() == 9
        assert "ana@company.test" not in {str(mail["To"]) for mail in mailbox.messages}


def test_reports_that_engineers_got_meanwhile_reach_them_again_without_a_mail(
    company, environ, databases, tmp_path, clock, mailbox
):
    cycle_id, review_id = company.run()
    with context.transaction() as session:
        cycles.get(session, cycle_id).held_until = clock() + timedelta(days=1)
    outbox.sweep()
    database, _ = backup(environ, tmp_path / "copies")
    clock.move(days=2)
    there = environ | {"SURVEY_DATABASE_URL": databases.make(context.installation().engine.dialect.name)}
    said = survey("restore", str(database), environ=there, clock=clock)
    assert "Spring round: its engineers were to get their reports before now" in said.stdout
    mailbox.messages.clear()
    with running(there, clock, company) as other:
        assert releases.sweep() == 0
        outbox.sweep()
        assert mailbox.messages == []
        assert other.sign_in("sam").get(f"/reports/{review_id}").status_code == 200


def test_no_link_and_no_sign_in_is_in_a_backup(company, environ, tmp_path, mailbox):
    company.open()
    outbox.sweep()
    company.sign_in("ana")
    with context.reading() as session:
        tokens = session.scalars(select(InvitationToken.hash)).all()
    database, _ = backup(environ, tmp_path / "copies")
    content = gzip.decompress(database.read_bytes()).decode()
    assert tokens
    assert not [each for each in tokens if base64.b64encode(each).decode() in content]
    for table in (InvitationToken, SignIn, SignInLink):
        assert f'"table":"{table.__tablename__}"' not in content


def test_envelopes_lie_in_the_order_of_their_random_keys_and_not_of_their_writing(company, environ, tmp_path):
    company.open()
    for token in company.tokens().values():
        company.answer(token)
    database, _ = backup(environ, tmp_path / "copies")
    for table in ("envelope", "invitation", "outbox"):
        ids = [row["row"]["id"] for row in lines(database) if row.get("table") == table]
        assert len(ids) >= 10
        assert ids == sorted(ids)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_files_are_for_their_owner_alone_and_keys_only_where_asked(company, environ, tmp_path):
    company.open()
    database, keys = backup(environ, tmp_path / "copies", "--keys")
    assert {path.stat().st_mode & 0o777 for path in (database, keys)} == {0o600}
    assert len(json.loads(keys.read_text())["keys"]) == 1
    _, none = backup(environ, tmp_path / "others")
    assert none is None


def test_a_backup_is_one_moment_although_others_write(company, environ, tmp_path, monkeypatch):
    company.open()
    tokens = company.tokens()
    plain, once = backups._plain, iter([True])

    def answering(column, value):
        if next(once, False):
            for token in tokens.values():
                company.answer(token)
        return plain(column, value)

    monkeypatch.setattr(backups, "_plain", answering)
    path = tmp_path / "copy.gz"
    written = backups.write(context.installation().engine, path, now=context.now())
    assert written["envelope"] == 0
    states = [row["row"]["state"] for row in lines(path) if row.get("table") == "invitation"]
    assert states == ["open"] * 10


def test_a_database_that_is_not_empty_is_left_alone_unless_it_is_to_be_replaced(company, environ, tmp_path):
    cycle_id, _ = company.run()
    database, _ = backup(environ, tmp_path / "copies")
    second, _ = company.open()
    context.installation().engine.dispose()
    refused = survey("restore", str(database), environ=environ)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "not empty" in refused.stderr
    asked = survey("restore", str(database), "--replace", environ=environ, answer="n\n")
    assert asked.returncode != 0
    with context.reading() as session:
        assert cycles.get(session, second) is not None
    context.installation().engine.dispose()
    done = survey("restore", str(database), "--replace", environ=environ, answer="y\n")
    assert done.returncode == 0, done.stderr
    with context.reading() as session:
        assert session.scalars(select(Cycle.id)).all() == [cycle_id]
        assert session.scalar(select(func.count()).select_from(Report)) == 1


def test_the_key_of_a_round_that_was_counted_meanwhile_does_not_come_back(company, environ, tmp_path):
    cycle_id, _ = company.open()
    database, keys = backup(environ, tmp_path / "copies", "--keys")
    for token in company.tokens().values():
        company.answer(token)
    company.close(cycle_id)
    company.count()
    directory = Path(environ["SURVEY_KEY_DIRECTORY"])
    assert [file.name for file in directory.iterdir()] == [MARK]
    context.installation().engine.dispose()
    done = survey("restore", str(database), "--keys", str(keys), "--replace", "--yes", environ=environ)
    assert done.returncode == 0, done.stderr
    assert f"The key {cycle_id}.key was refused" in done.stdout
    assert "Spring round: has no key." in done.stdout
    assert [file.name for file in directory.iterdir()] == [MARK]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_keys_go_only_into_an_empty_directory(company, environ, databases, tmp_path):
    company.open()
    database, keys = backup(environ, tmp_path / "copies", "--keys")
    there = environ | {"SURVEY_DATABASE_URL": databases.make(context.installation().engine.dialect.name)}
    refused = survey("restore", str(database), "--keys", str(keys), environ=there)
    assert refused.returncode == 2
    assert "was destroyed after its round was counted" in refused.stderr
    assert survey("restore", str(database), environ=there).returncode == 0, "nothing was written before"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_round_that_was_to_open_meanwhile_waits_for_somebody(company, environ, databases, tmp_path):
    cycle_id, _ = company.draft()
    with context.transaction() as session:
        cycle = cycles.get(session, cycle_id)
        cycle.opens_at, cycle.is_scheduled = context.now() + timedelta(days=1), True
    database, _ = backup(environ, tmp_path / "copies")
    there = environ | {"SURVEY_DATABASE_URL": databases.make(context.installation().engine.dialect.name)}
    done = survey("restore", str(database), environ=there)
    assert "Spring round: was to open by itself" in done.stdout
    with running(there, None, company), context.reading() as session:
        assert not cycles.get(session, cycle_id).is_scheduled


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text.replace('"revision":"', '"revision":"9'), "restore it with the version of the program"),
        (lambda text: text.replace("seek-feedback database 1", "something else"), "no backup of a database"),
        (lambda text: "\n".join(text.splitlines()[:-1]), "not whole"),
        (lambda text: "\n".join(text.splitlines()[:3] + text.splitlines()[4:]), "not whole"),
        (lambda text: text + '{"table":"person","row":{}}\n', "goes on after its end"),
        (lambda text: text.replace('"address"', '"adress"'), "does not fit its table"),
        (lambda text: "", "no backup of a database"),
    ],
)
def test_what_is_not_a_whole_backup_of_this_program_is_refused(company, tmp_path, damage, reason):
    path = tmp_path / "good.gz"
    backups.write(context.installation().engine, path, now=context.now())
    bad = tmp_path / "bad.gz"
    bad.write_bytes(gzip.compress(damage(gzip.decompress(path.read_bytes()).decode()).encode()))
    with pytest.raises(BadBackup, match=reason):
        backups.check(bad)
    (tmp_path / "cut.gz").write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadBackup):
        backups.check(tmp_path / "cut.gz")


def test_a_failed_restore_leaves_the_database_as_it_was(company, tmp_path):
    path = tmp_path / "good.gz"
    backups.write(context.installation().engine, path, now=context.now())
    before = everything()
    with context.installation().engine.connect() as connection, connection.begin() as restore:
        backups.make_anew(connection)
        backups.load(connection, path)
        restore.rollback()
    assert everything() == before


def test_no_half_file_is_left_where_a_backup_fails(company, tmp_path, monkeypatch):
    monkeypatch.setattr(backups, "_plain", lambda column, value: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        backups.write(context.installation().engine, tmp_path / "copy.gz", now=context.now())
    assert list(tmp_path.glob("*copy*")) == []


def everything():
    """All rows of all tables that a backup has, as sorted text."""
    with context.installation().engine.connect() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table)).all()))
            for table in schema.metadata.sorted_tables
            if table.name not in backups.LEFT_OUT
        }


def backup(environ, directory, *options):
    """The files of a new backup: the database, and the keys if they were asked for."""
    said = survey("backup", str(directory), *options, environ=environ)
    assert said.returncode == 0, said.stderr
    (database,) = directory.glob("*.database.gz")
    return database, next(iter(directory.glob("*.keys")), None)


def page(company, review_id):
    """A report as its subject sees it, without the tokens of its forms."""
    return walks.SIGNED.sub("", company.sign_in("sam").get(f"/reports/{review_id}").text)


def link_in(mail):
    """The token of the link in a mail to a rater."""
    return re.search(r"/r/([\w-]+)", mail.get_body(("plain",)).get_content())[1]


def lines(path):
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


@contextmanager
def running(environ, clock, company):
    """The program on the restored database, as the company of before that has lost everything else."""
    app = wiring.create_app(settings.load(environ), clock=clock)
    app.test_client_class = current_app.test_client_class
    with app.app_context():
        other = copy.copy(company)
        other.app = app
        try:
            yield other
        finally:
            context.installation().engine.dispose()
