"""The demo's mailbox: real SMTP in, a page out, and whatever people wrote stays text."""

from __future__ import annotations

import os
import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from survey.cli.mailbox import TEMPLATES, Mailbox, create_app
from tests.cli.standins import free_port, takes_connections

LINK = "https://feedback.company.example/r/a-token_1"
HOSTILE = '<script>alert(1)</script> & "quoted" {{ 7 * 7 }}'


@pytest.mark.processes
def test_mail_sent_over_smtp_is_listed_newest_first_and_survives_a_restart(tmp_path: Path) -> None:
    smtp_port, http_port = free_port(), free_port()
    for number in (1, 2):
        with mailbox_process(tmp_path, smtp_port, http_port), smtplib.SMTP("127.0.0.1", smtp_port) as smtp:
            smtp.send_message(mail(subject=f"Letter {number} – ✓", text=f"See {LINK}."))
    covers = Mailbox(tmp_path).covers()
    assert [cover.subject for cover in covers] == ["Letter 2 – ✓", "Letter 1 – ✓"]
    assert covers[0].addressees == ("ana@company.example", "ben@company.example")
    assert covers[0].arrived > covers[1].arrived
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


def test_the_list_can_be_narrowed_to_one_addressee(mailbox: Mailbox, client: FlaskClient) -> None:
    mailbox.keep(["Ana@Company.example"], bytes(mail(subject="For Ana")))
    mailbox.keep(["ben@company.example"], bytes(mail(subject="For Ben")))
    addresses = ("", "ana@company.example", "nobody@company.example")
    both, one, none = (client.get(f"/?to={address}").text for address in addresses)
    assert both.index(">For Ben</a>") < both.index(">For Ana</a>")
    assert ">For Ana</a>" in one
    assert "For Ben" not in one
    assert '<option value="ana@company.example" selected>' in one
    assert "No mail yet." in none


def test_links_in_the_text_can_be_followed_without_the_punctuation_behind_them(
    mailbox: Mailbox, client: FlaskClient
) -> None:
    text = f"Go to {LINK}. Or (see {LINK}?to=a&b=c), or javascript:x"
    mailbox.keep(["ana@company.example"], bytes(mail(text=text)))
    anchors = [each for each in tags(client.get(only(mailbox)).text, "a") if not each["href"].startswith("/")]
    assert [each["href"] for each in anchors] == [LINK, f"{LINK}?to=a&b=c"]
    assert all(each["target"] == "_top" for each in anchors)


def test_what_people_wrote_stays_text_on_every_page(mailbox: Mailbox, client: FlaskClient) -> None:
    headers = f"From: {HOSTILE}\r\nSubject: {HOSTILE}\r\n\r\n"
    mailbox.keep(['"<b>x</b>"@company.example'], (headers + HOSTILE).encode())
    index, message = client.get("/").text, client.get(only(mailbox)).text
    narrowed = client.get("/", query_string={"to": HOSTILE}).text
    for page in (index, message, narrowed):
        assert not tags(page, "script")
        assert not tags(page, "b")
        assert "{{ 7 * 7 }}" in page
    assert message.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3  # title, heading and text


