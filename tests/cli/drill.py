"""The restore drill in figures: `make drill`.

A company of sixty with a released round and an open one is backed up, goes on for a while, and is restored, from each
database into each. Then every report is compared byte for byte, mail is swept, and every link of before is tried.
"""

from __future__ import annotations

import copy
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import Flask

import config as settings
from survey import app as wiring
from survey import context
from survey.core.questionnaires import ON_BY_DEFAULT
from survey.core.relationships import Relationship
from survey.services import cycles, drafts, nominations, responses
from survey.store.cycles import Review
from tasks import outbox
from tests import organisation, servers
from tests.attacks import walks
from tests.cli.test_backups import link_in
from tests.cli.typed import survey
from tests.company import answers_to
from tests.conftest import Browser
from tests.organisation import Organisation

KINDS = ("sqlite", "postgresql")
ASKED = 10
HEADINGS = ("from", "to", "rows", "KiB", "backup s", "restore s", "reports", "same", "mailed again", "links", "open")


class Clock:
    """A Monday morning that moves when it is told to."""

    moment = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment


@dataclass(frozen=True)
class Made:
    """A backup, and what was true when it was made or happened since."""

    files: tuple[Path, Path]
    rows: int
    seconds: float
    reports: Mapping[str, tuple[bytes, ...]]
    links: tuple[str, ...]


def main() -> int:
    """Prints the table; 1 if a report differs, a mail goes out twice or a link opens."""
    with tempfile.TemporaryDirectory() as folder:
        databases, mailbox = servers.Databases(Path(folder)), servers.Mailbox()
        mailbox.start()
        try:
            lines = [line for kind in KINDS for line in _drill(kind, databases, mailbox, Path(folder) / kind)]
        finally:
            mailbox.stop()
            databases.stop()
    for line in (HEADINGS, *lines):
        print("  ".join(str(cell).rjust(len(heading)) for cell, heading in zip(line, HEADINGS, strict=True)))
    return 0 if all((each[6] == each[7], each[8], each[10]) == (True, 0, 0) for each in lines) else 1


def _drill(
    kind: str, databases: servers.Databases, mailbox: servers.Mailbox, folder: Path
) -> Iterator[tuple[object, ...]]:
    folder.mkdir()
    clock = Clock()
    environ = {
        "SURVEY_MODE": "testing",
        "SURVEY_SECRET_KEY": secrets.token_urlsafe(48),
        "SURVEY_DATABASE_URL": databases.make(kind),
        "SURVEY_REDIS_URL": "redis://127.0.0.1:1/0",
        "SURVEY_KEY_DIRECTORY": str(folder / "keys"),
        "SURVEY_BASE_URL": "http://localhost",
        "SURVEY_SMTP_HOST": "127.0.0.1",
        "SURVEY_SMTP_PORT": str(mailbox.port),
        "SURVEY_COMPANY": "Company",
        "SURVEY_MAIL_PACE": "office_hours",
    }
    mailbox.messages.clear()
    with _running(environ, clock) as app:
        company = organisation.build(app)
        made = _live(company, environ, folder, mailbox, clock)
    clock.moment += timedelta(hours=1)
    for to in KINDS:
        there = environ | {
            "SURVEY_DATABASE_URL": databases.make(to),
            "SURVEY_KEY_DIRECTORY": str(folder / f"keys-{to}"),
        }
        began = time.perf_counter()
        said = survey("restore", str(made.files[0]), "--keys", str(made.files[1]), environ=there, clock=clock)
        seconds = time.perf_counter() - began
        assert said.returncode == 0, said.stderr
        with _running(there, clock) as app:
            restored = copy.copy(company)
            restored.app = app
            mailbox.messages.clear()
            while outbox.sweep():
                pass
            browser = app.test_client()
            yield (
                kind,
                to,
                made.rows,
                made.files[0].stat().st_size // 1024,
                f"{made.seconds:.2f}",
                f"{seconds:.2f}",
                len(made.reports),
                sum(_report(restored, name) == content for name, content in made.reports.items()),
                len(mailbox.messages),
                len(made.links),
                sum(browser.get(f"/r/{link}").status_code == 200 for link in made.links),
            )


def _live(
    company: Organisation, environ: Mapping[str, str], folder: Path, mailbox: servers.Mailbox, clock: Clock
) -> Made:
    """Opens a second round, makes the backup, and lets mail go out and half of the raters answer after it."""
    _open(company)
    began = time.perf_counter()
    said = survey("backup", str(folder / "copies"), "--keys", environ=environ, clock=clock)
    seconds = time.perf_counter() - began
    assert said.returncode == 0, said.stderr
    (database,), (keys,) = (folder / "copies").glob("*.database.gz"), (folder / "copies").glob("*.keys")
    reports = {name: _report(company, name) for name in company.reviews}
    while outbox.sweep():
        pass
    links = tuple(link_in(mail) for mail in mailbox.messages if "/r/" in mail.get_body(("plain",)).get_content())
    for link in links[::2]:
        with context.transaction() as session:
            waiting = responses.waiting(session, link)[0]
            asked = responses.asked(session, link, waiting.invitation_id)
            responses.submit(session, asked, answers_to(asked.questionnaire), draft_secret=None)
    rows = re.search(r": (\d+) rows", said.stdout)
    assert rows is not None, said.stdout
    return Made((database, keys), int(rows[1]), seconds, reports, links)


def _open(company: Organisation) -> None:
    """A round about ten people, each with five of the others as peers."""
    names, parts = sorted(company.reviews), context.installation()
    with context.transaction() as session:
        cycle = drafts.make(
            session,
            "Autumn round",
            launcher_id=company.ids["hanna"],
            minimum=4,
            closes_at=context.now() + timedelta(days=14),
            blocks=tuple(ON_BY_DEFAULT),
            now=context.now(),
        )
        for place in range(ASKED):
            page_ids = [page.page_id for page in session.get_one(Review, company.reviews[names[place]]).pages]
            review = drafts.add_review(session, cycle.id, company.ids[names[place]], page_ids)
            peers = names[place + 1 : place + 6]
            nominations.choose(session, review.id, {company.ids[name]: Relationship.PEER for name in peers})
        cycles.open_(session, cycle.id, parts.keyring, pace=parts.pace, actor_id=None, now=context.now())


def _report(company: Organisation, name: str) -> tuple[bytes, ...]:
    """What the subject is given, as page, PDF and table; without the tokens of forms."""
    client, address = company.sign_in(name), f"/reports/{company.reviews[name]}"
    page = walks.SIGNED.sub("", client.get(address).text).encode()
    return page, client.get(f"{address}.pdf").data, client.get(f"{address}.csv").data


@contextmanager
def _running(environ: Mapping[str, str], clock: Callable[[], datetime]) -> Iterator[Flask]:
    app = wiring.create_app(settings.load(environ), clock=clock)
    app.test_client_class = Browser
    with app.app_context():
        try:
            yield app
        finally:
            context.installation().engine.dispose()


if __name__ == "__main__":
    sys.exit(main())
