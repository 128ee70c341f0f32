"""Plans as people make them: from the report, without JavaScript; shared, reminded of, seen beside the next round."""

from __future__ import annotations

import io
import re
from zipfile import ZipFile

import pytest
from click.testing import CliRunner
from openpyxl import load_workbook
from pypdf import PdfReader
from sqlalchemy import func, select

from survey import context
from survey.cli.reports import people_export, report_show
from survey.core.letters import Kind
from survey.services import plans
from survey.store.outbox import Mail
from survey.store.people import Person
from survey.store.plans import Plan, PlannedStep
from tests.company import csrf

MISSING = 404
OWN = "Ask Ana to pair <b>weekly</b>"


def test_from_the_report_a_habit_and_a_step_of_ones_own_become_the_plan(company):
    review_id = reviewed(company)
    client = company.sign_in("sam")
    assert f'href="/plans/{review_id}">Choose your next steps' in client.get(f"/reports/{review_id}").text
    assert client.get(f"/plans/{review_id}").location == f"/plans/{review_id}/choose"
    page = choose(client, review_id, own=OWN, day="2026-04-01")
    assert habits(client, review_id)[0][1] in page
    assert "Ask Ana to pair &lt;b&gt;weekly&lt;/b&gt;" in page
    assert "Wednesday 1 April 2026" in page
    assert "Your plan" in client.get(f"/reports/{review_id}").text


def test_a_plan_is_changed_in_the_form_that_shows_what_stands_in_it(company):
    review_id = reviewed(company)
    client = company.sign_in("sam")
    choose(client, review_id, own=OWN, day="2026-04-01")
    form = client.get(f"/plans/{review_id}/choose").text
    assert len(re.findall(r'name="habit" value="[^"]*" checked', form)) == 1
    assert 'value="2026-04-01"' in form
    page = choose(client, review_id, own="Something else", day="")
    assert "Ask Ana" not in page
    assert "No day is set" in page
    assert reminders() == []
    assert count(Plan) == 1


@pytest.mark.parametrize(
    ("own", "day", "why"), [("x" * 301, "", "300 fit"), (OWN, "2026-03-01", "in the future"), (OWN, "soon", "valid")]
)
def test_what_cannot_be_kept_is_said_and_nothing_typed_is_lost(company, own, day, why):
    review_id = reviewed(company)
    client = company.sign_in("sam")
    page = choose(client, review_id, own=own, day=day, status=422)
    assert why in page
    assert own.replace("<", "&lt;").replace(">", "&gt;") in page
    assert re.search(r'name="habit" value="[^"]*" checked', page)
    assert count(Plan) == 0


def test_a_plan_can_be_undone_and_its_reminder_goes_with_it(company):
    review_id = reviewed(company)
    client = company.sign_in("sam")
    choose(client, review_id, own=OWN, day="2026-04-01")
    assert len(reminders()) == 1
    post(client, f"/plans/{review_id}/forget", seen=f"/plans/{review_id}/forget")
    assert count(Plan) == count(PlannedStep) == 0
    assert reminders() == []
    assert client.get(f"/plans/{review_id}").location == f"/plans/{review_id}/choose"


def test_the_plan_is_shared_and_taken_back_and_never_with_anybody_else(company):
    review_id = reviewed(company)
    sam, path = company.sign_in("sam"), f"/plans/{review_id}"
    choose(sam, review_id, own=OWN, day="2026-04-01")
    others = ("ana", "ines", "noor")
    assert statuses(company, path, "marta", *others) == {MISSING}
    post(sam, f"{path}/share", seen=path)
    page = company.sign_in("marta").get(path).text
    assert "Next steps of Sam Rivera" in page
    assert "Stop sharing" not in page
    assert "/choose" not in page
    assert path in company.sign_in("marta").get("/reports").text
    assert statuses(company, path, *others) == {MISSING}
    assert statuses(company, f"{path}/choose", "marta", *others) == {MISSING}
    assert statuses(company, f"{path}/forget", "marta", *others) == {MISSING}
    post(sam, f"{path}/withdraw", seen=path)
    assert statuses(company, path, "marta", *others) == {MISSING}


def test_nobody_but_the_subject_changes_a_plan_even_one_that_was_shared(company):
    review_id = reviewed(company)
    sam, path = company.sign_in("sam"), f"/plans/{review_id}"
    choose(sam, review_id, own=OWN, day="2026-04-01")
    post(sam, f"{path}/share", seen=path)
    for name in ("marta", "ana", "noor"):
        client = company.sign_in(name)
        for step in ("note", "share", "withdraw", "forget", "choose"):
            post(client, f"{path}/{step}", {"note": "Not mine"}, seen="/account", status=MISSING)
    assert "Next steps" in company.sign_in("marta").get(path).text
    with context.reading() as session:
        assert plans.of(session, review_id).note == ""


