"""Mails as they arrive: kept as snapshots, looked at for what must never be in them."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime

import pytest

from survey.core.letters import Colleague, Kind, Letter
from survey.core.relationships import Relationship
from survey.delivery import mail
from survey.delivery.mail import Sender

SENDER = Sender("Seek Feedback <feedback@company.test>", "https://feedback.company.test", "Company")
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
COLLEAGUES = (
    Colleague("Sam Rivera", Relationship.PEER, 5),
    Colleague("Ana <b>Petrov</b>", Relationship.MANAGER, 4),
    Colleague("Ben Okafor", Relationship.SELF, 6),
)


def letter(kind, colleagues=COLLEAGUES):
    return Letter(
        kind,
        "ewa@company.test",
        "Ewa Nowak",
        "0123456789abcdef",
        token="the-token",
        cycle="Spring round",
        closes_at=datetime(2026, 3, 17, tzinfo=UTC),
        k=4,
        colleagues=colleagues,
        review_id=uuid.UUID(int=7),
        cycle_id=uuid.UUID(int=8),
        subjects=("Sam Rivera", "Ana <b>Petrov</b>"),
    )


@pytest.mark.parametrize("kind", list(Kind))
def test_the_mail_as_it_arrives(compose, kind, snapshot):
    message = compose(letter(kind))
    parts = {
        "subject": message["Subject"],
        "text": message.get_body(("plain",)).get_content(),
        "html": message.get_body(("html",)).get_content(),
    }
    assert parts == snapshot


@pytest.mark.parametrize("kind", list(Kind))
def test_no_mail_loads_anything_or_names_the_subject_in_its_subject_line(compose, kind):
    message = compose(letter(kind))
    html = message.get_body(("html",)).get_content()
    assert not re.search(r"<img|<link|<script|url\(|@import", html)
    assert not re.search(r"src\s*=", html)
    assert "Sam" not in message["Subject"]
    assert "\n" not in message["Subject"]
    assert "<b>Petrov</b>" not in html
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == "<0123456789abcdef@company.test>"


@pytest.mark.parametrize("kind", list(Kind))
def test_both_parts_hold_the_same_link_and_no_line_is_too_long(compose, kind):
    message = compose(letter(kind))
    link = SENDER.base_url + letter(kind).path
    assert link in message.get_body(("plain",)).get_content()
    assert link in message.get_body(("html",)).get_content()
    assert max(len(line) for line in bytes(message).splitlines()) < 998


def test_a_name_that_looks_like_a_header_stays_a_name(compose):
    message = compose(Letter(Kind.SIGN_IN, "ewa@company.test", 'Ewa "Eve", <x@y.test>', "0123", token="the-token"))
    assert message["To"].addresses[0].addr_spec == "ewa@company.test"
    assert len(message["To"].addresses) == 1


@pytest.fixture
def compose(mail_templates):
    return lambda written: mail.compose(written, mail_templates, SENDER, now=NOW)
