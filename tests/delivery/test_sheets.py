"""Tables that leave the program: numbers as numbers, texts as texts, and never a formula."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from survey.core.disclosure import Comment, Group
from survey.core.editions import Edition
from survey.core.plans import NOTHING, Planned, Step
from survey.delivery import sheets
from tests import portraits

FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "  =1",
    "\u00a0=HYPERLINK(1)",
    "\n=1",
    "＝1+1",
    "=cmd|' /C calc'!A0",
    "https://evil.test",
    "0123",
)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_the_csv_begins_like_a_formula(text):
    for line in lines(everywhere(text), planned(text)):
        for cell in line:
            if isinstance(cell, str) and cell:
                assert cell[0] not in "=+-@\t\r＝"
                assert cell.lstrip()[:1] not in set("=+-@＝")


@given(st.text(max_size=30))
def test_a_text_of_the_csv_is_what_was_written_or_that_after_an_apostrophe(text):
    edition = written(text)
    found = [line[3] for line in lines(edition) if len(line) == 4][1:]
    assert found in ([text], [f"'{text}"])


@pytest.mark.parametrize("text", FORMULAS)
def test_a_spreadsheet_has_neither_formula_nor_link(text):
    book = load_workbook(io.BytesIO(sheets.xlsx(everywhere(text), planned(text))))
    for sheet in book:
        assert not sheet._hyperlinks
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type in {"s", "n"}
    # A carriage return has a code of its own in a spreadsheet.
    for name in ("Comments", "Next steps"):
        assert text.strip() in {
            str(cell.value).replace("_x000D_", "").strip() for row in book[name].iter_rows() for cell in row
        }


@pytest.mark.parametrize("case", portraits.GROUPS)
def test_numbers_are_numbers_with_one_decimal(case):
    edition = portraits.edition(case)
    sheet = load_workbook(io.BytesIO(sheets.xlsx(edition)))["Ratings"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    for row in rows:
        for value in row[5:9]:
            assert value is None or isinstance(value, int | float)
            assert value is None or value == round(value, 1)
    for line in lines(edition):
        assert not any(isinstance(cell, float) for cell in line[:5])
    rated = [line for line in lines(edition) if len(line) == 12][1:]
    assert [tuple(None if cell == "" else cell for cell in line) for line in rated] == [
        tuple(None if cell == "" else cell for cell in row) for row in rows
    ]


def test_every_voice_has_a_line_and_who_is_not_shown_has_one_that_says_so():
    rated, *_ = sheets.sheets(portraits.edition("suppressed"))
    voices = {(line[3], line[4]): line for line in rated.lines}
    assert voices["Leads discussions about risk during planning or estimation", "Self"][6] == 4
    assert voices["Leads discussions about risk during planning or estimation", "Peers"][5:10] == (
        *(None,) * 4,
        "fewer than 4, not shown",
    )


def test_private_reflections_are_in_the_subjects_own_copy_alone():
    for form in (sheets.csv, lambda edition: str(sheets.sheets(edition)).encode()):
        assert portraits.REFLECTIONS[0].encode() in form(portraits.edition("rich"))
        assert portraits.REFLECTIONS[0].encode() not in form(portraits.edition("rich", is_own=False))


def test_a_change_since_the_last_round_stands_beside_its_group():
    rated, *_ = sheets.sheets(portraits.edition("rich", with_earlier=True))
    assert {"no clear change"} < {line[-1] for line in rated.lines} - {""}


def test_next_steps_have_a_table_of_their_own_with_the_day_of_the_check_in():
    _, _, steps, _ = sheets.sheets(portraits.edition("rich"), portraits.planned())
    row = "Leads discussions about risk during planning or estimation"
    page = "Product Stability, level 3"
    assert steps.name == "Next steps"
    assert steps.lines[1] == ("Spring round", page, "", "Own step", "Ask Ana to pair", "2026-04-15")
    assert steps.lines[0][2:4] == (row, "Habit of the page")
    assert steps.lines[-1] == ("Autumn round", "", "", "How it went", "The pager is quiet.", "")
    found = lines(portraits.edition("rich"), portraits.planned())
    assert [list(line) for line in steps.lines] == found[-len(steps.lines) :]
    assert [sheet.name for sheet in sheets.sheets(portraits.edition("rich"))] == ["Ratings", "Comments", "About"]


def planned(text: str) -> Planned:
    """Plans in which this text stands wherever somebody's words can."""
    return portraits.planned(steps=(Step(text, text, text, is_own=True),), cycle=text, note=text)


def everywhere(text: str) -> Edition:
    """A report in which this text stands wherever somebody's words can."""
    edition = written(text)
    (chapter,) = edition.report.chapters
    rows = tuple(replace(row, text=text, origin=text, scale=(text, *row.scale[1:])) for row in chapter.rows)
    questions = tuple(replace(question, text=text) for question in chapter.questions)
    chapter = replace(chapter, title=text, rows=rows, questions=questions)
    return replace(edition, subject=text, cycle=text, report=replace(edition.report, chapters=(chapter,)))


def written(text: str) -> Edition:
    edition = portraits.edition("thin")
    question = edition.report.chapters[0].questions[0]
    return replace(edition, comments=(Comment(question.item, Group.POOLED, text),))


def lines(edition: Edition, planned: Planned = NOTHING) -> list[list[str | float]]:
    """The lines of the CSV as a program reads them: what is not quoted is a number."""
    text = sheets.csv(edition, planned).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), quoting=csv.QUOTE_NONNUMERIC))
