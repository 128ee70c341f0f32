"""The report: one finished value, made once at the tally from what may be published, and rendered as it is.

Disclosure comes first, statistics second. Nothing in here rests on an answer that was held back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from survey.core import competencies, labels, statistics
from survey.core.competencies import Page, Section
from survey.core.disclosure import Band, Cell, Certificate, Group, Published
from survey.core.labels import Perception, Spread, Standing
from survey.core.questionnaires import Item, Part, Questionnaire
from survey.core.relationships import ANONYMOUS, Relationship
from survey.core.statistics import Moments

AT_MOST = 3
"""How many talking points, and how many strengths, a report names."""

COMPARED = frozenset({Section.KEY_BEHAVIORS, Section.SUCCESS_INDICATORS})
"""The sections whose rows are compared with the self-rating in words."""


@dataclass(frozen=True)
class Figure:
    """What an anonymous group says of one row: a mean with its interval in scale points, or a band."""

    group: Group
    n: int
    mean: float | None
    low: float | None
    high: float | None
    band: Band | None
    counts: tuple[int, ...] | None
    spread: Spread | None


@dataclass(frozen=True)
class Row:
    """One item of the questionnaire: how the engineer sees it, beside how others do.

    `own` and `manager` are ratings, None where there is none. `figures` are the groups that may be shown for
    this row, `withheld` those that are shown elsewhere in the report but too few of whom observed this one.
    `perception` and `standing` compare with the first of the figures.
    """

    item: str
    section: Section
    text: str
    origin: str
    scale: tuple[str, ...]
    own: int | None
    manager: int | None
    figures: tuple[Figure, ...]
    withheld: tuple[Group, ...]
    perception: Perception | None
    standing: Standing | None

    @property
    def lead(self) -> Figure | None:
        """The group that the words are about: peers where they are shown."""
        return self.figures[0] if self.figures else None


@dataclass(frozen=True)
class Question:
    """An open question; the answers lie beside the report, by its `item`."""

    item: str
    text: str
    is_private: bool


@dataclass(frozen=True)
class Chapter:
    """One competency page: its rows, its open questions, and the next steps from the same page."""

    title: str
    intro: str
    rows: tuple[Row, ...]
    questions: tuple[Question, ...]
    habits: tuple[str, ...]
    focus: tuple[str, ...]
    closing: str


@dataclass(frozen=True)
class Attendance:
    """How many of a relationship were invited, and how many answered: None where that is fewer than may be said."""

    relationship: Relationship
    invited: int
    answered: int | None


@dataclass(frozen=True)
class Report:
    """Everything that a report shows but the comments. `talking_points` and `strengths` name rows by item."""

    k: int
    attendance: tuple[Attendance, ...]
    pooled: int | None
    talking_points: tuple[str, ...]
    strengths: tuple[str, ...]
    chapters: tuple[Chapter, ...]
    certificate: Certificate

    @property
    def rows(self) -> dict[str, Row]:
        """Every row by its item."""
        return {row.item: row for chapter in self.chapters for row in chapter.rows}


def page_of(body: dict[str, Any]) -> Page:
    """The page in a stored row."""
    return competencies.from_json(body)


def build(
    questionnaire: Questionnaire,
    published: Published,
    *,
    pages: Sequence[Page],
    invited: Mapping[Relationship, int],
) -> Report:
    """The report of a review, from what may be published of it; `pages` belong to the questionnaire's parts."""
    cells: dict[str, dict[Group, Cell]] = {}
    for cell in published.cells:
        cells.setdefault(cell.item, {})[cell.group] = cell
    shown = tuple(group for group, _ in published.answered if group.is_anonymous)
    chapters = tuple(_chapter(part, page, cells, shown) for part, page in zip(questionnaire.parts, pages, strict=True))
    rows = [row for chapter in chapters for row in chapter.rows if row.section in COMPARED]
    answered = dict(published.answered)
    return Report(
        k=published.k,
        attendance=tuple(
            Attendance(relationship, invited[relationship], answered.get(Group(relationship)))
            for relationship in Relationship
            if invited.get(relationship)
        ),
        pooled=answered.get(Group.POOLED),
        talking_points=_talking_points(rows),
        strengths=_strengths(rows),
        chapters=chapters,
        certificate=published.certificate,
    )


