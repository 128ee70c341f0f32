"""Mail that is due goes out over real SMTP: one digest a day, reminders only to those who have not finished."""

from __future__ import annotations

import re
import threading
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from survey import context
from survey.delivery.mail import Connection
from survey.services import cycles, drafts, mailings, nominations
from survey.services import outbox as service
from survey.store import letters
from survey.store.mailings import Mailing, RefusedAddress
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


def test_who_leaves_something_for_others_says_so_before_the_sending(company, mailbox, monkeypatch):
    monkeypatch.setattr(outbox, "AT_ONCE", 6)
    company.open()
    out_by_then = []
    parts = replace(context.installation(), ring=lambda task: out_by_then.append((task, len(mailbox.messages))))
    monkeypatch.setitem(company.app.extensions, context.EXTENSION, parts)
    assert outbox.sweep() == 6
    assert out_by_then == [("tasks.outbox.sweep", 0)]
    assert outbox.sweep() == 4
    assert len(out_by_then) == 1


def test_a_rater_of_several_colleagues_gets_one_mail_that_names_them(company, mailbox):
    cycle_id, _ = company.draft()
    with context.transaction() as session:
        review = drafts.add_review(session, cycle_id, company.ids["ben"], [company.page_id])
        nominations.choose(session, review.id, nominations.suggest(session, review.subject))
        cycles.open_(session, cycle_id, context.installation().keyring, actor_id=None, now=context.now())
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
    for _ in range(8):
        clock.move(days=1)
        outbox.sweep()
    assert len(mailbox.to("chloe@company.test")) == 3
    assert not mailbox.to("ana@company.test")


def test_a_second_round_on_the_same_day_is_announced_on_the_next_working_day_in_one_mail(company, mailbox, clock):
    clock.move(days=4)  # a Friday
    company.open()
    outbox.sweep()
    clock.move(hours=1)
    company.open(subject="ben", raters={"ana": "peer", "chloe": "peer", "sam": "peer", "marta": "manager"})
    assert outbox.sweep() == 0
    clock.move(days=1)
    assert outbox.sweep() == 0, "a Saturday"
    clock.move(days=2, hours=-2)
    assert outbox.sweep() == 0, "Monday, 8 o'clock"
    clock.move(hours=1)
    assert outbox.sweep() == 4
    first, second = mailbox.to("ana@company.test")
    assert "Sam Rivera" in _text(first)
    assert {"Sam Rivera", "Ben"} <= set(re.findall(r"  - (.*?), as a peer", _text(second)))
    assert second["Subject"].startswith("Your view is asked for")


def test_a_second_round_joins_a_mail_that_has_not_gone_out(company, mailbox, clock):
    clock.move(hours=-3)  # before office hours
    company.open()
    assert outbox.sweep() == 0
    company.open(subject="ben", raters={"ana": "peer", "chloe": "peer", "sam": "peer", "marta": "manager"})
    clock.move(hours=3)
    assert outbox.sweep() == 10
    (mail,) = mailbox.to("ana@company.test")
    assert "Sam Rivera" in _text(mail)
    assert "Ben" in _text(mail)


def test_two_reminders_of_one_day_are_one_mail(company, mailbox, clock):
    company.open()
    outbox.sweep()
    clock.move(days=1)
    company.open(subject="ben", raters={"ana": "peer", "chloe": "peer", "sam": "peer", "marta": "manager"}, days=12)
    outbox.sweep()
    mailbox.messages.clear()
    clock.move(days=6)  # half time of both
    assert outbox.sweep() == 10
    clock.move(hours=3)
    assert outbox.sweep() == 0
    (mail,) = mailbox.to("ana@company.test")
    assert mail["Subject"] == "Still open: Spring round and Spring round"


def test_a_mail_that_went_out_and_one_that_was_not_wanted_leave_the_same_row_and_soon_none(company, mailbox, clock):
    company.open(days=14)
    outbox.sweep()
    company.answer(_link(mailbox.to("ana@company.test")[0]).removeprefix("/r/"))
    clock.move(days=7)
    mailbox.messages.clear()
    outbox.sweep()
    assert mailbox.to("ben@company.test")
    assert not mailbox.to("ana@company.test")
    columns = select(Mail.kind, Mail.slot, Mail.due_at, Mail.attempts, Mail.lease_until, Mail.state)
    plan = select(Mailing.slot, Mailing.due_at, Mailing.mail_id).order_by(Mailing.due_at)
    with context.reading() as session:
        of_ana, of_ben = (
            (
                session.execute(columns.where(Mail.person_id == company.ids[name])).all(),
                session.execute(plan.where(Mailing.person_id == company.ids[name])).all(),
            )
            for name in ("ana", "ben")
        )
    assert of_ana == of_ben
    clock.move(days=2, hours=1)
    outbox.sweep()
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(Mail)) == 0


