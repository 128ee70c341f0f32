"""The document: whole for a screen reader, with nothing in it that a text could command."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from pypdf import PdfReader

from survey.core.disclosure import Comment, Group
from survey.core.editions import Edition
from survey.core.plans import NOTHING, Planned, Step
from survey.delivery import pdf
from tests import portraits

HOSTILE = (
    '#eval("1+1") #panic("x") #read("/etc/hostname") #image("x.png")',
    "$ x^2 $ @reference <label> *bold* _it_ `raw` \\ \\u{41} // no comment /* nor here */",
    "= Heading\n- item\n+ item\n/ term: x",
    '"}]}, {"a": "#" \u2028 \u0000 \x07 \ufffe',
    "שלום עולם, \u202eabc\u202c",
    "مرحبا بالعالم",
    "👍🏽 ❤️ 👩‍💻 great",
    "漢字と仮名",
    "x" * 2000,
)


@pytest.mark.parametrize("case", portraits.GROUPS)
def test_a_document_is_tagged_titled_and_in_a_language(case):
    read = opened(portraits.edition(case))
    root = read.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"].value is True
    assert "/StructTreeRoot" in root
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"].value is True
    assert read.metadata.title == "Sam Rivera, Spring round"
    assert "pdfuaid:part>1<" in read.xmp_metadata.stream.get_data().decode().replace(" ", "")


@pytest.mark.parametrize("case", portraits.GROUPS)
def test_every_figure_has_its_values_as_a_text_alternative(case):
    edition = portraits.edition(case)
    figures = [element for element in elements(opened(edition)) if element.get("/S") == "/Figure"]
    (chapter,) = edition.report.chapters
    drawn = [row for row in chapter.rows if len(row.scale) > 2]
    assert len(figures) == len(drawn) + 1  # and the one of readiness
    alternatives = [str(figure["/Alt"]) for figure in figures]
    assert all(alternatives)
    assert sum("The scale runs from 1, Never, to 5, Always." in words for words in alternatives) == 9


def test_headings_lists_and_tables_are_tagged_as_such():
    kinds = {element.get("/S") for element in elements(opened(portraits.edition("rich")))}
    assert {"/H1", "/H2", "/H3", "/P", "/L", "/LI", "/Table", "/TH", "/TD", "/Figure"} <= kinds


def test_every_font_is_in_the_document():
    for page in opened(portraits.edition("rich")).pages:
        for font in page["/Resources"]["/Font"].values():
            (descendant,) = font.get_object()["/DescendantFonts"]
            descriptor = descendant.get_object()["/FontDescriptor"].get_object()
            assert {"/FontFile2", "/FontFile3"} & descriptor.keys()


def test_pages_are_numbered_and_name_the_round():
    read = opened(portraits.edition("rich"))
    count = len(read.pages)
    assert count <= 6
    for number, page in enumerate(read.pages, 1):
        text = page.extract_text()
        assert f"{number} of {count}" in text
        assert "Spring round" in text


def test_the_document_has_what_the_page_has():
    edition = portraits.edition("rich", with_earlier=True)
    text = text_of(edition)
    for row in edition.report.rows.values():
        assert row.text in text
    for comment in edition.comments:
        assert squeezed(comment.text) in text
    assert "clearer than chance" in text
    assert edition.report.certificate.sentence in text


def test_private_reflections_are_in_the_subjects_own_copy_alone():
    own, other = text_of(portraits.edition("rich")), text_of(portraits.edition("rich", is_own=False))
    assert portraits.REFLECTIONS[0] in own
    assert "Your own reflections" in own
    assert portraits.REFLECTIONS[0] not in other
    assert "reflections" not in other
    assert "Sam Rivera sees this higher than others do" in other


def test_what_is_planned_and_what_was_planned_before_are_in_the_document():
    text = text_of(portraits.edition("rich", with_earlier=True), portraits.planned())
    for part in ("What you plan", "Ask Ana to pair", "For “Leads discussions about risk", "Check-in on 15 April 2026."):
        assert part in text
    assert text.count("Planned in Autumn round") == 2
    assert "The pager is quiet." in text
    assert "What Sam Rivera plans" in text_of(portraits.edition("rich", is_own=False), portraits.planned())
    assert "What Sam Rivera plans" not in text_of(portraits.edition("rich", is_own=False))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_somebody_wrote_is_shown_and_never_run(text):
    read = opened(written(text))
    shown = "".join("".join(page.extract_text() for page in read.pages).split()).replace("\u200b", "")
    plain = "".join(char for char in text if char.isascii() and char.isprintable() and char != " ")
    assert plain in shown or not text.isascii()


def test_a_text_without_a_space_stays_within_the_page():
    read = opened(written("x" * 2000))
    lines = [line for page in read.pages for line in page.extract_text().splitlines() if set(line) == {"x"}]
    assert len(lines) > 10
    assert sum(map(len, lines)) >= 2000


def test_hostile_words_may_stand_anywhere():
    for text in HOSTILE:
        edition = portraits.edition("rich")
        (chapter,) = edition.report.chapters
        rows = tuple(
            replace(row, text=text, origin=row.origin and text, scale=(text[:40], *row.scale[1:]))
            for row in chapter.rows
        )
        chapter = replace(
            chapter, title=text, intro=text, rows=rows, habits=(text,), focus=(text,), closing=text, reflections=(text,)
        )
        report = replace(edition.report, chapters=(chapter,), compared_with=text)
        planned = portraits.planned(steps=(Step(text, text, text), Step(text, "")), cycle=text, note=text)
        assert pdf.report(replace(edition, report=report, subject=text, cycle=text), planned).startswith(b"%PDF")


def test_a_character_that_no_font_has_is_named_or_becomes_a_box(monkeypatch):
    monkeypatch.setattr(pdf, "_fonts", lambda: pdf.typst.Fonts(include_system_fonts=False))
    shown = text_of(written("Thanks 😀 漢"))
    assert "Thanks [grinning face] ▯" in shown


def test_the_same_copy_is_the_same_file():
    edition = portraits.edition("thin")
    assert pdf.report(edition) == pdf.report(edition)


def test_a_round_that_was_closed_by_hand_within_a_second_has_its_document():
    edition = portraits.edition("rich")
    moment = edition.closed_at.replace(microsecond=123_456)
    assert opened(replace(edition, closed_at=moment)).metadata.title == "Sam Rivera, Spring round"


def written(text: str) -> Edition:
    """A report in which somebody wrote this."""
    edition = portraits.edition("rich")
    question = edition.report.chapters[0].questions[0]
    return replace(edition, comments=(Comment(question.item, Group.POOLED, text),))


def opened(edition: Edition, planned: Planned = NOTHING) -> PdfReader:
    return PdfReader(io.BytesIO(pdf.report(edition, planned)))


def text_of(edition: Edition, planned: Planned = NOTHING) -> str:
    return squeezed(" ".join(page.extract_text() for page in opened(edition, planned).pages))


def squeezed(text: str) -> str:
    return " ".join(text.replace("\u200b", "").split())


def elements(read: PdfReader):
    """Every element of the tree that a screen reader goes through."""
    waiting = [read.trailer["/Root"]["/StructTreeRoot"]]
    while waiting:
        element = waiting.pop().get_object()
        if isinstance(element, list):
            waiting += element
        elif isinstance(element, dict):
            yield element
            if "/K" in element:
                waiting.append(element["/K"])
