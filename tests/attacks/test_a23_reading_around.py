"""A23: people operations or a manager, who change a person's manager or address, read, and change back."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from survey import context
from survey.core.access import Role
from survey.core.errors import SurveyError
from survey.core.people import Profile
from survey.core.plans import Step
from survey.services import imports, people, plans, reports, sign_ins
from survey.store import reports as kept
from survey.store.people import Person
from tests.company import csrf

DOORS = ("", ".pdf", ".csv", ".xlsx", "/conversation")
MISSING = 404


@pytest.fixture
def two(company):
    """The attacker is Noor of people operations, who is under review herself; Olga is a manager of nobody here."""
    with context.transaction() as session:
        olga = people.add(session, "Olga", "olga@company.test", role=Role.MANAGER)
        noah = people.add(session, "Noah", "noah@company.test", role=Role.PEOPLE_OPERATIONS)
        company.ids |= {"olga": olga.id, "noah": noah.id}
    return company


def edit(company, name, actor="noor", **fields):
    """What the form does: the person with another profile."""
    with context.transaction() as session:
        person_id = company.ids[name]
        before = people.profile(session, session.get(Person, person_id))
        people.change(session, person_id, replace(before, **fields), actor_id=company.ids[actor], now=context.now())


def through_the_form(company, name, **typed):
    """The edit as people operations do it in a browser."""
    client = company.sign_in("noor")
    path = f"/people/{company.ids[name]}/edit"
    with context.reading() as session:
        known = people.profile(session, session.get(Person, company.ids[name]))
    fields = {
        "name": known.name, "address": known.address, "role": known.role.value, "manager": known.manager or "",
        "team": known.team, "level": "", "time_zone": "", "language": known.language,
    }  # fmt: skip
    page = client.get(path)
    assert client.post(path, data=fields | typed | {"csrf_token": csrf(page.text)}).status_code == 303
    return client


def as_(company, address):
    """A browser in which whoever gets the mail of this address is signed in."""
    with context.transaction() as session:
        token = sign_ins.link(session, address, now=context.now(), life=timedelta(minutes=10))
    client = company.app.test_client()
    page = client.get(f"/sign-in/{token}")
    assert client.post(f"/sign-in/{token}", data={"csrf_token": csrf(page.text)}).status_code == 303
    return client


def opened(client, review_id):
    """The doors to this report that are open in this browser."""
    found = [ending for ending in DOORS if client.get(f"/reports/{review_id}{ending}").status_code == 200]
    if b".json" in client.get("/reports/export").data:
        found.append("export")
    if str(review_id) in client.get("/reports").text.replace(f"/reports/{review_id}/ask", ""):
        found.append("list")
    return found


def test_who_makes_themselves_the_manager_reads_nothing_by_any_door(two):
    _, review_id = two.run()
    client = through_the_form(two, "sam", manager="noor@company.test")
    assert opened(client, review_id) == []
    through_the_form(two, "sam", manager="marta@company.test")
    assert opened(client, review_id) == []
    assert opened(two.sign_in("marta"), review_id) == [*DOORS, "list"]


def test_who_makes_themselves_a_manager_higher_up_reads_nothing(two):
    _, review_id = two.run()
    client = through_the_form(two, "marta", manager="noor@company.test")
    assert opened(client, review_id) == []


@pytest.mark.parametrize("when", ["open", "counted"])
def test_who_becomes_the_manager_before_the_release_reads_nothing(two, when):
    cycle_id, review_id = two.open()
    if when == "open":
        through_the_form(two, "sam", manager="noor@company.test")
    for token in two.tokens().values():
        two.answer(token)
    two.close(cycle_id)
    two.count()
    if when == "counted":
        through_the_form(two, "sam", manager="noor@company.test")
    two.release(cycle_id)
    assert opened(two.sign_in("noor"), review_id) == []


@pytest.mark.parametrize("name", ["sam", "marta"])
@pytest.mark.parametrize("when", ["before the release", "after it"])
def test_with_another_address_nobody_signs_in_to_an_earlier_report(two, name, when):
    cycle_id, review_id = two.open()
    for token in two.tokens().values():
        two.answer(token)
    two.close(cycle_id)
    two.count()
    if when == "after it":
        two.release(cycle_id)
    through_the_form(two, name, address="mine@evil.test")
    if when != "after it":
        two.release(cycle_id)
    assert opened(as_(two, "mine@evil.test"), review_id) == []
    through_the_form(two, name, address=f"{name}@company.test")
    assert opened(two.sign_in(name), review_id) != []


def test_a_file_of_people_makes_nobody_a_reader(two):
    _, review_id = two.run()
    take(b"Name,Address,Manager's address\nSam Rivera,sam@company.test,noor@company.test\n")
    assert opened(two.sign_in("noor"), review_id) == []


def test_who_is_deactivated_and_brought_back_under_another_address_reads_nothing(two):
    _, review_id = two.run()
    for verb in (people.deactivate, people.reactivate):
        with context.transaction() as session:
            verb(session, two.ids["sam"], actor_id=two.ids["noor"], now=context.now())
    edit(two, "sam", address="mine@evil.test")
    assert opened(as_(two, "mine@evil.test"), review_id) == []


def test_a_second_person_at_the_old_address_reads_nothing(two):
    _, review_id = two.run()
    edit(two, "sam", address="parked@evil.test")
    with context.transaction() as session:
        known = Profile("Sam Rivera", "sam@company.test", "marta@company.test")
        people.enter(session, known, actor_id=two.ids["noor"], now=context.now())
    assert opened(two.sign_in("sam"), review_id) == []
    assert opened(as_(two, "parked@evil.test"), review_id) == []


def test_a_shared_plan_and_team_figures_do_not_open_to_another_address(two):
    cycle_id, review_id = two.run()
    with context.transaction() as session:
        plans.save(session, review_id, [Step("Ask twice.", "", "", is_own=True)], None, now=context.now())
        plans.share(session, review_id)
    assert two.sign_in("marta").get(f"/plans/{review_id}").status_code == 200
    edit(two, "marta", address="mine@evil.test")
    client = as_(two, "mine@evil.test")
    assert client.get(f"/plans/{review_id}").status_code == MISSING
    assert "Next steps of" not in client.get("/reports").text
    edit(two, "sam", address="other@evil.test")
    assert as_(two, "other@evil.test").get(f"/plans/{review_id}").status_code == MISSING
    assert client.get(f"/teams/{cycle_id}").status_code == MISSING


def take(source, *, everybody=False, departing=None):
    """A file of people, written at the command line."""
    with context.transaction() as session:
        plan = imports.look(session, source, is_everybody=everybody, zones={})
        imports.take(
            session, source, is_everybody=everybody, departing=departing, fingerprint=plan.fingerprint, zones={},
            now=context.now(),
        )  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_whatever_one_person_edits_they_can_open_what_they_could_open_before(two, seed):
    """The actor has every account whose mail goes to them: their own, those they add, and those they point there."""
    two.run()
    two.run(subject="noor", raters=raters_of("noor", two))
    before = reach(two)
    assert len(before) == 1
    choice = random.Random(seed)
    for _ in range(12):
        try:
            step(two, choice)
        except SurveyError:
            continue
        assert reach(two) == before


def raters_of(name, company):
    raters = company.usual_raters()
    raters[name] = raters.pop("sam")
    return raters


def step(company, choice):
    """One edit of Noor's, of any kind that the pages have."""
    name = choice.choice(["sam", "marta", "olga", "ana", "noah"])
    managers = [None, "noor@company.test", "olga@company.test", "marta@company.test", "mine1@evil.test"]
    kind = choice.choice(["manager", "address", "back", "role", "leave", "return", "add", "file"])
    if kind == "manager":
        edit(company, name, manager=choice.choice(managers))
    elif kind == "address":
        edit(company, name, address=f"mine{choice.randrange(3)}@evil.test")
    elif kind == "back":
        edit(company, name, address=f"{name}@company.test")
    elif kind == "role":
        edit(company, name, role=choice.choice(list(Role)))
    elif kind in {"leave", "return"}:
        verb = people.deactivate if kind == "leave" else people.reactivate
        with context.transaction() as session:
            verb(session, company.ids[name], actor_id=company.ids["noor"], now=context.now())
    elif kind == "add":
        with context.transaction() as session:
            known = Profile("New", f"mine{choice.randrange(3)}@evil.test", choice.choice(managers), role=Role.MANAGER)
            people.enter(session, known, actor_id=company.ids["noor"], now=context.now())
    else:
        manager = choice.choice(managers) or ""
        take(f"Name,Address,Manager's address\nSam,sam@company.test,{manager}\n".encode())


def reach(company):
    """The reports that Noor can open: through her account, and every one whose mail comes to her."""
    found = set()
    with context.reading() as session:
        own = Person.id == company.ids["noor"]
        accounts = session.scalars(select(Person).where(own | Person.address.endswith("@evil.test"))).all()
        for review_id in session.scalars(select(kept.Report.review_id)).all():
            edition = reports.read(session, review_id)
            for account in accounts:
                if account.is_active and reports.standing(session, edition, account.id):
                    found.add(review_id)
    return found
