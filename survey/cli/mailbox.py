"""The demo's mailbox: takes any mail over real SMTP, delivers none, and shows it on this machine alone."""

from __future__ import annotations

import argparse
import logging
import os
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask, Response, abort, g, render_template, request
from jinja2 import StrictUndefined
from werkzeug.serving import make_server

LOOPBACK = "127.0.0.1"
TEMPLATES = Path(__file__).resolve().parents[2] / "templates"

_NAME = re.compile(r"[0-9]{20}-[0-9a-f]{8}")
_ADDRESSEES = "X-Envelope-To"
_LINK = re.compile(r"(https?://[^\s<>\"']*[^\s<>\"'.,;:!?)])")
_HEAD = re.compile(r"<head(\s[^>]*)?>", re.IGNORECASE)
_TO_THE_TOP = '<base target="_top">'


@dataclass(frozen=True)
class Cover:
    """What the list shows of a message: headers, the addresses it was sent to, and when it arrived (UTC)."""

    name: str
    arrived: datetime
    sender: str
    addressees: tuple[str, ...]
    subject: str


@dataclass(frozen=True)
class Letter:
    """A message with its texts; `text` is in pieces, each with whether it is a web address."""

    cover: Cover
    text: tuple[tuple[str, bool], ...]
    html: str | None


class Mailbox:
    """The messages in a directory, one `.eml` file each, as they came in."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, addressees: Sequence[str], content: bytes) -> None:
        """Add a message that was sent to these addresses."""
        name = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
        draft = self._directory / f"{name}.part"
        draft.write_bytes(f"{_ADDRESSEES}: {', '.join(addressees)}\r\n".encode() + content)
        draft.replace(self._path(name))

    def covers(self, addressee: str = "") -> list[Cover]:
        """Return the messages, newest first; with an address, only those sent to it."""
        names = sorted((path.stem for path in self._directory.glob("*.eml")), reverse=True)
        covers = [_cover(name, self._read(name)) for name in names]
        return [cover for cover in covers if not addressee or addressee.lower() in cover.addressees]

    def letter(self, name: str) -> Letter | None:
        """Return one message, or None if there is none of this name."""
        if not _NAME.fullmatch(name) or not self._path(name).exists():
            return None
        message = self._read(name)
        text = _body(message, "plain") or ""
        pieces = tuple((piece, bool(_LINK.fullmatch(piece))) for piece in _LINK.split(text) if piece)
        return Letter(_cover(name, message), pieces, _body(message, "html"))

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.eml"

    def _read(self, name: str) -> EmailMessage:
        return message_from_bytes(self._path(name).read_bytes(), policy=policy.default)


def _cover(name: str, message: EmailMessage) -> Cover:
    return Cover(
        name=name,
        arrived=datetime.fromtimestamp(int(name.partition("-")[0]) / 1e9, UTC),
        sender=str(message.get("From", "")),
        addressees=tuple(part.strip().lower() for part in str(message.get(_ADDRESSEES, "")).split(",")),
        subject=str(message.get("Subject", "")),
    )


def _body(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    content = part.get_payload(decode=True) if part else None
    if part is None or not isinstance(content, bytes):
        return None
    try:
        return content.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return content.decode("utf-8", "replace")


def create_app(mailbox: Mailbox) -> Flask:
    """Return the mailbox's pages: `/`, with `?to=` for one addressee, and each message with its two texts."""
    app = Flask(__name__, template_folder=str(TEMPLATES), static_folder=None)
    app.jinja_env.undefined = StrictUndefined
    # Another site that points its name at this machine must not read the sign-in links in here.
    app.config["TRUSTED_HOSTS"] = [LOOPBACK, "localhost"]

    @app.before_request
    def give_the_style_a_nonce() -> None:
        g.nonce = secrets.token_urlsafe(16)

    @app.after_request
    def close_everything_that_is_not_needed(response: Response) -> Response:
        response.headers.setdefault(
            "Content-Security-Policy",
            f"default-src 'none'; style-src 'nonce-{g.get('nonce', '')}'; frame-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        )
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.get("/")
    def index() -> str:
        everything = mailbox.covers()
        chosen = request.args.get("to", "").strip()
        return render_template(
            "mailbox/index.html",
            covers=mailbox.covers(chosen) if chosen else everything,
            addressees=sorted({address for cover in everything for address in cover.addressees}),
            chosen=chosen,
        )

    @app.get("/messages/<name>")
    def message(name: str) -> str:
        return render_template("mailbox/message.html", letter=mailbox.letter(name) or abort(404))

    @app.get("/messages/<name>/html")
    def html(name: str) -> Response:
        letter = mailbox.letter(name)
        if letter is None or letter.html is None:
            abort(404)
        response = Response(_with_links_to_the_top(letter.html), mimetype="text/html")
        response.headers["Content-Security-Policy"] = (
            "sandbox allow-top-navigation-by-user-activation; default-src 'none'; "
            "style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'self'"
        )
        return response

    return app


def _with_links_to_the_top(html: str) -> str:
    """Return the HTML with links that leave the frame, where the page they lead to could not be used."""
    head = _HEAD.search(html)
    if head is None:
        return _TO_THE_TOP + html
    return html[: head.end()] + _TO_THE_TOP + html[head.end() :]


class Catcher:
    """What aiosmtpd calls for each message."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 — its name
        """Keep the message and say so."""
        content = envelope.original_content or b""
        self._mailbox.keep(envelope.rcpt_tos, content)
        return "250 Kept"


def run(directory: Path, smtp_port: int, http_port: int) -> None:
    """Take mail on one loopback port and show it on the other, until the process is ended."""
    mailbox = Mailbox(directory)
    # Its log would name the addressees that somebody looked for.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    pages = make_server(LOOPBACK, http_port, create_app(mailbox), threaded=True)
    # The SMTP greeting is the sign that all is ready, so it comes last.
    Controller(Catcher(mailbox), hostname=LOOPBACK, port=smtp_port, server_hostname="localhost").start()
    pages.serve_forever()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the mailbox that the command line describes."""
    parser = argparse.ArgumentParser(prog="survey.cli.mailbox", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="where messages are kept")
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    chosen = parser.parse_args(arguments)
    run(chosen.directory, chosen.smtp_port, chosen.http_port)


if __name__ == "__main__":
    # Mails hold sign-in links: what this process writes is for its owner alone.
    os.umask(0o077)
    main()
