"""The pages about people: lists, forms, files, and what each role sees of them."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select

from survey import context
from survey.store.imports import PeopleImport
from survey.store.people import Person
from tests.company import csrf, hidden

FORM = {
    "name": "Sam Rivera",
    "address": "sam@company.test",
    "role": "engineer",
    "manager": "marta@company.test",
    "team": "",
    "level": "",
    "time_zone": "",
    "language": "",
}


def post(client, path, **data):
    page = client.get(path)
    assert page.status_code == 200, path
    return client.post(path, data={"csrf_token": csrf(page.text.split("<main")[1]), **data})


def upload(client, content, **fields):
    """Sends a file as a browser does. The client's own way to do so leaves a large one open."""
    token = csrf(client.get("/people/import").text.split("<main")[1])
    parts = [(f'name="{name}"', value.encode()) for name, value in {"csrf_token": token, **fields}.items()]
    parts.append(('name="file"; filename="people.csv"', content))
    form = b"--limit\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n"
    body = b"".join(form % (head.encode(), value) for head, value in parts)
    return client.post(
        "/people/import", data=body + b"--limit--\r\n", content_type="multipart/form-data; boundary=limit"
    )


def person(company, name):
    with context.reading() as session:
        return session.get(Person, company.ids[name])


def test_people_operations_adds_and_changes_a_person(company):
    client = company.sign_in("noor")
    added = post(client, "/people/new", **FORM | {"name": "Zoë", "address": "Zoe@company.test", "level": "L2"})
    assert (added.status_code, added.location) == (303, "/people")
    assert "Zoë is here now." in client.get("/people?q=zo").text
    path = f"/people/{company.ids['sam']}/edit"
    saved = post(client, path, **FORM | {"team": "Search", "time_zone": "europe/vienna", "language": "de"})
    assert saved.status_code == 303
    sam = person(company, "sam")
    assert (sam.team, sam.time_zone, sam.language) == ("Search", "Europe/Vienna", "de")
    assert "Europe/Vienna" in client.get(saved.location).text


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("name", "", "Please enter a name."),
        ("name", "=cmd", "as a formula"),
        ("address", "nonsense", "not an e-mail address"),
        ("address", "ana@company.test", "is here already"),
        ("manager", "sam@company.test", "cannot report to themselves"),
        ("level", "high", "not a level"),
        ("time_zone", "Vienna", "not the name of a time zone"),
        ("language", "German", "not the code of a language"),
    ],
)
def test_a_form_with_a_mistake_comes_back_with_its_reason_and_what_was_typed(company, field, value, reason):
    client = company.sign_in("noor")
    answer = post(client, f"/people/{company.ids['sam']}/edit", **FORM | {"team": "Typed", field: value})
    assert answer.status_code == 400
    assert reason in answer.text
    assert 'value="Typed"' in answer.text
    assert person(company, "sam").team == ""


def test_a_manager_sees_those_below_read_only_and_nobody_else(company):
    noor = company.sign_in("noor")
    post(noor, f"/people/{company.ids['ana']}/edit", **FORM | {"name": "Ana", "address": "ana@company.test",
         "role": "manager", "manager": "", "team": "Elsewhere"})  # fmt: skip
    marta = company.sign_in("marta")
    page = marta.get("/people").text
    assert "Sam Rivera" in page
    assert "Ines" in page  # below Sam, who is below Marta
    assert "Noor" not in page.split("<main")[1]
    assert "Elsewhere" not in page
    for words in ("/people/new", "/people/import", "Deactivated people"):
        assert words not in page
    one = marta.get(f"/people/{company.ids['ines']}")
    assert one.status_code == 200
    assert "Erase" not in one.text
    assert "/edit" not in one.text
    for name in ("noor", "ana", "marta"):
        assert marta.get(f"/people/{company.ids[name]}").status_code == 403
    for step in ("edit", "deactivate", "reactivate", "erase"):
        assert marta.get(f"/people/{company.ids['ines']}/{step}").status_code == 403
    assert company.sign_in("ben").get(f"/people/{company.ids['sam']}").status_code == 403


def test_a_long_list_comes_in_pages_that_keep_the_search(company):
    with context.transaction() as session:
        session.add_all(
            Person(name=f"Crowd {i:03}", address=f"crowd{i}@company.test", team="Crowd") for i in range(120)
        )
    client = company.sign_in("noor")
    first = client.get("/people?q=crowd&team=Crowd").text
    assert "1–50 of 120" in first
    later = re.search(r'href="(/people\?page=2[^"]*)"', first).group(1).replace("&amp;", "&")
    assert "q=crowd" in later
    assert "51–100 of 120" in client.get(later).text
    for odd in ("page=0", "page=-7", "page=x", "page=99999999999999999999", "q=%00", "team=%00x"):
        assert client.get(f"/people?{odd}").status_code == 200, odd


