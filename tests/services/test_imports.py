"""Files of people taken over, on both databases: whole, as they were looked at, or not at all."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from survey import context
from survey.core.access import Role
from survey.core.errors import BadInput, LinkClosed, NotFound
from survey.services import imports
from survey.store.audit import AuditEntry
from survey.store.imports import PeopleImport
from survey.store.people import Person

SOURCE = (
    b"Name,Address,Manager,Team\n"
    b"New,new@company.test,newer@company.test,Search\n"
    b"Newer,newer@company.test,sam@company.test,Search\n"
    b"Sam Rivera,sam@company.test,marta@company.test,Platform\n"
)


def keep(company, source=SOURCE, *, is_everybody=False, owner="noor"):
    with context.transaction() as session:
        return imports.keep(session, source, owner_id=company.ids[owner], is_everybody=is_everybody, now=context.now())


def shown(company, import_id, owner="noor"):
    with context.reading() as session:
        return imports.waiting(
            session, import_id, owner_id=company.ids[owner], zones=context.time_zones(), now=context.now()
        ).plan


def confirm(company, import_id, plan, *, departing=None):
    with context.transaction() as session:
        imports.confirm(
            session,
            import_id,
            owner_id=company.ids["noor"],
            fingerprint=plan.fingerprint,
            departing=departing,
            zones=context.time_zones(),
            now=context.now(),
        )


def everybody():
    with context.reading() as session:
        return {person.address: person for person in session.scalars(select(Person))}


def test_nothing_is_written_before_the_yes_and_everything_after_it(company):
    import_id = keep(company)
    plan = shown(company, import_id)
    assert "new@company.test" not in everybody()
    confirm(company, import_id, plan)
    found = everybody()
    assert found["new@company.test"].manager_id == found["newer@company.test"].id
    assert found["newer@company.test"].role == Role.MANAGER
    assert found["sam@company.test"].team == "Platform"
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(PeopleImport)) == 0
        entry = session.scalars(select(AuditEntry)).one()
    assert (entry.event, entry.detail) == ("people changed", {"added": "2", "changed": "1", "deactivated": "0"})


def test_a_change_that_matters_in_between_refuses_the_yes_and_another_one_does_not(company):
    import_id = keep(company)
    plan = shown(company, import_id)
    with context.transaction() as session:
        session.get(Person, company.ids["ana"]).team = "Unrelated"
    with context.transaction() as session:
        session.get(Person, company.ids["sam"]).team = "Somewhere"
    with pytest.raises(BadInput, match="People have changed since you looked"):
        confirm(company, import_id, plan)
    assert "new@company.test" not in everybody()
    confirm(company, import_id, shown(company, import_id))
    assert everybody()["ana@company.test"].team == "Unrelated"


def test_a_file_is_its_owners_alone_and_kept_for_an_hour(company, clock):
    import_id = keep(company)
    with pytest.raises(NotFound):
        shown(company, import_id, owner="marta")
    clock.move(minutes=61)
    with pytest.raises(NotFound, match="upload it again"):
        shown(company, import_id)
    with context.transaction() as session:
        imports.forget_old(session, now=clock())
        assert session.scalar(select(func.count()).select_from(PeopleImport)) == 0


def test_a_second_file_replaces_the_first(company):
    first = keep(company)
    keep(company)
    with pytest.raises(NotFound):
        shown(company, first)


def test_deactivating_many_needs_the_number(company):
    import_id = keep(company, b"Address\nmarta@company.test\n", is_everybody=True)
    plan = shown(company, import_id)
    assert len(plan.departures) == 11
    for wrong in (None, 10):
        with pytest.raises(BadInput, match="deactivates 11 of 13 people"):
            confirm(company, import_id, plan, departing=wrong)
    assert all(person.is_active for person in everybody().values())
    confirm(company, import_id, plan, departing=11)
    assert {address for address, person in everybody().items() if person.is_active} == {
        "marta@company.test",
        "noor@company.test",
    }


def test_a_file_with_a_bad_line_writes_nothing(company):
    import_id = keep(company, SOURCE + b"=x,bad@company.test,,\n")
    plan = shown(company, import_id)
    with pytest.raises(BadInput, match="cannot be used"):
        confirm(company, import_id, plan)
    assert "new@company.test" not in everybody()


def test_what_is_exported_changes_nothing_when_it_is_imported(company):
    with context.reading() as session:
        content = imports.export(session)
        plan = imports.look(session, content, is_everybody=True, zones=context.time_zones())
    assert plan.is_empty
    assert plan.unchanged == 13


def test_those_who_are_missing_leave_as_if_deactivated_by_hand(company):
    company.open()
    token = company.tokens()["ben"]
    rows = [f"{name}@company.test" for name in company.ids if name != "ben"]
    import_id = keep(company, "\n".join(["Address", *rows]).encode(), is_everybody=True)
    confirm(company, import_id, shown(company, import_id))
    with pytest.raises(LinkClosed):
        company.answer(token)


def test_a_file_that_names_everybody_leaves_people_of_other_companies_alone_and_takes_in_who_joins(company):
    with context.transaction() as session:
        session.add(Person(name="Kim", address="kim@partner.test", is_external=True))
        session.add(Person(name="Lou", address="lou@partner.test", is_external=True))
    source = b"Name,Address\nNoor Haddad,noor@company.test\nLou,lou@partner.test\n"
    import_id = keep(company, source, is_everybody=True)
    plan = shown(company, import_id)
    confirm(company, import_id, plan, departing=len(plan.departures))
    found = everybody()
    assert "kim@partner.test" not in {person.address for person in plan.departures}
    assert (found["kim@partner.test"].is_active, found["kim@partner.test"].is_external) == (True, True)
    assert not found["lou@partner.test"].is_external