def test_a_new_manager_does_not_see_what_was_shared_with_the_old_one_nor_does_the_old_one(company):
    review_id = reviewed(company)
    sam, path = company.sign_in("sam"), f"/plans/{review_id}"
    choose(sam, review_id, own=OWN)
    post(sam, f"{path}/share", seen=path)
    with context.transaction() as session:
        session.get_one(Person, company.ids["sam"]).manager_id = company.ids["noor"]
        session.get_one(Person, company.ids["noor"]).manager_id = None
    assert statuses(company, path, "marta", "noor") == {MISSING}
    assert path not in company.sign_in("marta").get("/reports").text


def test_before_the_subjects_may_read_there_is_nothing_to_plan(company):
    cycle_id, review_id = company.open()
    company.close(cycle_id)
    company.count()
    assert statuses(company, f"/plans/{review_id}/choose", "sam") == {MISSING}


def test_the_reminder_moves_with_its_day_and_comes_once_that_morning(company, clock):
    review_id = reviewed(company)
    client = company.sign_in("sam")
    list(company.letters())
    choose(client, review_id, own=OWN, day="2026-04-01")
    choose(client, review_id, own=OWN, day="2026-04-08")
    assert [mail.slot for mail in reminders()] == ["2026-04-08"]
    clock.moment = clock.moment.replace(month=4, day=8, hour=7)
    assert list(company.letters()) == []
    clock.move(hours=1)
    ((letter, person_id),) = company.letters()
    assert (letter.kind, letter.path, person_id) == (Kind.CHECK_IN, f"/plans/{review_id}", company.ids["sam"])
    assert list(company.letters()) == []
    client = company.sign_in("sam")
    page = choose(client, review_id, own="Changed on the day", day="2026-04-08")
    assert "Changed on the day" in page
    assert list(company.letters()) == []


def test_at_the_check_in_the_subject_notes_how_it_went(company, clock):
    review_id = reviewed(company)
    client, path = company.sign_in("sam"), f"/plans/{review_id}"
    page = choose(client, review_id, own=OWN, day="2026-04-01")
    assert "How did it go?" not in page
    clock.moment = clock.moment.replace(month=4, day=1)
    client = company.sign_in("sam")
    assert "How did it go?" in client.get(path).text
    assert "2,000 fit" in post(client, f"{path}/note", {"note": "x" * 2001}, seen=path, status=422)
    post(client, f"{path}/note", {"note": "The pager is quiet."}, seen=path)
    post(client, f"{path}/share", seen=path)
    assert "The pager is quiet." in company.sign_in("marta").get(path).text


def test_the_files_of_a_report_have_the_plan_for_its_subject_and_for_others_once_it_is_shared(company):
    review_id = reviewed(company)
    sam, path = company.sign_in("sam"), f"/plans/{review_id}"
    choose(sam, review_id, own="Ask Ana to pair", day="2026-04-01")
    for words in saved(sam, review_id):
        assert "Ask Ana to pair" in words
        assert re.search("1 April 2026|2026-04-01", words)
    marta = company.sign_in("marta")
    for step, is_there in ((None, False), ("share", True), ("withdraw", False)):
        if step:
            post(sam, f"{path}/{step}", seen=path)
        for words in (*saved(marta, review_id), marta.get(f"/reports/{review_id}").text):
            assert ("Ask Ana to pair" in words) is is_there
    for name in ("noor", "ana"):
        assert statuses(company, f"/reports/{review_id}.csv", name) == {MISSING}


def test_what_an_operator_saves_has_no_plan_not_even_one_that_was_shared(company, tmp_path):
    review_id = reviewed(company)
    sam, path = company.sign_in("sam"), f"/plans/{review_id}"
    choose(sam, review_id, own="Ask Ana to pair", day="2026-04-01")
    post(sam, f"{path}/share", seen=path)
    file, document = tmp_path / "sam.zip", tmp_path / "sam.pdf"
    told = operator(company, people_export, "sam@company.test", "--output", str(file))
    told += operator(company, report_show, str(review_id), "--format", "json")
    told += operator(company, report_show, str(review_id), "--format", "pdf", "--output", str(document))
    told += "".join(unzipped(file.read_bytes())) + in_words(document.read_bytes())
    assert "What ana wrote." in told
    assert "Ask Ana to pair" not in told
    own = unzipped(sam.get("/reports/export").data)
    assert sum("Ask Ana to pair" in words for words in own) == 2
    assert any('"check_in_on": "2026-04-01"' in words for words in own)