def _chapter(part: Part, page: Page, cells: Mapping[str, Mapping[Group, Cell]], shown: Sequence[Group]) -> Chapter:
    return Chapter(
        title=part.title,
        intro=part.intro,
        rows=tuple(_row(item, cells.get(item.key, {}), shown) for item in part.items if not item.is_open),
        questions=tuple(Question(item.key, item.text, item.is_private) for item in part.items if item.is_open),
        habits=page.items(Section.BUILD_THESE_HABITS),
        focus=page.items(Section.FOCUS_SUMMARY),
        closing=page.closing,
    )


def _row(item: Item, cells: Mapping[Group, Cell], shown: Sequence[Group]) -> Row:
    assert item.scale is not None  # noqa: S101 - open questions make no rows
    points = item.scale.points
    asked = [group for group in shown if _is_asked(item, group)]
    figures = tuple(_figure(cells[group], points) for group in asked if group in cells)
    own, manager = _attributed(cells, Group.SELF), _attributed(cells, Group.MANAGER)
    lead = figures[0] if figures and item.section in COMPARED else None
    return Row(
        item=item.key,
        section=item.section,
        text=item.text,
        origin=item.origin,
        scale=item.scale.labels,
        own=own,
        manager=manager,
        figures=figures,
        withheld=tuple(group for group in asked if group not in cells),
        perception=_perception(own, lead, points) if lead and own is not None else None,
        standing=_standing(lead, points) if lead else None,
    )


def _figure(cell: Cell, points: int) -> Figure:
    spread = labels.spread(cell.counts) if cell.counts else None
    if cell.total is None or cell.squares is None:
        return Figure(cell.group, cell.n, None, None, None, cell.band, cell.counts, spread)
    moments = Moments(cell.n, cell.total, cell.squares)
    interval = statistics.interval_from(moments, points=points)
    assert interval is not None  # noqa: S101 - k ratings and more have a spread
    return Figure(cell.group, cell.n, moments.mean, interval.low, interval.high, None, cell.counts, spread)


def _perception(own: int, figure: Figure, points: int) -> Perception:
    interval = _interval(figure)
    if figure.mean is not None and interval is not None:
        return labels.perception(own, figure.mean, interval, points=points)
    # Behind a band the mean is not known. What is said must hold for every mean it may stand for: the interval
    # of four ratings near an end reaches 1.6 points inward, so that 2 lies outside and 3 may not.
    distance = points - own if figure.band is Band.HIGH else own - 1
    if distance <= (points - 1) / 4:
        return Perception.ABOUT_THE_SAME
    if distance < 3 * (points - 1) / 4:
        return Perception.TOO_FEW
    return Perception.LOWER if figure.band is Band.HIGH else Perception.HIGHER


def _standing(figure: Figure, points: int) -> Standing:
    if figure.band is not None:
        return Standing.STRENGTH if figure.band is Band.HIGH else Standing.DEVELOPMENT
    return labels.standing(_interval(figure), points=points)


def _interval(figure: Figure) -> statistics.Interval | None:
    if figure.low is None or figure.high is None:
        return None
    return statistics.Interval(figure.low, figure.high)


def _talking_points(rows: Sequence[Row]) -> tuple[str, ...]:
    """First what the engineer sees higher than others do, then what others find weak, then what is seen lower."""

    def urgency(row: Row) -> tuple[int, float]:
        if row.perception is Perception.HIGHER:
            return (0, -_distance(row))
        if row.standing is Standing.DEVELOPMENT:
            return (1, -_distance(row))
        return (2, -_distance(row))

    worth = [
        row
        for row in rows
        if row.perception in {Perception.HIGHER, Perception.LOWER} or row.standing is Standing.DEVELOPMENT
    ]
    return tuple(row.item for row in sorted(worth, key=urgency)[:AT_MOST])


def _strengths(rows: Sequence[Row]) -> tuple[str, ...]:
    strong = [row for row in rows if row.standing is Standing.STRENGTH]
    return tuple(row.item for row in sorted(strong, key=lambda row: -_height(row))[:AT_MOST])


def _distance(row: Row) -> float:
    return abs(row.own - _height(row)) if row.own is not None else 0.0


def _height(row: Row) -> float:
    figure = row.lead
    if figure is None:
        return 0.0
    if figure.mean is not None:
        return figure.mean
    points = len(row.scale)
    return points - 0.5 if figure.band is Band.HIGH else 1.5


def _attributed(cells: Mapping[Group, Cell], group: Group) -> int | None:
    cell = cells.get(group)
    return cell.total if cell else None


def _is_asked(item: Item, group: Group) -> bool:
    if group is Group.POOLED:
        return any(relationship in item.asked for relationship in ANONYMOUS)
    return Relationship(group) in item.asked
