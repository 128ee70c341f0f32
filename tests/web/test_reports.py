"""The report as people get it: the page, its files, who may have them, and what is written down about that."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader
from sqlalchemy import event

from survey import context
from survey.core.audit import Event
from survey.core.competencies import Section
from survey.core.questionnaires import BLOCKS
from survey.services import audit, reports
from survey.web.reports import shown
from tests import portraits
from tests.company import PEERS

ENDINGS = ("pdf", "csv", "xlsx")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(("name", "status"), [("sam", 200), ("marta", 200), ("ana", 404), ("noor", 404)])
def test_a_file_is_there_for_whom_the_page_is_there(company, ending, name, status):
    _, review_id = company.run()
    client = company.sign_in(name)
    assert client.get(f"/reports/{review_id}").status_code == status
    assert client.get(f"/reports/{review_id}.{ending}").status_code == status


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_is_there_for_nobody_before_its_release(company, ending):
    cycle_id, review_id = company.open()
    company.close(cycle_id)
    company.count()
    for name in ("sam", "marta", "noor"):
        assert company.sign_in(name).get(f"/reports/{review_id}.{ending}").status_code == 404


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_has_a_name_that_tells_nothing_and_is_not_kept(company, ending):
    _, review_id = company.run()
    answer = company.sign_in("sam").get(f"/reports/{review_id}.{ending}")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="report.{ending}"'
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_three_files_can_be_read_and_hold_the_report(company):
    _, review_id = company.run()
    client = company.sign_in("sam")
    document = PdfReader(io.BytesIO(client.get(f"/reports/{review_id}.pdf").data))
    assert document.metadata.title == "Sam Rivera, Spring round"
    table = list(csv.reader(io.StringIO(client.get(f"/reports/{review_id}.csv").data.decode("utf-8-sig"))))
    assert ["Peers", "6", "4.0"] in [line[4:7] for line in table]
    book = load_workbook(io.BytesIO(client.get(f"/reports/{review_id}.xlsx").data))
    assert book.sheetnames == ["Ratings", "Comments", "About"]


def test_private_reflections_leave_with_the_subject_alone(company):
    _, review_id = company.run()
    for name, is_there in (("sam", True), ("marta", False)):
        client = company.sign_in(name)
        page = client.get(f"/reports/{review_id}").text
        assert ("What sam wrote." in page) is is_there
        assert ("Your own reflections" in page) is is_there
        assert ("What sam wrote." in client.get(f"/reports/{review_id}.csv").text) is is_there
        document = PdfReader(io.BytesIO(client.get(f"/reports/{review_id}.pdf").data))
        assert any("What sam wrote." in one.extract_text() for one in document.pages) is is_there


@pytest.mark.parametrize("ending", ENDINGS)
def test_saving_the_report_of_somebody_else_is_written_down(company, ending):
    _, review_id = company.run()
    company.sign_in("sam").get(f"/reports/{review_id}.{ending}")
    assert exports() == []
    company.sign_in("marta").get(f"/reports/{review_id}.{ending}")
    (entry,) = exports()
    assert (entry.actor_id, entry.about, entry.detail) == (company.ids["marta"], review_id, {"form": ending})
    company.sign_in("ana").get(f"/reports/{review_id}.{ending}")
    assert len(exports()) == 1


def test_a_report_is_one_query_beside_the_sign_in_the_plans_and_who_reads(company):
    _, review_id = company.run(blocks=BLOCKS)
    client = company.sign_in("sam")
    with noted() as statements:
        assert client.get(f"/reports/{review_id}").status_code == 200
    selects = [statement for statement, _ in statements if statement.startswith("SELECT")]
    assert "FROM person JOIN sign_in" in selects[0]
    assert "FROM report" in selects[1]
    assert "report_reader" in selects[2]
    assert "FROM plan" in selects[3].replace('"', "")  # a keyword in SQLite, and quoted there alone
    # Who else reads it, and whether Marta is a manager still.
    assert len(selects) == 6


def test_the_body_of_a_report_comes_once_however_many_comments_there_are(company):
    _, review_id = company.run()
    with noted() as statements, context.reading() as session:
        assert len(reports.read(session, review_id).comments) > 6
    (found,) = [each for each in statements if each[0].startswith("SELECT")]
    with context.installation().engine.connect() as connection:
        lines = connection.exec_driver_sql(*found).all()
    assert len(lines) > 6
    assert sum("talking_points" in str(tuple(line)) for line in lines) == 1


@pytest.mark.parametrize("case", portraits.GROUPS)
def test_every_row_of_the_page_says_what_it_rests_on(app, case):
    page = rendered(app, case)
    rows = portraits.edition(case).report.rows
    assert page.count('id="row-') == len(rows)
    for part in page.split('id="row-')[1:]:
        assert 'rests-on">' in part
        assert part.split('rests-on">')[1].split("<")[0].strip().endswith(".")


def test_a_page_names_the_subject_to_others_and_says_you_to_the_subject(app):
    assert "You see this higher than others do" in rendered(app, "rich")
    other = rendered(app, "rich", is_own=False)
    assert "Sam Rivera sees this higher than others do" in other
    assert "You say" not in other


def test_each_part_of_the_page_has_its_place_in_this_order(app):
    page = rendered(app, "rich")
    parts = (
        "How to read this",
        "Worth talking about",
        "Strengths",
        "Key Behaviors",
        "Success Indicators",
        "Mindset Shift",
        "Common Struggles",
        "Ready for the next level?",
        "In their words",
        "Your own reflections",
        "Next steps",
        "Make reliability routine",
        "What this report rests on",
        "No combination of the numbers",
    )
    places = [page.index(f"{part}") for part in parts]
    assert places == sorted(places)


def test_a_second_round_says_what_has_changed_since_the_first(company, clock):
    first, _ = company.open()
    for token in company.tokens().values():
        company.answer(token, rating=2)
    finish(company, first)
    clock.move(days=180)
    second, review_id = company.open()
    for name, token in company.tokens().items():
        company.answer(token, rating=4 if name in PEERS[::2] else 5)
    finish(company, second)
    with context.reading() as session:
        report = reports.read(session, review_id).report
    assert report.compared_with == "Spring round"
    page = company.sign_in("sam").get(f"/reports/{review_id}").text
    assert "Since Spring round: peers, up by 2.5, clearer than chance." in page


def test_a_round_that_was_not_released_is_not_compared_with(company, clock):
    first, _ = company.open()
    for token in company.tokens().values():
        company.answer(token, rating=2)
    company.close(first)
    company.count()
    clock.move(days=180)
    _, review_id = company.run()
    with context.reading() as session:
        assert reports.read(session, review_id).report.compared_with == ""


def test_a_later_round_does_not_change_the_report_of_an_earlier_one(company, clock):
    _, review_id = company.run()
    with context.reading() as session:
        before = reports.read(session, review_id)
    clock.move(days=180)
    company.run()
    with context.reading() as session:
        assert reports.read(session, review_id) == before


def test_before_a_document_that_cannot_show_all_of_it_a_page_says_what_it_cannot_show(company):
    cycle_id, review_id = company.open(blocks=[Section.SUCCESS_INDICATORS, Section.SEEK_FEEDBACK])
    for token in company.tokens().values():
        company.answer(token, words="Thanks ꦗꦮ, 谢谢")
    finish(company, cycle_id)
    client = company.sign_in("sam")
    page = client.get(f"/reports/{review_id}.pdf")
    assert page.mimetype == "text/html"
    assert "Javanese: <bdi>ꦗꦮ</bdi>" in page.text
    assert "谢" not in page.text
    saved = client.get(re.search(r'href="([^"]*anyway[^"]*)"', page.text).group(1))
    assert saved.mimetype == "application/pdf"
    text = " ".join(one.extract_text() for one in PdfReader(io.BytesIO(saved.data)).pages)
    assert "Thanks [Javanese script], 谢谢" in text
    assert "no font for Javanese script" in text


def test_hostile_words_are_shown_as_they_are(company):
    cycle_id, review_id = company.open(blocks=[Section.SUCCESS_INDICATORS, Section.SEEK_FEEDBACK])
    words = '<script>alert(1)</script> {{ 7 * 7 }} #eval("1") =1+1'
    for token in company.tokens().values():
        company.answer(token, words=words)
    finish(company, cycle_id)
    client = company.sign_in("sam")
    page = client.get(f"/reports/{review_id}").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }}" in page
    document = PdfReader(io.BytesIO(client.get(f"/reports/{review_id}.pdf").data))
    assert any('#eval("1") =1+1' in one.extract_text().replace("\n", " ") for one in document.pages)


def rendered(app, case: str, *, is_own: bool = True) -> str:
    """The page of a case, without a database."""
    with app.test_request_context():
        return shown(portraits.edition(case, is_own=is_own))


def finish(company, cycle_id) -> None:
    company.close(cycle_id)
    company.count()
    company.release(cycle_id)


@contextmanager
def noted() -> Iterator[list[tuple[str, Any]]]:
    """Every statement that goes to the database meanwhile, on one line, with its parameters."""
    statements: list[tuple[str, Any]] = []

    def note(connection, cursor, statement, parameters, *rest):
        statements.append((" ".join(statement.split()), parameters))

    engine = context.installation().engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def exports():
    with context.reading() as session:
        return [entry for entry in audit.newest(session) if entry.event == Event.REPORT_EXPORTED]


FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "  =cmd|' /C calc'!A0", "＝1+1")


def test_what_a_rater_writes_is_no_formula_in_a_file_that_is_saved(company):
    cycle_id, review_id = company.open()
    for number, token in enumerate(company.tokens().values()):
        company.answer(token, words=FORMULAS[number % len(FORMULAS)])
    company.close(cycle_id)
    company.count()
    company.release(cycle_id)
    client = company.sign_in("sam")
    table = csv.reader(io.StringIO(client.get(f"/reports/{review_id}.csv").data.decode("utf-8-sig")))
    texts = [cell for line in table for cell in line]
    assert any(cell.endswith("1+1") for cell in texts)
    assert not [cell for cell in texts if cell.strip()[:1] in set("=+-@＝")]
    book = load_workbook(io.BytesIO(client.get(f"/reports/{review_id}.xlsx").data))
    kinds = {cell.data_type for sheet in book for line in sheet.iter_rows() for cell in line}
    assert "f" not in kinds