def test_a_reminder_that_a_worker_died_over_is_not_sent_again_but_an_invitation_is(company, mailbox, clock):
    company.open()
    assert len(_leased_and_composed(company)) == 10
    clock.move(minutes=3)
    assert outbox.sweep() == 10
    clock.move(days=7)
    assert len(_leased_and_composed(company)) == 10
    clock.move(minutes=3)
    assert outbox.sweep() == 0


def test_what_ends_every_worker_is_given_up_after_six_attempts(company, mailbox, clock):
    company.open()
    for _ in range(service.ATTEMPTS):
        assert len(_leased_and_composed(company)) == 10
        clock.move(minutes=3)
    assert outbox.sweep() == 0
    assert set(_states().values()) == {"failed"}


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
    clock.move(days=7)
    outbox.sweep()
    assert not mailbox.to("ben@company.test"), "no reminder to an address that refuses our mail"


def test_an_address_that_was_corrected_is_mailed_again_when_the_launcher_says_so(company, mailbox, clock):
    cycle_id, _ = company.open()
    mailbox.answers["ben@company.test"] = "550 nobody here"
    outbox.sweep()
    with context.transaction() as session:
        session.execute(update(Person).where(Person.id == company.ids["ben"]).values(address="benjamin@company.test"))
    client = company.sign_in("marta")
    page = client.get(f"/rounds/{cycle_id}")
    assert "there is another address by now" in page.text
    assert client.post(f"/rounds/{cycle_id}/mail", data={"csrf_token": csrf(page.text)}).status_code == 303
    assert "Not delivered" not in client.get(f"/rounds/{cycle_id}").text
    clock.move(days=1)
    outbox.sweep()
    (mail,) = mailbox.to("benjamin@company.test")
    assert mail["Subject"].startswith("Your view is asked for")


def test_a_mail_that_arrives_clears_what_was_known_of_the_address(company, mailbox):
    with context.transaction() as session:
        session.add(RefusedAddress(person_id=company.ids["sam"], address="sam@company.test"))
    company.run()
    outbox.sweep()
    assert mailbox.to("sam@company.test")
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(RefusedAddress)) == 0


def test_a_retry_waits_for_office_hours(company, mailbox, clock):
    clock.move(hours=7, minutes=59)  # 16:59
    company.open()
    mailbox.answers["ana@company.test"] = "451 later"
    outbox.sweep()
    mailbox.answers.clear()
    clock.move(minutes=5)
    assert outbox.sweep() == 0
    clock.move(hours=16)
    assert outbox.sweep() == 1
    assert len(mailbox.to("ana@company.test")) == 1


def test_somebody_who_waits_to_sign_in_comes_before_all_invitations(company, mailbox):
    company.open()
    page = company.app.test_client().get("/sign-in")
    client = company.app.test_client()
    page = client.get("/sign-in")
    client.post("/sign-in", data={"csrf_token": csrf(page.text), "address": "noor@company.test"})
    outbox.sweep()
    assert mailbox.messages[0]["To"].addresses[0].addr_spec == "noor@company.test"


def test_a_server_that_is_away_costs_no_mail(company, mailbox, clock, monkeypatch):
    company.open()
    working = outbox.Server
    monkeypatch.setattr(outbox, "Server", lambda host, port, *rest: working(host, 1, *rest))
    assert outbox.sweep() == 0
    monkeypatch.undo()
    clock.move(minutes=10)
    assert outbox.sweep() == 10
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(RefusedAddress)) == 0


