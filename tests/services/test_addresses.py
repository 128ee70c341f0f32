"""A corrected address: nothing that went to the old mailbox opens anything; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from survey import context
from survey.core.errors import LinkClosed, NotFound
from survey.core.letters import Kind
from survey.services import addresses, mailings, outbox, people, sign_ins
from survey.store.mailings import RefusedAddress, Snooze
from survey.store.outbox import DIGEST, Mail, State
from survey.store.people import Person
from tests.company import csrf


def move(company, name, address):
    with context.transaction() as session:
        person_id = company.ids[name]
        known = people.profile(session, session.get(Person, person_id))
        people.change(
            session, person_id, replace(known, address=address), actor_id=company.ids["noor"], now=context.now()
        )


def test_links_to_colleagues_in_the_old_mailbox_open_nothing_and_new_ones_go_out(company):
    company.open()
    old = company.tokens()["ben"]
    move(company, "ben", "benjamin@company.test")
    with pytest.raises(LinkClosed):
        company.answer(old)
    letters = [letter for letter, person in company.letters() if person == company.ids["ben"] and letter.parts]
    assert [letter.address for letter in letters] == ["benjamin@company.test"]
    company.answer(letters[0].token)


def test_whoever_has_answered_is_mailed_nothing_and_leaves_the_same_rows(company):
    company.open()
    company.answer(company.tokens()["ben"])
    rows = {}
    for name in ("ben", "ana"):
        move(company, name, f"new-{name}@company.test")
        with context.transaction() as session:
            mailings.gather(session, pace=context.installation().pace, now=context.now())
            rows[name] = session.execute(
                select(Mail.kind, Mail.state).where(Mail.person_id == company.ids[name]).order_by(Mail.kind)
            ).all()
    assert rows["ben"] == rows["ana"]
    letters = [person for letter, person in company.letters() if letter.parts]
    assert company.ids["ana"] in letters
    assert company.ids["ben"] not in letters


def test_sign_ins_and_links_to_sign_in_end_with_the_old_address(company):
    browser = company.sign_in("ben")
    with context.transaction() as session:
        token = sign_ins.link(session, "ben@company.test", now=context.now(), life=timedelta(minutes=10))
        sign_ins.ask(session, "ben@company.test", now=context.now())
    move(company, "ben", "benjamin@company.test")
    assert browser.get("/reports").status_code == 303
    with pytest.raises(LinkClosed), context.transaction() as session:
        sign_ins.enter(session, token, now=context.now())
    assert not [letter for letter, _ in company.letters() if letter.kind is Kind.SIGN_IN]


def test_what_the_old_mailbox_refused_or_put_off_does_not_hold_for_the_new_one(company):
    cycle_id, _ = company.open()
    company.tokens()
    with context.transaction() as session:
        ben = company.ids["ben"]
        session.add(RefusedAddress(person_id=ben, address="ben@company.test"))
        session.add(Snooze(person_id=ben, cycle_id=cycle_id, until=None))
        failed = outbox.Mail(kind="report", person_id=ben, reference=ben, due_at=context.now(), state=State.FAILED)
        session.add(failed)
    move(company, "ben", "benjamin@company.test")
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(RefusedAddress)) == 0
        assert session.scalar(select(func.count()).select_from(Snooze)) == 0
        assert session.get(Mail, failed.id).state == State.WAITING
        # The mail of the day went elsewhere, so that it does not keep today's from going out.
        settled = select(func.count()).select_from(Mail).where(Mail.person_id == ben, Mail.kind == DIGEST)
        assert session.scalar(settled) == 0


def test_another_name_ends_nothing(company):
    company.open()
    token = company.tokens()["ben"]
    browser = company.sign_in("ben")
    with context.transaction() as session:
        known = people.profile(session, session.get(Person, company.ids["ben"]))
        people.change(
            session,
            company.ids["ben"],
            replace(known, name="Benjamin"),
            actor_id=company.ids["noor"],
            now=context.now(),
        )
    assert browser.get("/reports").status_code == 200
    company.answer(token)


def test_the_old_address_confirms_the_new_one_and_earlier_reports_open_again(company):
    _, review_id = company.run()
    list(company.letters())
    move(company, "sam", "samira@company.test")
    letters = {letter.kind: letter for letter, person in company.letters() if person == company.ids["sam"]}
    left, told = letters[Kind.ADDRESS_LEFT], letters[Kind.CHANGED]
    assert (left.address, told.address, told.token) == ("sam@company.test", "samira@company.test", "")
    assert (told.before, told.after, told.actor) == ("sam@company.test", "samira@company.test", "Noor Haddad")
    client = signed_in(company, "samira@company.test")
    assert client.get(f"/reports/{review_id}").status_code == 404
    assert "waits to be confirmed" in client.get("/reports").text
    assert "samira@company.test" in client.get("/account").text
    stranger = company.app.test_client()
    page = stranger.get(left.path)
    assert "samira@company.test" in page.text
    # A scanner that presses every button ticks nothing.
    assert stranger.post(left.path, data={"csrf_token": csrf(page.text)}).status_code == 400
    assert client.get(f"/reports/{review_id}").status_code == 404
    yes = {"csrf_token": csrf(page.text), "is_mine": "y"}
    assert stranger.post(left.path, data=yes).status_code == 200
    assert client.get(f"/reports/{review_id}").status_code == 200
    assert stranger.get(left.path).status_code == 410


def test_an_address_that_was_never_confirmed_confirms_no_third_one(company):
    _, review_id = company.run()
    list(company.letters())
    move(company, "sam", "one@evil.test")
    move(company, "sam", "two@evil.test")
    left = [letter for letter, _ in company.letters() if letter.kind is Kind.ADDRESS_LEFT]
    assert {letter.address for letter in left} == {"sam@company.test"}
    assert signed_in(company, "two@evil.test").get(f"/reports/{review_id}").status_code == 404


def test_ones_own_change_is_ones_word_but_not_from_an_unconfirmed_address(company):
    with context.transaction() as session:
        noor = session.get(Person, company.ids["noor"])
        known = people.profile(session, noor)
        people.change(session, noor.id, replace(known, address="n@company.test"), actor_id=noor.id, now=context.now())
        assert addresses.waiting(session, noor.id) is None
        known = replace(known, address="m@company.test")
        people.change(session, noor.id, known, actor_id=company.ids["marta"], now=context.now())
        people.change(session, noor.id, replace(known, address="o@x.test"), actor_id=noor.id, now=context.now())
        assert addresses.waiting(session, noor.id).before == "n@company.test"


def test_an_operator_confirms_for_somebody_who_lost_the_old_mailbox_and_both_are_told(company):
    _, review_id = company.run()
    move(company, "sam", "samira@company.test")
    list(company.letters())
    with context.transaction() as session:
        addresses.vouch(session, "samira@company.test", now=context.now())
    told = {letter.address for letter, _ in company.letters() if letter.changed == "confirmed"}
    assert told == {"sam@company.test", "samira@company.test"}
    assert signed_in(company, "samira@company.test").get(f"/reports/{review_id}").status_code == 200
    with pytest.raises(NotFound), context.transaction() as session:
        addresses.vouch(session, "ana@company.test", now=context.now())


def test_who_is_told_is_told_even_if_the_account_is_deactivated_at_once(company):
    move(company, "sam", "samira@company.test")
    with context.transaction() as session:
        people.deactivate(session, company.ids["sam"], actor_id=company.ids["noor"], now=context.now())
    kinds = {letter.kind for letter, person in company.letters() if person == company.ids["sam"]}
    assert kinds == {Kind.CHANGED, Kind.ADDRESS_LEFT}


def test_a_round_that_opened_after_the_change_is_read_at_the_new_address(company, clock):
    move(company, "sam", "samira@company.test")
    clock.move(minutes=1)
    _, review_id = company.run()
    assert signed_in(company, "samira@company.test").get(f"/reports/{review_id}").status_code == 200


def signed_in(company, address):
    with context.transaction() as session:
        token = sign_ins.link(session, address, now=context.now(), life=timedelta(minutes=10))
    client = company.app.test_client()
    page = client.get(f"/sign-in/{token}")
    assert client.post(f"/sign-in/{token}", data={"csrf_token": csrf(page.text)}).status_code == 303
    return client


def test_a_mail_that_the_old_mailbox_refuses_late_does_not_mark_the_new_one(company):
    company.open()
    pace, now = context.installation().pace, context.now()
    with context.transaction() as session:
        mailings.gather(session, pace=pace, now=now, limit=100)
        leased = outbox.lease(session, now=now, limit=100)
    for mail_id in leased:
        with context.transaction() as session:
            outbox.compose(session, mail_id, leased_at=now, pace=pace, now=now)
    move(company, "ben", "benjamin@company.test")
    for mail_id in leased:
        with context.transaction() as session:
            outbox.refused(session, mail_id)
    with context.reading() as session:
        assert session.get(RefusedAddress, company.ids["ben"]) is None
        assert session.get(RefusedAddress, company.ids["ana"]) is not None
