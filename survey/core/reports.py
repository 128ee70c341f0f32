"""The report: one finished value, made once after the tally from what was published, and rendered as it is.

Disclosure comes first, statistics second. Nothing in here rests on an answer that was held back. A report that was
stored by an earlier version still loads: whatever a field lacks has a default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from survey.core import competencies, highlights, rows
from survey.core.changes import Earlier, Movement
from survey.core.competencies import Page, Section
from survey.core.disclosure import Cell, Certificate, Group, Published
from survey.core.questionnaires import Part, Questionnaire
from survey.core.relationships import ANONYMOUS, COLLEAGUES, Relationship
from survey.core.rows import COMPARED, Figure, Hearing, Row

__all__ = [
    "Attendance",
    "Chapter",
    "Earlier",
    "Figure",
    "Movement",
    "Question",
    "Report",
    "Row",
    "build",
    "page_of",
]


@dataclass(frozen=True)
class Question:
    """An open question; the answers lie beside the report, by its `item`."""

    item: str
    text: str
    is_private: bool


@dataclass(frozen=True)
class Chapter:
    """One competency page: its rows, its open questions, and the next steps from the same page.

    `reflections` are the questions that the page has its readers ask themselves, asked in the round or not.
    """

    title: str
    intro: str
    rows: tuple[Row, ...]
    questions: tuple[Question, ...]
    habits: tuple[str, ...]
    focus: tuple[str, ...]
    closing: str
    reflections: tuple[str, ...] = ()

    def under(self, *sections: Section) -> tuple[Row, ...]:
        """The rows of these sections, in their order."""
        return tuple(row for row in self.rows if row.section in sections)


@dataclass(frozen=True)
class Attendance:
    """How many of a relationship were invited, and how many answered: None where that is fewer than may be said."""

    relationship: Relationship
    invited: int
    answered: int | None


@dataclass(frozen=True)
class Report:
    """Everything that a report shows but the comments. `talking_points` and `strengths` name rows by item.

    `compared_with` is the name of the earlier round that rows are compared with; empty where there is none.
    `few_are_as_usual`: intervals of fewer than six rest on the usual spread; in earlier versions on their own.
    """

    k: int
    attendance: tuple[Attendance, ...]
    pooled: int | None
    talking_points: tuple[str, ...]
    strengths: tuple[str, ...]
    chapters: tuple[Chapter, ...]
    certificate: Certificate
    compared_with: str = ""
    few_are_as_usual: bool = False

    @property
    def rows(self) -> dict[str, Row]:
        """Every row by its item."""
        return {row.item: row for chapter in self.chapters for row in chapter.rows}

    @property
    def has_figures(self) -> bool:
        """Whether any group is shown at all."""
        return any(row.figures for chapter in self.chapters for row in chapter.rows)

    @property
    def has_heard_groups(self) -> bool:
        """Whether enough of any anonymous group answered, even where too few of them saw any one behavior."""
        return bool(self.pooled) or any(line.answered and line.relationship.is_anonymous for line in self.attendance)

    def has_answered(self, relationship: Relationship) -> bool:
        """Whether so many of these answered that it may be said."""
        return any(line.relationship is relationship and line.answered for line in self.attendance)


def page_of(body: dict[str, Any]) -> Page:
    """The page in a stored row."""
    return competencies.from_json(body)


def build(
    questionnaire: Questionnaire,
    published: Published,
    *,
    pages: Sequence[Page],
    invited: Mapping[Relationship, int],
    earlier: Earlier | None = None,
    spreads: Mapping[int, float] | None = None,
) -> Report:
    """The report of a review, from what may be published of it; `pages` belong to the questionnaire's parts.

    `earlier` is what the newest earlier round about the same person published; `spreads` what `spreads.of_cycle`
    says of the round, without which intervals use the usual spread.
    """
    cells: dict[str, dict[Group, Cell]] = {}
    for cell in published.cells:
        cells.setdefault(cell.item, {})[cell.group] = cell
    answered = dict(published.answered)
    hearing = Hearing(
        shown=tuple(group for group in answered if group.is_anonymous),
        unheard=_unheard(answered, invited),
        k=published.k,
        earlier=earlier,
        spreads=spreads or {},
    )
    chapters = tuple(
        _chapter(part, page, cells, hearing) for part, page in zip(questionnaire.parts, pages, strict=True)
    )
    compared = [row for chapter in chapters for row in chapter.rows if row.section in COMPARED]
    has_movements = any(row.movements for chapter in chapters for row in chapter.rows)
    return Report(
        k=published.k,
        attendance=tuple(
            Attendance(relationship, invited[relationship], answered.get(Group(relationship)))
            for relationship in Relationship
            if invited.get(relationship)
        ),
        pooled=answered.get(Group.POOLED),
        talking_points=highlights.talking_points(compared),
        strengths=highlights.strengths(compared),
        chapters=chapters,
        certificate=published.certificate,
        compared_with=earlier.cycle if earlier and has_movements else "",
        few_are_as_usual=True,
    )


def _chapter(part: Part, page: Page, cells: Mapping[str, Mapping[Group, Cell]], hearing: Hearing) -> Chapter:
    return Chapter(
        title=part.title,
        intro=part.intro,
        rows=tuple(rows.build(part, item, cells.get(item.key, {}), hearing) for item in part.items if not item.is_open),
        questions=tuple(Question(item.key, item.text, item.is_private) for item in part.items if item.is_open),
        habits=page.items(Section.BUILD_THESE_HABITS),
        focus=page.items(Section.FOCUS_SUMMARY),
        closing=page.closing,
        reflections=page.items(Section.QUESTIONS_TO_ASK_YOURSELF),
    )


def _unheard(answered: Mapping[Group, int], invited: Mapping[Relationship, int]) -> tuple[Relationship, ...]:
    """Those who were asked and are neither shown nor pooled."""
    pooled = COLLEAGUES if Group.POOLED in answered else ()
    silent = [relationship for relationship in ANONYMOUS if Group(relationship) not in answered]
    return tuple(relationship for relationship in silent if invited.get(relationship) and relationship not in pooled)
