"""Mail that is due goes out over real SMTP: invitations once, reminders only to those who have not finished."""

from __future__ import annotations

import re

from sqlalchemy import select

from survey import context
from survey.services import cycles, drafts, nominations
from survey.store.outbox import Mail
from survey.store.people import Person
from tasks import outbox
from tests.company import csrf


def test_every_rater_gets_one_invitation_with_a_link_that_works(company, mailbox):
    company.open()
    assert outbox.sweep() == 10
    assert outbox.sweep() == 0
    (mail,) = mailbox.to("ana@company.test")
    link = _link(mail)
    assert company.app.test_client().get(link).status_code == 200
    assert "Sam" not in mail["Subject"]
    assert mail["Auto-Submitted"] == "auto-generated"


def test_a_rater_of_several_colleagues_gets_one_mail_that_names_them(company, mailbox):
    cycle_id, _ = company.draft()
    with context.transaction() as session:
        review = drafts.add_review(session, cycle_id, company.ids["ben"], [company.page_id])
        nominations.choose(session, review.id, nominations.suggest(session, review.subject))
        cycles.open_(session, cycle_id, context.installation().keyring, now=context.now())
    outbox.sweep()
    (mail,) = mailbox.to("ana@company.test")
    body = mail.get_body(("plain",)).get_content()
    assert "Sam Rivera" in body
    assert "Ben" in body


def test_no_token_and_no_address_is_left_in_the_database_but_the_persons_own(company, mailbox):
    company.open()
    outbox.sweep()
    token = _link(mailbox.to("ana@company.test")[0]).removeprefix("/r/")
    with context.reading() as session:
        for mail in session.scalars(select(Mail)):
            assert token not in repr(vars(mail))
            assert "@" not in repr(vars(mail))


def test_reminders_reach_only_those_who_have_not_finished_and_stop(company, mailbox, clock):
    company.open(days=14)
    outbox.sweep()
    links = {name: _link(mailbox.to(f"{name}@company.test")[0]) for name in ("ana", "ben", "chloe")}
    company.answer(links["ana"].removeprefix("/r/"))
    _decline(company, links["ben"])
    mailbox.messages.clear()
    clock.move(days=7)
    outbox.sweep()
    assert not mailbox.to("ana@company.test")
    assert not mailbox.to("ben@company.test")
    (reminder,) = mailbox.to("chloe@company.test")
    assert company.app.test_client().get(_link(reminder)).status_code == 200
    assert company.app.test_client().get(links["chloe"]).status_code == 200, "older links stay valid"
    clock.move(days=6, hours=12)
    outbox.sweep()
    assert len(mailbox.to("chloe@company.test")) == 3
    clock.move(days=1)
    outbox.sweep()
    assert len(mailbox.to("chloe@company.test")) == 3


def test_a_server_that_is_busy_gets_the_mail_later_and_one_that_refuses_not_again(company, mailbox, clock):
    cycle_id, _ = company.open()
    mailbox.answers |= {"ana@company.test": "451 later", "ben@company.test": "550 nobody here"}
    assert outbox.sweep() == 8
    assert _states()["ana@company.test"] == "waiting"
    assert _states()["ben@company.test"] == "failed"
    assert "ben@company.test" in company.sign_in("marta").get(f"/rounds/{cycle_id}").text
    mailbox.answers.clear()
    clock.move(minutes=5)
    assert outbox.sweep() == 1
    assert len(mailbox.to("ana@company.test")) == 1
    assert not mailbox.to("ben@company.test")


def test_a_server_that_is_away_costs_no_mail(company, mailbox, clock, monkeypatch):
    company.open()
    working = outbox.Server
    monkeypatch.setattr(outbox, "Server", lambda host, port, *rest: working(host, 1, *rest))
    assert outbox.sweep() == 0
    monkeypatch.undo()
    clock.move(minutes=10)
    assert outbox.sweep() == 10


def test_a_mail_keeps_its_message_id_over_all_attempts(company, mailbox, clock):
    company.open()
    mailbox.answers["ana@company.test"] = "451 later"
    outbox.sweep()
    with context.reading() as session:
        mail = session.scalar(select(Mail).where(Mail.person_id == company.ids["ana"], Mail.kind == "invitation"))
    mailbox.answers.clear()
    clock.move(minutes=5)
    outbox.sweep()
    assert mailbox.to("ana@company.test")[0]["Message-ID"] == f"<{mail.id.hex}@company.example>"


def test_a_closed_round_reminds_nobody(company, mailbox, clock):
    cycle_id, _ = company.open()
    company.close(cycle_id)
    clock.move(days=13)
    assert outbox.sweep() == 0


def test_the_subject_is_told_when_the_report_is_released(company, mailbox):
    company.run()
    mailbox.messages.clear()
    outbox.sweep()
    (mail,) = [mail for mail in mailbox.messages if mail["To"].addresses[0].addr_spec == "sam@company.test"]
    assert "/reports/" in mail.get_body(("plain",)).get_content()


def _link(mail):
    return re.search(r"/r/[\w-]+", mail.get_body(("plain",)).get_content()).group()


def _decline(company, link):
    client = company.app.test_client()
    started = client.post(link, data={"csrf_token": csrf(client.get(link).text)})
    page = client.get(f"{started.location}/decline")
    assert (
        client.post(f"{started.location}/decline", data={"csrf_token": csrf(page.text), "is_meant": "y"}).status_code
        == 303
    )


def _states():
    with context.reading() as session:
        return dict(
            session.execute(select(Person.address, Mail.state).join(Mail).where(Mail.kind == "invitation")).all()
        )
