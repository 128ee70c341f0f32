"""Mail that is due goes out."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from celery import shared_task
from flask import current_app
from sqlalchemy.exc import SQLAlchemyError

from config import Config
from survey import context
from survey.core.clocks import Sweeps
from survey.delivery import mail
from survey.delivery.mail import Connection, Delayed, Message, Refused, Sender, Server
from survey.services import mailings, outbox
from survey.services.clocks import GOES_ANYWAY
from tasks import clocks

AT_ONCE = 50
ENOUGH = timedelta(seconds=80)  # within the time limit of a task, with a slow server's last word to spare
RENEWAL = 4.0  # seconds; a lease outlasts one that fails

log = structlog.get_logger()


@shared_task(name="tasks.outbox.sweep")
def sweep() -> int:
    """Gathers what is due into one mail per person and sends it over one connection; the value is how many went out.

    Where more is due than it takes, it rings for another sweep.
    """
    began, may_go_on = context.now(), clocks.may(Sweeps.STEPS)
    with context.transaction() as session:
        outbox.settle_lost(session, now=began)
        if may_go_on:
            mailings.gather(session, pace=context.installation().pace, now=began)
        leased = outbox.lease(session, now=began, limit=AT_ONCE, only=None if may_go_on else GOES_ANYWAY)
    if len(leased) == AT_ONCE:
        # Before these are sent, so that another worker takes the next ones meanwhile.
        context.wake("tasks.outbox.sweep")
    config: Config = current_app.extensions["config"]
    server = Server(
        config.smtp_host, config.smtp_port, config.smtp_security, config.smtp_username, config.smtp_password
    )
    sender = Sender(config.mail_from, config.base_url, config.company)
    out = 0
    with mail.connected(server) as connection, _held() as held:
        for mail_id in leased:
            if context.now() - began > ENOUGH:
                break  # The lease of what is left runs out, and another sweep takes it.
            held.mail_id = mail_id
            out += _deliver(connection, mail_id, sender, leased_at=began)
    return out


def _deliver(connection: Connection, mail_id: uuid.UUID, sender: Sender, *, leased_at: datetime) -> bool:
    message = _written(mail_id, sender, leased_at)
    if message is None:
        return False
    try:
        connection.send(message)
    except Refused:
        log.warning("mail_refused")
        with context.transaction() as session:
            outbox.refused(session, mail_id)
        return False
    except Delayed:
        log.warning("mail_delayed")
        with context.transaction() as session:
            outbox.delayed(session, mail_id, now=context.now())
        return False
    with context.one_step() as session:
        outbox.sent(session, mail_id)
    return True


def _written(mail_id: uuid.UUID, sender: Sender, leased_at: datetime) -> Message | None:
    """The mail, if it is still wanted. One that cannot be written keeps no other from going out."""
    now, pace = context.now(), context.installation().pace
    try:
        with context.transaction() as session:
            letter = outbox.compose(session, mail_id, leased_at=leased_at, pace=pace, now=now)
        return None if letter is None else mail.compose(letter, current_app.jinja_env, sender, now=now)
    except SQLAlchemyError:
        raise
    except Exception as error:
        log.error("mail_not_written", error=context.described(error))
        with context.transaction() as session:
            outbox.not_written(session, mail_id, now=now)
        return None


@dataclass
class _Held:
    """The mail that is being sent."""

    mail_id: uuid.UUID | None = None


@contextmanager
def _held() -> Iterator[_Held]:
    """Renews the lease of the mail that is being sent, for as long as this process lives."""
    app = cast(Any, current_app)._get_current_object()
    held, is_over = _Held(), threading.Event()

    def renew() -> None:
        while not is_over.wait(RENEWAL):
            if held.mail_id is None:
                continue
            try:
                with app.app_context(), context.transaction() as session:
                    outbox.keep(session, held.mail_id, now=context.now())
            except SQLAlchemyError as error:
                # Without the database the lease runs out; then the mail may go out twice, with one Message-ID.
                log.warning("lease_not_renewed", error=type(error).__name__)

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield held
    finally:
        is_over.set()
        thread.join()
