"""The document: whole for a screen reader, with nothing in it that a text could command."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
import typst
from pypdf import PdfReader
from pypdf.generic import ByteStringObject, ContentStream, TextStringObject

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

SCRIPTS = {
    "simplified Chinese": ("简体中文：请早点告诉我们风险", "NotoSansCJKjp"),
    "traditional Chinese": ("繁體中文：請早點告訴我們", "NotoSansCJKjp"),
    "Japanese": ("リスクを早く教えてください", "NotoSansCJKjp"),
    "Korean": ("위험을 일찍 말해 주세요", "NotoSansCJKjp"),
    "Thai": ("กรุณาบอกความเสี่ยงแต่เนิ่น", "NotoSansThai"),
    "Arabic": ("يرجى إخبارنا بالمخاطر مبكرا", "NotoSansArabic"),
    "Hebrew": ("אנא ספרו לנו מוקדם", "LibertinusSerif"),
    "Devanagari": ("कृपया जोखिम जल्दी बताएं", "NotoSansDevanagari"),
    "Bengali": ("দয়া করে আগে বলুন", "NotoSansBengali"),
    "Tamil": ("முன்கூட்டியே சொல்லுங்கள்", "NotoSansTamil"),
    "Greek": ("Πείτε μας νωρίς", "LibertinusSerif"),
    "Cyrillic": ("Скажите раньше", "LibertinusSerif"),
    "Georgian": ("გვითხარით ადრე", "NotoSansGeorgian"),
    "Armenian": ("Ասեք ավելի շուտ", "NotoSansArmenian"),
    "Ethiopic": ("ቀደም ብለው ይንገሩን", "NotoSansEthiopic"),
    "Khmer": ("សូមប្រាប់យើង", "NotoSansKhmer"),
    "emoji": ("👍🏽 ❤️ 👩‍💻 😀", "NotoEmoji"),
}


@pytest.fixture
def no_fonts_installed(monkeypatch):
    """A machine such as the container: nothing but what comes with the program."""
    known = typst.Fonts
    monkeypatch.setattr(typst, "Fonts", lambda **options: known(**options | {"include_system_fonts": False}))
    pdf._fonts.cache_clear()
    yield
    pdf._fonts.cache_clear()


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


@pytest.mark.parametrize(("text", "font"), SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.usefixtures("no_fonts_installed")
def test_each_script_is_shown_by_the_fonts_that_come_with_the_program(text, font):
    edition = replace(written(f"{text} {text}"), subject=text)
    read = opened(edition.copy(is_own=False))
    assert shapes(read)
    assert 0 not in shapes(read), "a box in place of a letter"
    shown = " ".join(page.extract_text() for page in read.pages)
    assert "▯" not in shown
    assert "[" not in shown
    assert any(font in name for name in fonts_of(read))
    assert pdf.made(edition).unshown == ()


@pytest.mark.parametrize(
    ("label", "drawn"), [("从不", "从不"), ("Никогда", "Никогда"), ("ไม่เคย", "…"), ("कभी नहीं", "…")]
)
@pytest.mark.usefixtures("no_fonts_installed")
def test_points_in_words_of_any_script_have_their_document_and_are_read_out_whole(label, drawn):
    edition = portraits.edition("rich")
    (chapter,) = edition.report.chapters
    rows = tuple(replace(row, scale=(label, *row.scale[1:])) for row in chapter.rows)
    report = replace(edition.report, chapters=(replace(chapter, rows=rows),))
    read = opened(replace(edition, report=report))
    assert 0 not in shapes(read)
    assert any(drawn in page.extract_text() for page in read.pages)
    figures = [element for element in elements(read) if element.get("/S") == "/Figure"]
    assert any(f"The scale runs from 1, {label}" in str(figure["/Alt"]) for figure in figures)


@pytest.mark.usefixtures("no_fonts_installed")
def test_where_no_font_can_show_a_script_the_document_says_which_in_place_of_boxes():
    edition = written("Thanks ꦗꦮ ꦗ 𐌰𐌹, and བོད་ཡིག!")
    document = pdf.made(edition)
    shown = squeezed(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(document.content)).pages))
    assert "Thanks [Javanese script] [Gothic script], and [Tibetan script]!" in shown
    assert "This document has no font for Gothic, Javanese and Tibetan script." in shown
    assert {(text.script, text.words) for text in document.unshown} == {
        ("Javanese", "ꦗꦮ ꦗ"),
        ("Tibetan", "བོད་ཡིག"),
        ("Gothic", "𐌰𐌹"),
    }


def test_what_the_typesetter_refuses_for_another_reason_has_a_document_of_plain_letters(monkeypatch):
    real = pdf._typeset

    def refusing(whole, edition):
        if "漢" in json.dumps(whole, ensure_ascii=False):
            error = typst.TypstError("refused")
            error.diagnostic = "PDF/UA-1 error: the PDF contains text with missing codepoints"
            raise error
        return real(whole, edition)

    monkeypatch.setattr(pdf, "_typeset", refusing)
    document = pdf.made(written("Café 漢字 👍"))
    shown = squeezed(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(document.content)).pages))
    assert "Café [Chinese script] [thumbs up sign]" in shown
    assert [text.words for text in document.unshown] == ["漢字"]


def test_a_sign_that_no_font_has_is_named(monkeypatch):
    monkeypatch.setattr(pdf, "_fonts", lambda: typst.Fonts(include_system_fonts=False))
    assert "Thanks [grinning face] [Chinese script]" in text_of(written("Thanks 😀 漢"))


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


def fonts_of(read: PdfReader) -> set[str]:
    """The names of all fonts on the pages."""
    fonts = (page["/Resources"]["/Font"].values() for page in read.pages)
    return {font.get_object()["/BaseFont"] for own in fonts for font in own}


def shapes(read: PdfReader) -> set[int]:
    """The numbers of all shapes that are drawn as text, in figures too; 0 is the box of a font without a shape."""
    found: set[int] = set()
    waiting = list(read.pages)
    while waiting:
        drawn = waiting.pop()
        if drawn.get("/Subtype") == "/Image":
            continue
        drawings = drawn["/Resources"].get("/XObject", {}) if "/Resources" in drawn else {}
        waiting += [each.get_object() for each in drawings.values()]
        stream = drawn.get_contents() if "/Contents" in drawn else drawn
        for operands, operator in ContentStream(stream, read).operations:
            if operator in {b"Tj", b"TJ"}:
                (shown,) = operands
                for part in shown if operator == b"TJ" else [shown]:
                    found |= numbers(part)
    return found


def numbers(part: object) -> set[int]:
    """The two-byte numbers of a piece of shown text; what is not one is a distance."""
    if not isinstance(part, ByteStringObject | TextStringObject):
        return set()
    raw = part.original_bytes
    return {int.from_bytes(raw[place : place + 2], "big") for place in range(0, len(raw), 2)}


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
