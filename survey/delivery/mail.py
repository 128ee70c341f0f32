"""Letters as mails: rendered from templates, sent over one connection."""

from __future__ import annotations

import secrets
import smtplib
import ssl
from binascii import b2a_qp
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import Compat32
from email.utils import format_datetime, formataddr, parseaddr
from typing import Any

from jinja2 import Environment

from survey.core.errors import SurveyError
from survey.core.letters import Kind, Letter
from survey.delivery import calendars

TIMEOUT = 10.0  # seconds for each word of the conversation with the mail server
FIRST_REFUSAL = 500
UNSUBSCRIBE = "List-Unsubscribe"
LINE = 76


class Refused(SurveyError):
    """The server will never take this mail; another attempt is of no use."""


class Delayed(SurveyError):
    """The mail could not be handed over now; a later attempt may succeed."""


class OnTheWire(Compat32):
    """How messages are written for a server. A web address stays on the line of its header: some programs look there.

    Python's older rules, since the newer ones parse and write each header three times: nine tenths of a mail's time.
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        """The header as bytes."""
        is_plain = isinstance(value, str) and value.isascii() and value.isprintable()
        if name == UNSUBSCRIBE or (is_plain and len(name) + len(value) < LINE):
            return f"{name}: {value}{self.linesep}".encode()
        return super().fold_binary(name, value)


ON_THE_WIRE = OnTheWire(linesep="\r\n", mangle_from_=False)


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


@dataclass(frozen=True)
class Message:
    """A mail as it goes over the wire: from one address to one other."""

    sender: str
    recipient: str
    content: bytes = field(repr=False)


def compose(letter: Letter, templates: Environment, sender: Sender, *, now: datetime) -> Message:
    """The letter as a message with a text and an HTML part, no remote image and nothing that tracks."""
    words = {
        "letter": letter,
        "link": sender.base_url + letter.path,
        "stop_link": sender.base_url + letter.stop_path,
        "base_url": sender.base_url,
        "company": sender.company,
    }

    def written(part: str) -> str:
        return templates.get_template(f"email/{letter.kind}/{part}").render(words)

    name, address = parseaddr(sender.mail_from)
    domain = address.rpartition("@")[2]
    mail = MIMEMultipart("alternative", boundary=_boundary())
    mail.attach(_text(written("body.txt").strip(), "plain"))
    mail.attach(_text(written("body.html"), "html"))
    if letter.kind is Kind.INVITATION:
        calendar = _text(calendars.deadlines(letter.parts, company=sender.company, domain=domain, now=now), "calendar")
        calendar.set_param("method", "PUBLISH")
        calendar.add_header("Content-Disposition", "attachment", filename="last-day.ics")
        mail, body = MIMEMultipart("mixed", boundary=_boundary()), mail
        mail.attach(body)
        mail.attach(calendar)
    mail["Subject"] = _line(written("subject.txt"))
    mail["From"] = _mailbox(name, address)
    mail["To"] = _mailbox(letter.name, letter.address)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{letter.message_id}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    if letter.kind is Kind.REMINDER:
        # Mail programs put a button to this: one POST that stops the reminders, and can do nothing else (RFC 8058).
        mail[UNSUBSCRIBE] = f"<{sender.base_url}{letter.stop_path}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return Message(address, letter.address, mail.as_bytes(policy=ON_THE_WIRE))


def _text(text: str, subtype: str) -> MIMENonMultipart:
    """A part that every server leaves as it is: ASCII, in lines of at most 76 characters."""
    part = MIMENonMultipart("text", subtype, charset="utf-8")
    part["Content-Transfer-Encoding"] = "quoted-printable"
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    part.set_payload(b2a_qp(f"{lines}\n".encode()).decode("ascii"))
    return part


def _mailbox(name: str, address: str) -> str:
    """A name with an address. One that has other than ASCII letters stands as it is: such mail goes as SMTPUTF8."""
    if address.isascii():
        return formataddr((_line(name), address))
    return f"{formataddr((_line(name), 'a'))[:-3]}<{address}>".encode().decode("ascii", "surrogateescape")


def _line(text: str) -> str:
    return " ".join(text.split())


def _boundary() -> str:
    return f"={secrets.token_hex(16)}="


class Connection:
    """A conversation with the mail server, opened with the first mail and opened again after a failure."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._smtp: smtplib.SMTP | None = None

    def send(self, message: Message) -> None:
        """Hands the message over. Raises `Refused` or `Delayed`."""
        options = () if message.recipient.isascii() else ("SMTPUTF8", "BODY=8BITMIME")
        try:
            if self._smtp is None:
                self._smtp = _open(self._server)
            self._smtp.sendmail(message.sender, message.recipient, message.content, options)
        except smtplib.SMTPRecipientsRefused as error:
            self._reset()
            code = max(code for code, _ in error.recipients.values())
            raise _problem(code) from None
        except smtplib.SMTPResponseException as error:
            self.close()
            # A server that does not let us in at all says nothing about this mail.
            is_about_mail = isinstance(error, smtplib.SMTPDataError | smtplib.SMTPSenderRefused)
            raise _problem(error.smtp_code if is_about_mail else 0) from None
        except (smtplib.SMTPException, OSError, UnicodeError):
            # The last: an address in letters that a server without extensions cannot be told.
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