def test_the_next_report_shows_what_was_planned_beside_what_changed(company, clock):
    first = reviewed(company, rating=2)
    client = company.sign_in("sam")
    choose(client, first, own=OWN)
    clock.move(days=180)
    second = reviewed(company, rating=4)
    page = company.sign_in("sam").get(f"/reports/{second}").text
    assert page.index("Since Spring round: peers, up by") < page.index("Planned in Spring round: Ask Ana to pair")
    assert "Planned in Spring round" not in company.sign_in("marta").get(f"/reports/{second}").text
    client = company.sign_in("sam")
    post(client, f"/plans/{first}/share", seen=f"/plans/{first}")
    assert "Planned in Spring round" in company.sign_in("marta").get(f"/reports/{second}").text
    assert "Planned in Spring round" not in company.sign_in("sam").get(f"/reports/{first}").text


@pytest.mark.parametrize(("name", "status"), [("marta", 200), ("sam", 404), ("ana", 404), ("noor", 404)])
def test_the_page_for_the_conversation_is_for_whoever_reads_as_a_manager(company, name, status):
    review_id = reviewed(company)
    client = company.sign_in(name)
    assert client.get(f"/reports/{review_id}/conversation").status_code == status
    assert ("Prepare the conversation" in client.get(f"/reports/{review_id}").text) is (status == 200)


def test_the_page_for_the_conversation_has_the_plan_once_it_is_shared(company):
    review_id = reviewed(company)
    sam = company.sign_in("sam")
    choose(sam, review_id, own=OWN)
    page = company.sign_in("marta").get(f"/reports/{review_id}/conversation").text
    for part in ("Worth talking about", "Strengths", "Questions to ask", "What not to conclude"):
        assert part in page
    assert "No plan has been shared with you" in page
    assert "Your own reflections" not in page
    assert "What sam wrote." not in page
    assert "Ask Ana" not in page
    post(sam, f"/plans/{review_id}/share", seen=f"/plans/{review_id}")
    assert "Ask Ana" in company.sign_in("marta").get(f"/reports/{review_id}/conversation").text


def reviewed(company, rating: int = 2):
    """A released review of Sam, whom peers rate so, and who thinks better of it."""
    cycle_id, review_id = company.open()
    for number, (name, token) in enumerate(company.tokens().items()):
        company.answer(token, rating=5 if name == "sam" else rating + number % 2, words=f"What {name} wrote.")
    company.close(cycle_id)
    company.count()
    company.release(cycle_id)
    return review_id


def habits(client, review_id):
    page = client.get(f"/plans/{review_id}/choose").text
    return re.findall(r'name="habit" value="([^"]*)"[^>]*><span>([^<]*)</span>', page)


def choose(client, review_id, *, own: str = "", day: str = "", status: int = 303) -> str:
    """Ticks the first habit, writes a step below the first gap, and sets a day: the page that came of it."""
    path = f"/plans/{review_id}/choose"
    first = habits(client, review_id)[0][0]
    sent = {"habit": first, f"own-{first.rpartition('.')[0]}": own, "check_in_on": day}
    page = post(client, path, sent, seen=path, status=status)
    return page if status != 303 else client.get(f"/plans/{review_id}").text


def post(client, path: str, sent: dict[str, str] | None = None, *, seen: str, status: int = 303) -> str:
    answer = client.post(path, data={"csrf_token": csrf(client.get(seen).text)} | (sent or {}))
    assert answer.status_code == status, answer.text
    return answer.text


def saved(client, review_id) -> list[str]:
    """The words of the three files of a report."""
    document, table, book = (client.get(f"/reports/{review_id}.{ending}").data for ending in ("pdf", "csv", "xlsx"))
    cells = (str(cell.value) for sheet in load_workbook(io.BytesIO(book)) for row in sheet.iter_rows() for cell in row)
    return [in_words(document), table.decode("utf-8-sig"), " ".join(cells)]


def in_words(document: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(document)).pages).split())


def unzipped(content: bytes) -> list[str]:
    """The words of every file in it."""
    with ZipFile(io.BytesIO(content)) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    return [in_words(body) if name.endswith("pdf") else body.decode() for name, body in files.items()]


def operator(company, command, *arguments: str) -> str:
    done = CliRunner().invoke(command, arguments, obj=lambda environ: company.app)
    assert done.exit_code == 0, done.output
    return done.output


def statuses(company, path: str, *names: str) -> set[int]:
    return {company.sign_in(name).get(path).status_code for name in names}


def reminders():
    with context.reading() as session:
        return session.scalars(select(Mail).where(Mail.kind == Kind.CHECK_IN)).all()


def count(table) -> int:
    with context.reading() as session:
        return session.scalar(select(func.count()).select_from(table))
