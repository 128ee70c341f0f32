"""Mail that is due goes out."""

from __future__ import annotations

import uuid
from datetime import timedelta

import structlog
from celery import shared_task
from flask import current_app

from config import Config
from survey import context
from survey.delivery import mail
from survey.delivery.mail import Connection, Delayed, Refused, Sender, Server
from survey.services import mailings, outbox

AT_ONCE = 50
ENOUGH = timedelta(seconds=80)  # within the lease of two minutes, with a slow server's last word to spare

log = structlog.get_logger()


@shared_task(name="tasks.outbox.sweep")
def sweep() -> int:
    """Gathers what is due into one mail per person and sends it over one connection; the value is how many went out."""
    began = context.now()
    with context.transaction() as session:
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
            out += _deliver(connection, mail_id, Sender(config.mail_from, config.base_url, config.company))
    if len(leased) == AT_ONCE:
        context.wake("tasks.outbox.sweep")
    return out


def _deliver(connection: Connection, mail_id: uuid.UUID, sender: Sender) -> bool:
    now, pace = context.now(), context.installation().pace
    with context.transaction() as session:
        letter = outbox.compose(session, mail_id, pace=pace, now=now)
    if letter is None:
        return False
    message = mail.compose(letter, current_app.jinja_env, sender, now=now)
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
    with context.transaction() as session:
        outbox.sent(session, mail_id)
    return True
