"""Leaving and coming back while a round is open: nothing is lost, and nothing tells who had answered."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from survey import context
from survey.core.errors import BadInput, LinkClosed, NotFound
from survey.services import imports, nominations, participation, people
from survey.store.imports import ImportUndo
from survey.store.invitations import Invitation
from survey.store.people import Person
from tests.company import csrf
from tests.web import doors


def act(verb, company, name):
    with context.transaction() as session:
        verb(session, company.ids[name], actor_id=company.ids["noor"], now=context.now())


def file_of(company, *, but=()):
    """A file that names everybody but these."""
    with context.reading() as session:
        rows = session.scalars(select(Person).order_by(Person.address)).all()
        managers = {row.id: row.address for row in rows}
    lines = [f"{row.name},{row.address},{managers.get(row.manager_id, '')}" for row in rows if row.id not in but]
    return "\n".join(["Name,Address,Manager's address", *lines, ""]).encode()


def take(source, *, departing=None):
    with context.transaction() as session:
        plan = imports.look(session, source, is_everybody=True, zones={})
        imports.take(
            session,
            source,
            is_everybody=True,
            departing=departing,
            fingerprint=plan.fingerprint,
            zones={},
            now=context.now(),
        )
    return plan


@pytest.mark.parametrize("way", ["the page", "a file"])
def test_who_comes_back_is_asked_again_with_a_new_link(company, way):
    cycle_id, review_id = company.open()
    old = company.tokens()
    with context.reading() as session:
        before = participation.totals(session, [cycle_id])
        rows = set(session.execute(select(Invitation.id, Invitation.rater_id)).all())
    whole = file_of(company)
    if way == "the page":
        act(people.deactivate, company, "ben")
        act(people.reactivate, company, "ben")
    else:
        take(file_of(company, but={company.ids["ben"]}))
        take(whole)
    with pytest.raises(LinkClosed):
        company.answer(old["ben"])
    new = company.tokens()
    assert set(new) == {"ben"}
    company.answer(new["ben"])
    with context.reading() as session:
        assert participation.totals(session, [cycle_id]) == {cycle_id: (before[cycle_id][0], 1)}
        assert set(session.execute(select(Invitation.id, Invitation.rater_id)).all()) == rows
    with context.reading() as session:
        assert company.ids["ben"] in nominations.of(session, review_id)


def test_who_is_away_gets_no_mail_and_answers_nothing(company):
    company.open()
    old = company.tokens()["ben"]
    act(people.deactivate, company, "ben")
    with pytest.raises(LinkClosed):
        company.answer(old)
    assert "ben" not in company.tokens()


def test_the_page_names_the_rounds_alike_whoever_has_answered(company):
    company.open()
    company.draft()
    tokens = company.tokens()
    before = page_of(company, but={company.ids["ben"], company.ids["ana"], company.ids["sam"]})
    assert "“Spring round”: 3 of them are asked about 1 person, and 1 is under review." in before
    assert "“Spring round”, not open yet: 3 of them are asked" in before
    company.answer(tokens["ben"])
    company.answer(tokens["sam"])
    assert page_of(company, but={company.ids["ben"], company.ids["ana"], company.ids["sam"]}) == before
    page = company.sign_in("noor").get(f"/people/{company.ids['ben']}/deactivate").text
    assert "In “Spring round”, Ben is asked about one person." in page


def page_of(company, *, but):
    """What the preview of a file says of rounds."""
    with context.reading() as session:
        plan = imports.look(session, file_of(company, but=but), is_everybody=True, zones={})
    source = file_of(company, but=but)
    with context.transaction() as session:
        import_id = imports.keep(session, source, owner_id=company.ids["noor"], is_everybody=True, now=context.now())
    assert len(plan.departures) == len(but)
    page = company.sign_in("noor").get(f"/people/import/{import_id}").text
    return page.partition("Rounds in which")[2].partition("</section>")[0]


def undo(company, actor="noor"):
    with context.transaction() as session:
        found = imports.undoable(session, now=context.now())
        imports.undo(session, found.import_id, actor_id=company.ids[actor], now=context.now())


def test_an_import_that_is_undone_leaves_everything_as_it_was(company):
    company.open()
    _, draft = company.draft()
    company.tokens()
    lines = file_of(company, but={company.ids["ben"]}).decode().replace("Jonas,", "Jonas Berg,")
    lines = lines.replace("ana@company.test,marta@company.test", "ana@company.test,nora@company.test")
    tables = ("person", "nomination", "invitation", "review")
    before = {name: rows for name, rows in doors.rows_of_all_tables().items() if name in tables}
    take(f"{lines}Nora,nora@company.test,\n".encode())
    assert {name: doors.rows_of_all_tables()[name] for name in tables} != before
    undo(company)
    assert {name: doors.rows_of_all_tables()[name] for name in tables} == before
    assert "ben" in company.tokens()
    with context.reading() as session:
        assert company.ids["ben"] in nominations.of(session, draft)
        assert imports.undoable(session, now=context.now()) is None


def test_what_was_changed_after_the_import_keeps_it_from_being_undone(company):
    _, review_id = company.draft()
    take(file_of(company, but={company.ids["ben"]}) + b"Nora,nora@company.test,\n")
    with context.transaction() as session:
        nora = people.at(session, "nora@company.test").id
        chosen = nominations.of(session, review_id)
        nominations.choose(session, review_id, chosen | {nora: chosen[company.ids["ana"]]})
    everything = doors.rows_of_all_tables()
    with pytest.raises(BadInput, match="Nora is used by now"):
        undo(company)
    assert doors.rows_of_all_tables() == everything
    with context.transaction() as session:
        nominations.choose(session, review_id, chosen)
    act(people.reactivate, company, "ben")
    with pytest.raises(BadInput, match="Ben was changed after the import"):
        undo(company)


def test_an_import_is_undone_within_the_hour_and_by_people_operations_alone(company, clock):
    take(file_of(company, but={company.ids["ben"]}))
    with context.reading() as session:
        import_id = imports.undoable(session, now=context.now()).import_id
    path = f"/people/import/{import_id}/undo"
    client = company.sign_in("noor")
    assert path in client.get("/people").text
    assert company.sign_in("marta").get(path).status_code == 403
    page = client.get(path)
    clock.move(minutes=59)
    assert client.post(path, data={"csrf_token": csrf(page.text)}).status_code == 303
    assert client.get(path).status_code == 404
    take(file_of(company, but={company.ids["ben"]}))
    clock.move(minutes=61)
    with context.reading() as session:
        newest = session.scalars(select(ImportUndo.id)).one()
    with pytest.raises(NotFound), context.transaction() as session:
        imports.undo(session, newest, actor_id=None, now=context.now())
    assert "/undo" not in company.sign_in("noor").get("/people").text
