"""A report as tables: every voice on every sentence on a line of its own, numbers as numbers, texts as texts.

What people wrote is never a formula: a spreadsheet would run it on the machine of whoever opens the file.
"""

from __future__ import annotations

import csv as plain
import io
from collections.abc import Iterator
from dataclasses import dataclass

from survey.core import plans, sentences
from survey.core.disclosure import Group
from survey.core.editions import Edition
from survey.core.plans import Plan, Planned
from survey.core.reports import Chapter
from survey.core.rows import Figure, Row
from survey.core.sheets import neutral

Value = str | int | float | None

RATED = (
    "Competency",
    "Part",
    "From",
    "Sentence",
    "Voice",
    "People",
    "Rating or mean",
    "Interval from",
    "Interval to",
    "In words",
    "Compared with the self-rating",
    "Since the last round",
)
WROTE = ("Competency", "Question", "Voice", "Text")
PLANNED = ("Planned after", "Competency", "For", "Kind", "Text", "Check-in")
WIDTHS = (24, 20, 30, 50, 16, 8, 14, 12, 12, 34, 34, 34)
CELL_LIMIT = 32_767
"""Characters that a cell of a spreadsheet can hold."""


@dataclass(frozen=True)
class Sheet:
    """A named table with its headings."""

    name: str
    headings: tuple[str, ...]
    lines: tuple[tuple[Value, ...], ...]


def csv(edition: Edition, planned: Planned = plans.NOTHING) -> bytes:
    """One table below the other, ratings, what people wrote, and next steps, as UTF-8 that spreadsheets know.

    What it rests on is in the spreadsheet alone.
    """
    *tables, _ = sheets(edition, planned)
    out = io.StringIO(newline="")
    writer = plain.writer(out, quoting=plain.QUOTE_NONNUMERIC)
    for place, sheet in enumerate(tables):
        if place:
            writer.writerow([])
        writer.writerow([_harmless(heading) for heading in sheet.headings])
        writer.writerows([[_harmless(value) for value in line] for line in sheet.lines])
    return out.getvalue().encode("utf-8-sig")


def xlsx(edition: Edition, planned: Planned = plans.NOTHING) -> bytes:
    """A spreadsheet with a sheet for each of the tables."""
    # Few processes ever write one.
    import xlsxwriter  # noqa: PLC0415

    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out,
        {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False},
    )
    book.set_properties({"title": f"{edition.subject}, {edition.cycle}"})
    bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
    for sheet in sheets(edition, planned):
        page = book.add_worksheet(sheet.name)
        page.freeze_panes(1, 0)
        for column, heading in enumerate(sheet.headings):
            page.write_string(0, column, heading, bold)
            page.set_column(column, column, WIDTHS[column] if sheet.headings is RATED else 40)
        for number, line in enumerate(sheet.lines, 1):
            for column, value in enumerate(line):
                if isinstance(value, str):
                    page.write_string(number, column, value[:CELL_LIMIT], wrapped)
                elif value is not None:
                    page.write_number(number, column, value, wrapped)
    book.close()
    return out.getvalue()


def sheets(edition: Edition, planned: Planned = plans.NOTHING) -> tuple[Sheet, ...]:
    """The tables of a report: ratings, what people wrote, next steps where there are any, and what it rests on."""
    report = edition.report
    rated = tuple(line for chapter in report.chapters for row in chapter.rows for line in _rated(edition, chapter, row))
    wrote = tuple(line for chapter in report.chapters for line in _wrote(edition, chapter))
    steps = tuple(line for plan in (planned.now, planned.earlier) if plan for line in _planned(plan))
    about: list[tuple[Value, ...]] = [("Report about", edition.subject), ("Round", edition.cycle)]
    about += [
        (
            f"{line.relationship.plural}: answered, of {line.invited}",
            line.answered or sentences.attended(line, report.k),
        )
        for line in report.attendance
    ]
    about += [("Smallest group shown", report.k), ("Checked", sentences.checked(report))]
    return (
        Sheet("Ratings", RATED, rated),
        Sheet("Comments", WROTE, wrote),
        *([Sheet("Next steps", PLANNED, steps)] if steps else []),
        Sheet("About", ("What this rests on", ""), tuple(about)),
    )


def _rated(edition: Edition, chapter: Chapter, row: Row) -> Iterator[tuple[Value, ...]]:
    name = None if edition.is_own else edition.subject
    head = (chapter.title, row.section.heading, row.origin, row.text)
    if row.own is not None:
        yield (*head, Group.SELF.label, 1, row.own, None, None, row.scale[row.own - 1], "", "")
    for figure in row.figures:
        compared = sentences.verdict(row, name) if figure is row.lead else ""
        moved = sentences.moved_by(row, figure.group)
        yield (*head, figure.group.label, *_figure(figure, len(row.scale)), compared, moved)
    if row.manager is not None:
        yield (*head, Group.MANAGER.label, 1, row.manager, None, None, row.scale[row.manager - 1], "", "")
    few = f"fewer than {edition.report.k}, not shown"
    for absent in (*row.withheld, *(Group(relationship) for relationship in row.unheard)):
        yield (*head, absent.label, None, None, None, None, few, "", "")


def _figure(figure: Figure, points: int) -> tuple[Value, ...]:
    words = sentences.says(figure, points)
    if agreement := sentences.agrees(figure, points):
        words += f"; {agreement.lower()}"
    if figure.mean is None or figure.low is None or figure.high is None:
        return (figure.n, None, None, None, words)
    # One decimal, as everywhere: the numbers of a report are no more exact than that.
    ends = (max(figure.low, 1), min(figure.high, points))
    return (figure.n, round(figure.mean, 1), *(round(end, 1) for end in ends), words)


def _wrote(edition: Edition, chapter: Chapter) -> Iterator[tuple[Value, ...]]:
    for question in chapter.questions:
        said = edition.said(question)
        voices = (
            ("Colleagues", said.others),
            ("Outside raters", said.outside),
            ("Manager", said.manager),
            ("Self", said.own),
        )
        for voice, texts in voices:
            for text in texts:
                yield (chapter.title, question.text, voice, text)
        if gone := sentences.taken_out(said):
            yield (chapter.title, question.text, "", gone)


def _planned(plan: Plan) -> Iterator[tuple[Value, ...]]:
    day = plan.check_in_on.isoformat() if plan.check_in_on else ""
    for step in plan.steps:
        kind = "Own step" if step.is_own else "Habit of the page"
        yield (plan.cycle, step.page, step.sentence, kind, step.text, day)
    if plan.note:
        yield (plan.cycle, "", "", "How it went", plan.note, day)


def _harmless(value: Value) -> Value:
    """The value; a text that a spreadsheet would take for a formula gets an apostrophe before it."""
    return neutral(value) if isinstance(value, str) else value