@settings(max_examples=60)
@given(
    whole=st.one_of(
        st.binary(max_size=300),
        st.builds(
            "Subject: {}\r\nContent-Type: text/plain; charset={}\r\n\r\n{}".format, st.text(), st.text(), st.text()
        ).map(lambda text: text.encode("utf-8", "replace")),
    )
)
def test_no_message_breaks_a_page(whole: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        mailbox = Mailbox(Path(directory))
        mailbox.keep(["ana@company.example"], whole)
        client = create_app(mailbox).test_client()
        assert client.get("/").status_code == 200
        assert client.get(only(mailbox)).status_code == 200


def test_the_html_part_is_shown_in_a_frame_that_can_do_nothing_but_be_left(
    mailbox: Mailbox, client: FlaskClient
) -> None:
    written = f"<!doctype html><html><head><title>x</title></head><body><a href='{LINK}'>Start</a></body></html>"
    mailbox.keep(["ana@company.example"], bytes(mail(html=written)))
    (frame,) = tags(client.get(only(mailbox)).text, "iframe")
    assert frame["sandbox"] == "allow-top-navigation-by-user-activation"
    shown = client.get(frame["src"])
    assert shown.text.strip() == written.replace("<head>", '<head><base target="_top">')
    policy = shown.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-top-navigation-by-user-activation; default-src 'none';")
    assert "script" not in policy


def test_html_without_a_head_has_links_that_leave_the_frame_too(mailbox: Mailbox, client: FlaskClient) -> None:
    mailbox.keep(["ana@company.example"], bytes(mail(html="<header>Hello</header>")))
    assert client.get(f"{only(mailbox)}/html").text.strip() == '<base target="_top"><header>Hello</header>'


def test_a_message_without_html_has_no_frame(mailbox: Mailbox, client: FlaskClient) -> None:
    mailbox.keep(["ana@company.example"], bytes(mail()))
    assert not tags(client.get(only(mailbox)).text, "iframe")
    assert client.get(f"{only(mailbox)}/html").status_code == 404


@pytest.mark.parametrize("name", ["0", "..%2Fsecret", "00000000000000000000-00000000", "%2e%2e"])
def test_a_name_that_is_no_message_finds_nothing(name: str, mailbox: Mailbox, client: FlaskClient) -> None:
    mailbox.keep(["ana@company.example"], bytes(mail()))
    assert client.get(f"/messages/{name}").status_code == 404
    assert client.get(f"/messages/{name}/html").status_code == 404


def test_pages_allow_no_script_and_only_their_own_style(mailbox: Mailbox, client: FlaskClient) -> None:
    mailbox.keep(["ana@company.example"], bytes(mail()))
    for page in (client.get("/"), client.get(only(mailbox)), client.get("/nothing")):
        policy = page.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'nonce-")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        for style in tags(page.text, "style"):
            assert f"'nonce-{style['nonce']}'" in policy


def test_another_site_cannot_read_the_mail_by_pointing_its_name_at_this_computer(client: FlaskClient) -> None:
    assert client.get("/", base_url="http://rebinding.example:8361").status_code == 400
    assert client.get("/", base_url="http://127.0.0.1:8361").status_code == 200


class _Tags(HTMLParser):
    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.found: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == self._name:
            self.found.append({key: value or "" for key, value in attrs})


def tags(page: str, name: str) -> list[dict[str, str]]:
    """The attributes of every element of this name that a browser would see."""
    parser = _Tags(name)
    parser.feed(page)
    return parser.found


def mail(*, subject: str = "Hello", text: str = "Hello.", html: str | None = None) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "Seek Feedback <feedback@company.example>"
    message["To"] = "ana@company.example, ben@company.example"
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


def only(mailbox: Mailbox) -> str:
    (cover,) = mailbox.covers()
    return f"/messages/{cover.name}"


@contextmanager
def mailbox_process(directory: Path, smtp_port: int, http_port: int) -> Iterator[None]:
    """Run the mailbox as the machine does, from when its SMTP port answers until the block ends."""
    ports = ("--smtp-port", str(smtp_port), "--http-port", str(http_port))
    command = [sys.executable, "-m", "survey.cli.mailbox", "--directory", str(directory), *ports]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(TEMPLATES.parent)}) as process:
        try:
            deadline = time.monotonic() + 180
            while not takes_connections(smtp_port):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield
        finally:
            process.terminate()


@pytest.fixture
def mailbox(tmp_path: Path) -> Mailbox:
    return Mailbox(tmp_path)


@pytest.fixture
def client(mailbox: Mailbox) -> FlaskClient:
    return create_app(mailbox).test_client()
