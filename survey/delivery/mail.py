"""Letters as mails: rendered from templates, sent over one connection."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import Any

from jinja2 import Environment

from survey.core.errors import SurveyError
from survey.core.letters import Kind, Letter
from survey.delivery import calendars

TIMEOUT = 10.0  # seconds for each word of the conversation with the mail server
FIRST_REFUSAL = 500
UNSUBSCRIBE = "List-Unsubscribe"


class Refused(SurveyError):
    """The server will never take this mail; another attempt is of no use."""


class Delayed(SurveyError):
    """The mail could not be handed over now; a later attempt may succeed."""


class UnfoldedAddresses(EmailPolicy):
    """How headers are written: a web address stays on its line.

    Python would cut one that is longer than a line into encoded words, which no mail program takes for an address.
    """

    def fold(self, name: str, value: Any) -> str:
        """The header as text."""
        return f"{name}: {value}{self.linesep}" if name == UNSUBSCRIBE else super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        """The header as bytes."""
        return self.fold(name, value).encode() if name == UNSUBSCRIBE else super().fold_binary(name, value)


@dataclass(frozen=True)
class Server:
    """Where mail is handed over. `security` is none, starttls or tls."""

    host: str
    port: int
    security: str = "none"
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Sender:
    """Who mails are from: an address with a name, and the installation that links lead to."""

    mail_from: str
    base_url: str
    company: str


def compose(letter: Letter, templates: Environment, sender: Sender, *, now: datetime) -> EmailMessage:
    """The letter as a message with a text and an HTML part, no remote image and nothing that tracks."""
    words = {
        "letter": letter,
        "link": sender.base_url + letter.path,
        "stop_link": sender.base_url + letter.stop_path,
        "base_url": sender.base_url,
        "company": sender.company,
    }
    folder = f"email/{letter.kind}"
    name, address = parseaddr(sender.mail_from)
    message = EmailMessage(UnfoldedAddresses())
    message["Subject"] = " ".join(templates.get_template(f"{folder}/subject.txt").render(words).split())
    message["From"] = Address(display_name=name, addr_spec=address)
    message["To"] = Address(display_name=letter.name, addr_spec=letter.address)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{letter.message_id}@{address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    if letter.kind is Kind.REMINDER:
        # Mail programs put a button to this: one POST that stops the reminders, and can do nothing else (RFC 8058).
        message[UNSUBSCRIBE] = f"<{sender.base_url}{letter.stop_path}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(templates.get_template(f"{folder}/body.txt").render(words).strip() + "\n")
    message.add_alternative(templates.get_template(f"{folder}/body.html").render(words), subtype="html")
    if letter.kind is Kind.INVITATION:
        domain = address.rpartition("@")[2]
        calendar = calendars.deadlines(letter.parts, company=sender.company, domain=domain, now=now)
        message.add_attachment(calendar, subtype="calendar", params={"method": "PUBLISH"}, filename="last-day.ics")
    return message


class Connection:
    """A conversation with the mail server, opened with the first mail and opened again after a failure."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._smtp: smtplib.SMTP | None = None

    def send(self, message: EmailMessage) -> None:
        """Hands the message over. Raises `Refused` or `Delayed`."""
        try:
            if self._smtp is None:
                self._smtp = _open(self._server)
            self._smtp.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            self._reset()
            code = max(code for code, _ in error.recipients.values())
            raise _problem(code) from None
        except smtplib.SMTPResponseException as error:
            self.close()
            # A server that does not let us in at all says nothing about this mail.
            is_about_mail = isinstance(error, smtplib.SMTPDataError | smtplib.SMTPSenderRefused)
            raise _problem(error.smtp_code if is_about_mail else 0) from None
        except (smtplib.SMTPException, OSError):
            self.close()
            raise _problem(0) from None

    def close(self) -> None:
        """Ends the conversation, politely where the server still listens."""
        smtp, self._smtp = self._smtp, None
        if smtp is None:
            return
        try:
            smtp.quit()
        except (smtplib.SMTPException, OSError):
            smtp.close()

    def _reset(self) -> None:
        try:
            if self._smtp is not None:
                self._smtp.rset()
        except (smtplib.SMTPException, OSError):
            self.close()


def greet(server: Server) -> None:
    """Connects, says EHLO, protects the connection and signs in as mail would be sent; sends none.

    Raises smtplib.SMTPException or OSError (with ssl.SSLError) with what went wrong.
    """
    smtp = _open(server)
    try:
        smtp.ehlo_or_helo_if_needed()
    finally:
        smtp.close()


@contextmanager
def connected(server: Server) -> Iterator[Connection]:
    """A connection for as many mails as one likes."""
    connection = Connection(server)
    try:
        yield connection
    finally:
        connection.close()


def _open(server: Server) -> smtplib.SMTP:
    if server.security == "tls":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, timeout=TIMEOUT, context=ssl.create_default_context()
        )
    else:
        smtp = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)
    if server.security == "starttls":
        smtp.starttls(context=ssl.create_default_context())
    if server.username:
        smtp.login(server.username, server.password)
    return smtp


def _problem(code: int) -> Refused | Delayed:
    if code >= FIRST_REFUSAL:
        return Refused("The mail server refuses this address.")
    return Delayed("The mail server could not be reached, or asks us to try again later.")