def test_a_file_is_looked_at_field_by_field_and_then_written(company):
    client = company.sign_in("noor")
    looked = upload(client, b"Name;E-Mail;Team\nNew <b>;new@company.test;Search\nSam Rivera;sam@company.test;Search\n")
    assert looked.status_code == 303
    page = client.get(looked.location)
    assert "New &lt;b&gt;" in page.text
    assert re.search(r"Team</td>\s*<td[^>]*>–</td>\s*<td[^>]*>Search</td>", page.text)
    assert person(company, "sam").team == ""
    done = client.post(
        looked.location, data={"csrf_token": csrf(page.text.split("<main")[1]), "plan": hidden(page.text, "plan")}
    )
    assert (done.status_code, done.location) == (303, "/people")
    assert "Done: 1 added, 1 changed, 0 deactivated, 0 as before." in client.get("/people").text
    assert person(company, "sam").team == "Search"
    assert client.get(looked.location).status_code == 404


def test_bad_lines_are_named_and_nothing_is_kept(company):
    client = company.sign_in("noor")
    answer = upload(client, b"Name,Address\nGood,good@company.test\n=bad,bad@company.test\nNo,nonsense\n")
    assert answer.status_code == 400
    assert "Line 3: The name begins with" in answer.text
    assert "Line 4: “nonsense” is not an e-mail address" in answer.text
    for content, reason in ((b"", "empty"), (b"PK\x03\x04", "Excel workbook"), (b"\xff\xfeN", "cut off")):
        assert reason in upload(client, content).text
    assert "Please choose a file." in post(client, "/people/import").text
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(PeopleImport)) == 0


def test_a_plan_that_was_not_shown_is_not_carried_out(company):
    client = company.sign_in("noor")
    looked = upload(client, b"Address,Team\nsam@company.test,Search\n")
    for plan in ("", "zz", "00" * 32):
        page = client.get(looked.location)
        answer = client.post(looked.location, data={"csrf_token": csrf(page.text.split("<main")[1]), "plan": plan})
        assert answer.status_code == 400
        assert "People have changed since you looked" in answer.text
    assert person(company, "sam").team == ""
    assert client.post(f"{looked.location}/discard", data={"csrf_token": csrf(page.text)}).status_code == 303
    assert client.get(looked.location).status_code == 404


def test_deactivating_many_asks_for_one_more_tick_with_the_number(company):
    client = company.sign_in("noor")
    looked = upload(client, b"Address\nmarta@company.test\n", is_everybody="y")
    page = client.get(looked.location)
    assert "Yes, deactivate 11 of 13 people" in page.text
    data = {"csrf_token": csrf(page.text.split("<main")[1]), "plan": hidden(page.text, "plan")}
    refused = client.post(looked.location, data=data)
    assert refused.status_code == 400
    assert "deactivates 11 of 13 people" in refused.text
    assert client.post(looked.location, data=data | {"departing": "11"}).status_code == 303
    assert not person(company, "sam").is_active
    assert "Sam Rivera" in client.get("/people?show=left").text


def test_only_this_page_takes_files_of_several_megabytes(company):
    client = company.sign_in("noor")
    rows = b"".join(b"Person %d,person%d@company.test,%s\n" % (i, i, b"x" * 150) for i in range(10_000))
    assert upload(client, b"Name,Address,Team\n" + rows).status_code == 303
    assert upload(client, b"x" * 11 * 1024 * 1024).status_code == 413
    big = client.post("/people/new", data={"name": "x" * 2_000_000})
    assert big.status_code == 413
    assert "up to 1 MB" in big.text


def test_everybody_and_a_sample_are_files_that_can_be_imported(company):
    client = company.sign_in("noor")
    for path in ("/people/import/everybody.csv", "/people/import/sample.csv"):
        answer = client.get(path)
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert upload(client, answer.data).status_code == 303


def test_leaving_coming_back_and_being_forgotten(company):
    client = company.sign_in("noor")
    sam = f"/people/{company.ids['sam']}"
    page = client.get(f"{sam}/deactivate").text
    assert "has answered in open rounds counts." in page
    assert post(client, f"{sam}/deactivate").location == sam
    assert "This account is deactivated" in client.get(sam).text
    assert post(client, f"{sam}/reactivate").location == sam
    assert person(company, "sam").is_active
    page = client.get(f"{sam}/erase").text
    assert "What goes" in page
    assert "What stays" in page
    assert post(client, f"{sam}/erase").location == "/people"
    assert client.get(sam).status_code == 404
    assert "sam@company.test" not in client.get("/people?show=left").text


def test_the_pages_of_leaving_do_not_depend_on_what_was_answered(company):
    company.open()
    client = company.sign_in("noor")
    paths = [f"/people/{company.ids['ana']}/{step}" for step in ("deactivate", "erase")]
    seen = [re.sub(r'value="[^"]*"', "", client.get(path).text) for path in paths]
    company.answer(company.tokens()["ana"])
    assert [re.sub(r'value="[^"]*"', "", client.get(path).text) for path in paths] == seen


def test_who_is_under_review_is_not_erased_and_the_page_says_what_to_do(company):
    company.open()
    client = company.sign_in("noor")
    path = f"/people/{company.ids['sam']}/erase"
    page = client.get(path).text
    assert "Close it and release its reports first" in page
    assert "Erase for good" not in page
    token = csrf(page)
    assert client.post(path, data={"csrf_token": token}).status_code == 409
    assert person(company, "sam").name == "Sam Rivera"
