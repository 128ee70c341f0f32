"""The audit log as people operations see it, and as `survey audit verify` sees it."""

from __future__ import annotations

import re
import uuid

import pytest
from click.testing import CliRunner
from sqlalchemy import delete

from survey import context
from survey.cli import audits
from survey.core.audit import Event
from survey.core.errors import BadInput
from survey.services import audit
from survey.store.audit import record
from survey.store.people import Person
from tests.company import csrf
from tests.services.test_audit import past_the_program, recorded


@pytest.fixture
def company(company, clock):
    return recorded(company, clock)


def test_the_log_says_who_did_what_when_and_to_what_with_the_newest_first(company):
    _, review_id = company.run()
    company.sign_in("marta").get(f"/reports/{review_id}")
    page = company.sign_in("noor").get("/log")
    assert page.status_code == 200
    found = rows(page.text)
    assert [(row[1], row[2].split(" ", 2)[:2], row[3]) for row in found[:4]] == [
        ("Marta Lindqvist", ["Report", "read"], "Sam Rivera, in Spring round"),
        ("Marta Lindqvist", ["Round", "released"], "Spring round"),
        ("Marta Lindqvist", ["Round", "closed"], "Spring round"),
        ("Marta Lindqvist", ["Round", "opened"], "Spring round"),
    ]
    assert found[0][0].startswith("2026-03-02 09:00")
    assert found[4][1:] == ("The program", "People changed Added: 1", "Jonas")
    assert "The log is whole: 17 entries" in page.text
    assert head(page.text) == newest_head()


@pytest.mark.parametrize("name", ["marta", "sam", "ana"])
def test_the_log_is_for_people_operations_alone(company, name):
    client = company.sign_in(name)
    assert client.get("/log").status_code == 403
    assert 'href="/log"' not in client.get("/reports").text
    assert 'href="/log"' in company.sign_in("noor").get("/reports").text


def test_a_manager_who_reads_a_report_is_recorded_once_a_day_and_its_subject_never(company, clock):
    _, review_id = company.run()
    sam, marta = company.sign_in("sam"), company.sign_in("marta")
    for client in (sam, sam, marta, marta):
        assert client.get(f"/reports/{review_id}").status_code == 200
    assert readings() == [(company.ids["marta"], review_id)]
    clock.move(days=1)
    for client in (sam, marta):
        client.get(f"/reports/{review_id}")
    assert readings() == [(company.ids["marta"], review_id)] * 2


def test_a_report_that_is_refused_was_not_read(company):
    _, review_id = company.run()
    for name in ("ana", "noor"):
        assert company.sign_in(name).get(f"/reports/{review_id}").status_code == 404
    assert readings() == []


def test_a_person_who_was_added_is_in_the_log_with_who_did_it(company):
    client = company.sign_in("noor")
    form = {"name": "New <b>", "address": "new@company.test", "role": "engineer", "manager": ""}
    client.post("/people/new", data={"csrf_token": csrf(client.get("/people/new").text), **form})
    first = rows(client.get("/log").text)[0]
    assert first[1:] == ("Noor Haddad", "People changed Added: 1", "New &lt;b&gt;")


def test_whoever_and_whatever_is_not_here_any_more_is_called_so(company, clock):
    with context.transaction() as session:
        record(session, Event.CYCLE_OPENED, actor_id=uuid.uuid4(), about=uuid.uuid4(), now=clock())
        session.execute(delete(Person).where(Person.id == company.ids["hugo"]))
    found = rows(company.sign_in("noor").get("/log").text)
    assert found[0][1:] == ("Somebody who is not here any more", "Round opened", "Not here any more")
    assert "Not here any more" in {row[3] for row in found}
    assert "Hugo" not in str(found)


def test_the_log_is_turned_page_by_page_and_shown_by_event(company, clock):
    with context.transaction() as session:
        for _ in range(120):
            record(session, Event.REPORT_READ, actor_id=None, about=uuid.uuid4(), now=clock())
    client = company.sign_in("noor")
    seen, path = [], "/log"
    while path:
        page = client.get(path).text
        seen += [int(number) for number in re.findall(r"no\. (\d+)", page)]
        older = re.search(r'href="(/log\?before=\d+)"', page)
        path = older.group(1) if older else None
    assert seen == list(range(133, 0, -1))
    assert "The log is whole" not in page  # said on the first page, where everything is read
    people = client.get("/log?event=people+changed").text
    assert len(rows(people)) == 13
    assert '<option value="people changed" selected>' in people
    assert "before=84&amp;event=report+read" in client.get("/log?event=report+read").text


@pytest.mark.parametrize("query", ["before=x", "before=-1", "before=99999999999999999999", "event=nothing", "event="])
def test_an_odd_address_shows_a_page(company, query):
    assert company.sign_in("noor").get(f"/log?{query}").status_code == 200


@pytest.mark.parametrize("number", [1, 5])
def test_the_page_names_the_first_entry_that_is_broken(company, number):
    past_the_program(f"DELETE FROM audit_entry WHERE number = {number}")
    page = company.sign_in("noor").get("/log").text
    assert "The log is not whole" in page
    assert "its first entry" in page if number == 1 else f"entry {number} is missing" in page
    assert "The log is whole" not in page


def test_the_command_says_that_the_log_is_whole_and_gives_its_head(company):
    code, said = verify(company.app)
    assert code == 0
    assert "The audit log is whole: 13 entries" in said
    assert said.splitlines()[-1] == newest_head()
    assert verify(company.app, "--head", newest_head())[0] == 0


def test_the_command_names_the_first_broken_entry(company):
    past_the_program("UPDATE audit_entry SET event = 'report read' WHERE number = 7")
    code, said = verify(company.app)
    assert code == 1
    assert "entry 7 is missing, was changed" in said


def test_the_command_sees_beside_a_kept_head_that_the_end_was_cut_off(company):
    kept = newest_head()
    past_the_program("DELETE FROM audit_entry WHERE number > 10")
    assert verify(company.app)[0] == 0
    code, said = verify(company.app, "--head", kept)
    assert code == 1
    assert "entry 13 is not the one that was kept" in said
    assert verify(company.app, "--head", newest_head())[0] == 0


def test_the_command_refuses_a_head_that_is_none(company):
    with pytest.raises(BadInput, match="looks like"):
        verify(company.app, "--head", "13")


def test_an_empty_log_is_called_empty(app):
    assert verify(app) == (0, "The audit log is empty.\n")
    assert verify(app, "--head", "1:" + "0" * 64)[0] == 1


def rows(page):
    """When, who, what and about of every line of the table."""
    body = page.split("<tbody>", 1)[1].split("</tbody>")[0]
    return [
        tuple(
            " ".join(re.sub(r"<[^>]+>", " ", cell).split())
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        )
        for row in body.split("<tr>")[1:]
    ]


def readings():
    with context.reading() as session:
        return [(entry.actor_id, entry.about) for entry in audit.newest(session, event=Event.REPORT_READ)]


def newest_head():
    with context.reading() as session:
        return str(audit.verify(session).head)


def head(page):
    return re.search(r"\d+:[0-9a-f]{64}", page).group()


def verify(app, *arguments):
    """The exit code and the output of `survey audit verify`."""
    result = CliRunner().invoke(audits.audit, ["verify", *arguments], obj=lambda _: app, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.return_value, result.output
