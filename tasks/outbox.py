"""Mail that is due goes out."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from celery import shared_task
from flask import current_app
from sqlalchemy.exc import SQLAlchemyError

from config import Config
from survey import context
from survey.delivery import mail
from survey.delivery.mail import Connection, Delayed, Refused, Sender, Server
from survey.services import mailings, outbox

AT_ONCE = 50
ENOUGH = timedelta(seconds=80)  # within the time limit of a task, with a slow server's last word to spare
RENEWAL = 4.0  # seconds; a lease outlasts one that fails

log = structlog.get_logger()


@shared_task(name="tasks.outbox.sweep")
def sweep() -> int:
    """Gathers what is due into one mail per person and sends it over one connection; the value is how many went out."""
    began = context.now()
    with context.transaction() as session:
        outbox.settle_lost(session, now=began)
        mailings.gather(session, pace=context.installation().pace, now=began)
        leased = outbox.lease(session, now=began, limit=AT_ONCE)
    config: Config = current_app.extensions["config"]
    server = Server(
        config.smtp_host, config.smtp_port, config.smtp_security, config.smtp_username, config.smtp_password
    )
    out = 0
    with mail.connected(server) as connection:
        for mail_id in leased:
            if context.now() - began > ENOUGH:
                break  # The lease of what is left runs out, and another sweep takes it.
            out += _deliver(
                connection, mail_id, Sender(config.mail_from, config.base_url, config.company), leased_at=began
            )
    if len(leased) == AT_ONCE:
        context.wake("tasks.outbox.sweep")
    return out


def _deliver(connection: Connection, mail_id: uuid.UUID, sender: Sender, *, leased_at: datetime) -> bool:
    now, pace = context.now(), context.installation().pace
    with context.transaction() as session:
        if not outbox.hold(session, mail_id, leased_at=leased_at, now=now):
            return False
        letter = outbox.compose(session, mail_id, pace=pace, now=now)
    if letter is None:
        return False
    message = mail.compose(letter, current_app.jinja_env, sender, now=now)
    try:
        with _kept(mail_id):
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
    with context.transaction() as session:
        outbox.sent(session, mail_id)
    return True


@contextmanager
def _kept(mail_id: uuid.UUID) -> Iterator[None]:
    """Renews the lease of a mail for as long as this process lives and is sending it."""
    app = cast(Any, current_app)._get_current_object()
    is_out = threading.Event()

    def renew() -> None:
        while not is_out.wait(RENEWAL):
            try:
                with app.app_context(), context.transaction() as session:
                    outbox.keep(session, mail_id, now=context.now())
            except SQLAlchemyError as error:
                # Without the database the lease runs out; then the mail may go out twice, with one Message-ID.
                log.warning("lease_not_renewed", error=type(error).__name__)

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_out.set()
        thread.join()
