"""People: changed, gone, back, forgotten; on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from survey import context
from survey.core.access import Role
from survey.core.errors import BadInput, IllegalStep, LinkClosed, NotFound
from survey.core.people import Profile
from survey.services import cycles, erasures, imports, nominations, participation, people
from survey.services.people import Search
from survey.store import base, received, schema
from survey.store.audit import AuditEntry
from survey.store.cycles import Review
from survey.store.invitations import Invitation
from survey.store.outbox import Mail
from survey.store.people import Person
from tests.attacks import attackers


def act(verb, company, name, *args, actor="noor"):
    with context.transaction() as session:
        return verb(session, company.ids[name], *args, actor_id=company.ids[actor], now=context.now())


def known(company, name):
    with context.reading() as session:
        return people.profile(session, session.get(Person, company.ids[name]))


def test_everything_known_of_a_person_can_be_changed(company):
    wanted = Profile(
        "Samira", "samira@company.test", "ana@company.test", "Search", 4, "Europe/Vienna", "de", Role.MANAGER
    )
    act(people.change, company, "sam", wanted)
    assert known(company, "sam") == wanted


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("address", "ana@company.test", "is here already"),
        ("manager", "sam@company.test", "cannot report to themselves"),
        ("manager", "ines@company.test", "directly or over others"),
        ("manager", "who@company.test", "Nobody here has"),
    ],
)
def test_a_change_that_cannot_be_is_refused_whole(company, field, value, reason):
    before = known(company, "sam")
    with pytest.raises(BadInput, match=reason):
        act(people.change, company, "sam", replace(before, name="Other", **{field: value}))
    assert known(company, "sam") == before


def test_somebody_stays_in_people_operations(company):
    noor = known(company, "noor")
    with pytest.raises(BadInput, match="last of people operations"):
        act(people.change, company, "noor", replace(noor, role=Role.ENGINEER))
    with pytest.raises(BadInput, match="last of people operations"):
        act(people.deactivate, company, "noor", actor="marta")
    with pytest.raises(BadInput, match="your own account"):
        act(people.deactivate, company, "noor")


def test_who_leaves_is_signed_out_and_asked_nothing_more_and_no_count_changes(company):
    cycle_id, review_id = company.open()
    tokens = company.tokens()
    company.answer(tokens["ana"])
    with context.reading() as session:
        before = participation.totals(session, [cycle_id])
    browser = company.sign_in("ben")
    act(people.deactivate, company, "ben")
    act(people.deactivate, company, "ana")
    assert browser.get("/reports").status_code == 303
    with pytest.raises(LinkClosed):
        company.answer(tokens["ben"])
    with context.reading() as session:
        assert participation.totals(session, [cycle_id]) == before
        states = dict(
            session.execute(
                select(Invitation.rater_id, Invitation.state).where(Invitation.review_id == review_id)
            ).all()
        )
        waiting = session.scalar(
            select(func.count()).select_from(Mail).where(Mail.person_id == company.ids["ben"], Mail.state == "waiting")
        )
    # Open, so that who comes back is asked again: it was so before, and tells nothing new.
    assert (states[company.ids["ben"]], states[company.ids["ana"]], waiting) == ("open", "done", 0)


def test_who_leaves_is_no_rater_of_a_round_that_opens_later(company):
    _, review_id = company.draft()
    act(people.deactivate, company, "ben")
    with context.reading() as session:
        assert company.ids["ben"] not in nominations.of(session, review_id)


def test_a_review_about_somebody_who_left_goes_on(company):
    cycle_id, review_id = company.open()
    tokens = company.tokens()
    act(people.deactivate, company, "sam")
    for name, token in tokens.items():
        if name != "sam":
            company.answer(token)
    company.close(cycle_id)
    company.count()
    with context.reading() as session:
        assert session.get(Review, review_id).is_tallied


def test_who_comes_back_can_sign_in_and_old_links_stay_closed(company):
    company.open()
    token = company.tokens()["ben"]
    act(people.deactivate, company, "ben")
    act(people.reactivate, company, "ben")
    assert company.sign_in("ben").get("/reports").status_code == 200
    with pytest.raises(LinkClosed):
        company.answer(token)


def test_a_list_is_narrowed_by_words_team_and_manager(company):
    act(people.change, company, "ana", replace(known(company, "ana"), team="100% Search"))
    for wanted, names in (
        (Search("am RIV"), ["Sam Rivera"]),
        (Search("%"), []),
        (Search("_"), []),
        (Search(team="100% Search"), ["Ana"]),
        (Search(below=company.ids["sam"]), ["Ines", "Jonas"]),
        (Search(is_active=False), []),
    ):
        with context.reading() as session:
            rows, total = people.search(session, wanted, offset=0, limit=50)
        assert ([row.name for row in rows], total) == (names, len(names)), wanted


def test_an_erased_person_leaves_no_name_no_address_and_no_word_about_them_behind(company):
    cycle_id, review_id = company.run()
    engine = context.installation().engine
    with context.transaction() as session:
        imports.keep(
            session, b"Name,Address\nSam Rivera,sam@company.test\n",
            owner_id=company.ids["noor"], is_everybody=False, now=context.now(),
        )  # fmt: skip
    company.sign_in("sam")
    words = ["Sam Rivera", "sam@company.test", *(f"What {name} wrote." for name in company.ids)]
    found = attackers.read(attackers.dump(engine), words)
    assert found["person"] == 2
    assert found["comment"] >= 6
    assert found["people_import"] == 2
    with context.reading() as session:
        before = participation.totals(session, [cycle_id])

    act(erasures.erase, company, "sam")
    base.vacuum(engine, erasures.touched())

    assert +attackers.read(attackers.dump(engine), words) == {}
    with context.reading() as session:
        assert participation.totals(session, [cycle_id]) == before
        for table in received.TABLES:
            assert session.scalar(select(func.count()).select_from(schema.metadata.tables[table])) == 0
        assert session.get(Review, review_id).subject.name == erasures.NAMELESS
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.number.desc())).first()
        assert (entry.event, entry.about, entry.detail) == ("person erased", company.ids["sam"], {})
        with pytest.raises(NotFound):
            people.get(session, company.ids["sam"])
        assert session.get(Person, company.ids["ines"]).manager_id is None
    client = company.sign_in("marta")
    assert erasures.NAMELESS in client.get(f"/rounds/{cycle_id}").text
    assert client.get(f"/reports/{review_id}").status_code == 404


def test_a_rater_who_is_erased_stays_a_count_in_the_reports_of_others(company):
    _, review_id = company.run()
    with context.reading() as session:
        before = session.get(schema.TABLES["report"], review_id).body
    act(erasures.erase, company, "ana")
    with context.reading() as session:
        assert session.get(schema.TABLES["report"], review_id).body == before


def test_nobody_is_erased_who_is_under_review_in_a_running_round(company):
    cycle_id, _ = company.open()
    for step in (lambda: None, lambda: company.close(cycle_id), company.count):
        step()
        with pytest.raises(IllegalStep, match="release its reports first"):
            act(erasures.erase, company, "sam")
    company.release(cycle_id)
    act(erasures.erase, company, "sam")


def test_erasing_takes_a_person_out_of_drafts(company):
    cycle_id, review_id = company.draft()
    act(erasures.erase, company, "sam")
    with context.reading() as session:
        assert session.get(Review, review_id) is None
        assert cycles.get(session, cycle_id).reviews == []


def test_nobody_erases_themselves_or_the_last_of_people_operations(company):
    for actor in ("noor", "marta"):
        with pytest.raises(IllegalStep):
            act(erasures.erase, company, "noor", actor=actor)


def test_every_table_that_hangs_on_a_review_or_a_person_was_thought_of():
    """A new table has to be named in services/erasures.py: does it go with the person, or does it stay?"""
    hanging = {"review": set(), "person": set()}
    for table in schema.metadata.tables.values():
        for key in table.foreign_keys:
            if key.column.table.name in hanging:
                hanging[key.column.table.name].add(f"{table.name}.{key.parent.name}")
    assert {each.split(".")[0] for each in hanging["review"]} == {*received.TABLES, *erasures.KEPT}
    assert hanging["person"] == {
        "person.manager_id",  # emptied
        "sign_in.person_id",  # deleted
        "sign_in_link.person_id",  # deleted
        "outbox.person_id",  # deleted
        "mailing.person_id",  # deleted
        "snooze.person_id",  # deleted
        "refused_address.person_id",  # deleted
        "plan.shared_with_id",  # emptied
        "people_import.owner_id",  # deleted, of everybody
        "person_change.person_id",  # deleted
        "unconfirmed_address.person_id",  # deleted
        "address_link.person_id",  # deleted
        "report_reader.person_id",  # deleted
        "cycle.launcher_id",  # names nobody any more
        "review.subject_id",  # names nobody any more
        "hand.person_id",  # deleted
        "nomination.rater_id",  # deleted in drafts, else it names nobody any more
        "invitation.rater_id",  # names nobody any more
    }
