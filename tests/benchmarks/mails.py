"""Launching 800 reviews with eight raters each, without sending: `python -m tests.benchmarks.mails`.

6,400 people are invited on a new SQLite file, each about one colleague: as many mails as there can be. Prints how long
one worker takes, and how much memory it holds on the way.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
from flask import current_app
from sqlalchemy import func, select

from survey import context
from survey.core.mailings import CONSIDERATE
from survey.delivery import mail
from survey.delivery.mail import Sender
from survey.services import mailings, outbox
from survey.store.invitations import InvitationToken
from tests import servers
from tests.attacks.rounds import installation
from tests.benchmarks import crowds
from tests.company import Company

REVIEWS, RATERS = 800, crowds.PEERS
SENDER = Sender("Seek Feedback <feedback@company.test>", "https://feedback.company.test", "Company")


def main() -> None:
    """Prints how long each step takes, and checks what was written."""
    with tempfile.TemporaryDirectory() as folder:
        databases = servers.Databases(Path(folder))
        with installation(databases, "sqlite", Path(folder)) as app:
            now = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
            cycle_id = crowds.draft(Company(app), REVIEWS, now=now)
            parts = context.installation()
            app.extensions[context.EXTENSION] = replace(parts, clock=lambda: now, ring=lambda task: None)
            with _timed("open the round", REVIEWS * RATERS):
                crowds.launch(cycle_id)
            with _timed("gather", REVIEWS * RATERS), context.transaction() as session:
                while mailings.gather(session, pace=CONSIDERATE, now=now):
                    pass
            with _timed("compose and render", REVIEWS * RATERS):
                told = Counter(_tell(letter, number, now) for number, letter in enumerate(_letters(now), 1))
            with context.reading() as session:
                tokens = session.scalar(select(func.count()).select_from(InvitationToken))
            assert len(told) == tokens == REVIEWS * RATERS, "everybody has an invitation"
            assert set(told.values()) == {1}, "and nobody has two"


def _tell(letter, number, now) -> str:
    """To whom the letter is, once it has been written."""
    mail.compose(letter, current_app.jinja_env, SENDER, now=now)
    if number % (REVIEWS * RATERS // 4) == 0:
        print(f"  {number} mails: {psutil.Process().memory_info().rss / 2**20:.0f} MiB")
    return letter.address


def _letters(now):
    while True:
        with context.transaction() as session:
            leased = outbox.lease(session, now=now)
        for mail_id in leased:
            with context.transaction() as session:
                letter = outbox.compose(session, mail_id, leased_at=now, now=now)
            with context.transaction() as session:
                outbox.sent(session, mail_id)
            if letter is not None:
                yield letter
        if not leased:
            return


class _timed:  # noqa: N801 - read as a word of the code around it
    def __init__(self, what: str, count: int) -> None:
        self._what, self._count = what, count

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        took, worked = time.perf_counter() - self._began[0], time.process_time() - self._began[1]
        print(f"{self._what:<20}{took:8.2f} s, of them at work {worked:7.2f} s: {self._count / worked:6.0f} a second")


if __name__ == "__main__":
    main()
