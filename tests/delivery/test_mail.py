"""Mails as they arrive: kept as snapshots, looked at for what must never be in them."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime
from email import message_from_bytes, policy

import pytest
from icalendar import Calendar

from survey.core.letters import Colleague, CyclePart, Kind, Letter
from survey.core.relationships import Relationship
from survey.delivery import mail
from survey.delivery.mail import Delayed, Sender, Server
from tests import servers

SENDER = Sender("Seek Feedback <feedback@company.test>", "https://feedback.company.test", "Company")
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
COLLEAGUES = (
    Colleague("Sam Rivera", Relationship.PEER, 5),
    Colleague("Ana <b>Petrov</b>", Relationship.MANAGER, 4),
    Colleague("Ben Okafor", Relationship.SELF, 6),
)


SPRING = CyclePart(uuid.UUID(int=3), "Spring round", datetime(2026, 3, 17, tzinfo=UTC), 4, COLLEAGUES)
LEADS = CyclePart(
    uuid.UUID(int=4),
    "Leads & staff",
    datetime(2026, 3, 21, tzinfo=UTC),
    5,
    (Colleague("Grace Kim", Relationship.DIRECT_REPORT, 1),),
)


def letter(kind, parts=(SPRING,)):
    return Letter(
        kind,
        "ewa@company.test",
        "Ewa Nowak",
        "0123456789abcdef",
        token="the-token",
        stop="the-stop",
        cycle="Spring round",
        parts=parts,
        review_id=uuid.UUID(int=7),
        cycle_id=uuid.UUID(int=8),
        closes_at=datetime(2026, 3, 17, tzinfo=UTC),
        subjects=("Sam Rivera", "Ana <b>Petrov</b>"),
        changed="address",
        before="ewa@elsewhere.test",
        after="ewa@company.test",
        actor="Noor <b>Haddad</b>",
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


@pytest.mark.parametrize("changed", ["manager", "confirmed"])
def test_the_mail_about_another_change_as_it_arrives(compose, changed, snapshot):
    told = replace(letter(Kind.CHANGED), changed=changed, before="Marta", after="Olga", actor="")
    assert compose(told).get_body(("plain",)).get_content() == snapshot


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
def test_both_parts_hold_the_same_link_and_no_line_is_too_long(compose, wire, kind):
    message = compose(letter(kind))
    link = SENDER.base_url + letter(kind).path
    assert link in message.get_body(("plain",)).get_content()
    assert link in message.get_body(("html",)).get_content()
    lines = wire(letter(kind)).split(b"\r\n")
    assert max(map(len, lines)) < 200
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert all(line.isascii() for line in lines)


def test_a_mail_about_several_rounds_names_each_with_its_last_day(compose, snapshot):
    message = compose(letter(Kind.REMINDER, (SPRING, LEADS)))
    assert message["Subject"] == "Still open: Spring round and Leads & staff"
    assert message.get_body(("plain",)).get_content() == snapshot
    assert compose(letter(Kind.INVITATION, (SPRING,) * 3))["Subject"] == "Your view is asked for: 3 rounds"


def test_an_invitation_brings_the_last_day_as_a_calendar_that_names_nobody(compose, snapshot):
    (calendar,) = compose(letter(Kind.INVITATION, (SPRING, LEADS))).iter_attachments()
    assert (calendar.get_content_type(), calendar.get_filename()) == ("text/calendar", "last-day.ics")
    text = calendar.get_content()
    assert text == snapshot
    read = Calendar.from_ical(text)
    assert [event["dtstart"].dt for event in read.walk("VEVENT")] == [date(2026, 3, 16), date(2026, 3, 20)]
    for word in ("Sam", "Ana", "Ben", "Grace", "Ewa", "the-token", "http"):
        assert word not in text


def test_a_reminder_has_one_button_that_stops_reminders_whole_on_its_line(compose, wire):
    sent = wire(letter(Kind.REMINDER)).decode()
    assert f"\r\nList-Unsubscribe: <{SENDER.base_url}/stop/the-stop>\r\n" in sent
    assert "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in sent
    long = wire(replace(letter(Kind.REMINDER), stop="s" * 43)).decode()
    assert f"\r\nList-Unsubscribe: <{SENDER.base_url}/stop/{'s' * 43}>\r\n" in long
    assert not list(compose(letter(Kind.REMINDER)).iter_attachments())
    assert "List-Unsubscribe" not in compose(letter(Kind.INVITATION))


def test_a_name_that_looks_like_a_header_stays_a_name(compose):
    message = compose(Letter(Kind.SIGN_IN, "ewa@company.test", 'Ewa "Eve", <x@y.test>', "0123", token="the-token"))
    assert message["To"].addresses[0].addr_spec == "ewa@company.test"
    assert len(message["To"].addresses) == 1


@pytest.mark.parametrize("address", ["ewa@company.test", "łucja@company.test", "ewa@münchen.test"])
def test_names_and_addresses_in_other_letters_arrive_as_they_are(mail_templates, mailbox, address):
    named = Letter(Kind.SIGN_IN, address, "Łucja Żółć, “Lu”", "0123", token="the-token", cycle="Początek")
    with mail.connected(Server("127.0.0.1", mailbox.port)) as connection:
        connection.send(mail.compose(named, mail_templates, SENDER, now=NOW))
    (arrived,) = mailbox.messages
    (reader,) = arrived["To"].addresses
    assert reader.display_name == "Łucja Żółć, “Lu”"
    # Python reads bytes that are not ASCII as surrogates.
    assert reader.addr_spec.encode(errors="surrogateescape").decode() == address


def test_a_server_without_other_letters_is_asked_again_later(mail_templates):
    box = servers.Mailbox(knows_other_letters=False)
    box.start()
    try:
        with mail.connected(Server("127.0.0.1", box.port)) as connection:
            with pytest.raises(Delayed):
                connection.send(
                    mail.compose(
                        Letter(Kind.SIGN_IN, "łucja@company.test", "Łucja", "0123", token="the-token"),
                        mail_templates,
                        SENDER,
                        now=NOW,
                    )
                )
            connection.send(mail.compose(letter(Kind.SIGN_IN), mail_templates, SENDER, now=NOW))
    finally:
        box.stop()
    assert len(box.messages) == 1


def test_a_long_subject_in_other_letters_is_folded_and_read_whole(compose, wire):
    part = replace(SPRING, cycle="Wiosenna runda rozmów o współpracy w zespołach łódzkich i gdańskich " * 2)
    assert compose(letter(Kind.INVITATION, (part,)))["Subject"].endswith(part.cycle.strip())
    assert max(map(len, wire(letter(Kind.INVITATION, (part,))).partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 78


@pytest.fixture
def wire(mail_templates):
    """The bytes that a server is given."""
    return lambda written: mail.compose(written, mail_templates, SENDER, now=NOW).content


@pytest.fixture
def compose(wire):
    """A mail as the program reads it that it arrives at."""
    return lambda written: message_from_bytes(wire(written), policy=policy.default)