def test_a_mail_that_cannot_be_written_keeps_no_other_back_and_is_given_up_in_the_end(
    company, mailbox, clock, monkeypatch
):
    cycle_id, _ = company.open()
    written = letters.write

    def write(session, mail, to, pace, now):
        if to.address == "ana@company.test":
            raise ValueError("Ana")
        return written(session, mail, to, pace, now)

    monkeypatch.setattr(letters, "write", write)
    assert outbox.sweep() == 9
    for _ in range(service.ATTEMPTS):
        clock.move(days=2)
        outbox.sweep()
    assert not mailbox.to("ana@company.test")
    assert "ana@company.test" in company.sign_in("marta").get(f"/rounds/{cycle_id}").text, "not delivered"


def test_a_mail_keeps_its_message_id_over_all_attempts(company, mailbox, clock):
    company.open()
    mailbox.answers["ana@company.test"] = "451 later"
    outbox.sweep()
    with context.reading() as session:
        mail = session.scalar(select(Mail).where(Mail.person_id == company.ids["ana"], Mail.kind == "digest"))
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


def test_what_a_killed_worker_had_leased_is_taken_by_the_next_after_seconds(company, mailbox, clock):
    company.open()
    assert len(_leased()) == 10
    assert outbox.sweep() == 0
    clock.move(seconds=13)
    assert outbox.sweep() == 10


def test_a_mail_is_held_while_it_is_sent_and_whoever_lost_its_lease_leaves_it(company, clock):
    company.open()
    began = clock()
    first, second, *_ = _leased()
    clock.move(seconds=10)
    with context.transaction() as session:
        assert service.compose(session, first, leased_at=began, now=clock())
    clock.move(seconds=10)
    with context.transaction() as session:
        service.keep(session, first, now=clock())
        service.keep(session, second, now=clock())
    clock.move(seconds=10)
    with context.transaction() as session:
        taken = service.lease(session, now=clock())
        assert first not in taken
        assert second in taken
        assert service.compose(session, second, leased_at=began, now=clock()) is None


def test_whoever_lost_its_lease_does_not_put_back_what_another_has_sent(company, mailbox, clock):
    company.open()
    first, *_ = _leased()
    with context.transaction() as session:
        service.compose(session, first, leased_at=clock(), now=clock())
    clock.move(seconds=13)
    outbox.sweep()
    with context.transaction() as session:
        service.delayed(session, first, now=clock())
    clock.move(minutes=5)
    assert outbox.sweep() == 0


def test_a_reminder_that_a_worker_died_over_leaves_the_row_of_any_other(company, mailbox, clock):
    company.open(days=14)
    outbox.sweep()
    company.answer(_link(mailbox.to("ana@company.test")[0]).removeprefix("/r/"))
    clock.move(days=7)
    letters = _leased_and_composed(company)
    assert "ana@company.test" not in [letter.address for letter in letters]
    clock.move(seconds=13)
    outbox.sweep()
    columns = select(Mail.attempts, Mail.lease_until, Mail.state, Mail.due_at).distinct()
    with context.reading() as session:
        assert len(session.execute(columns.where(Mail.slot == clock().date().isoformat())).all()) == 1
        assert session.scalar(select(func.count()).where(Mailing.mail_id.is_not(None))) == 0


def test_a_slow_mail_server_does_not_cost_the_lease(company, monkeypatch):
    company.open()
    renewed = threading.Event()
    monkeypatch.setattr(outbox, "RENEWAL", 0.01)
    monkeypatch.setattr(service, "keep", lambda session, mail_id, *, now: renewed.set())
    monkeypatch.setattr(Connection, "send", lambda connection, message: renewed.wait(10))
    assert outbox.sweep() == 10
    assert renewed.is_set()


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


def _text(mail):
    return mail.get_body(("plain",)).get_content()


def _leased():
    pace, now = context.installation().pace, context.now()
    with context.transaction() as session:
        mailings.gather(session, pace=pace, now=now)
        return service.lease(session, now=now)


def _leased_and_composed(company):
    """What a worker does up to the moment at which it hands a mail to the server."""
    pace, now = context.installation().pace, context.now()
    letters = []
    for mail_id in _leased():
        with context.transaction() as session:
            letters.append(service.compose(session, mail_id, leased_at=now, pace=pace, now=now))
    return [letter for letter in letters if letter is not None]


def _states():
    with context.reading() as session:
        return dict(session.execute(select(Person.address, Mail.state).join(Mail).where(Mail.kind == "digest")).all())


@pytest.fixture
def environ(environ):
    return environ | {"SURVEY_MAIL_PACE": "office_hours"}
