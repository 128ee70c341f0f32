"""What is kept of how a whole cycle measured: rounded figures about ten subjects and more, never about one.

They are made of the answers of peers, direct reports and others alone (R8), before anything is counted, and they
are all that is left of it. Nothing in here can be subtracted from reports: see docs/decisions/0020.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil

from survey.core import instruments, rows
from survey.core.questionnaires import Item, Part, Questionnaire
from survey.core.relationships import COLLEAGUES
from survey.core.responses import Response
from survey.core.sections import Section
from survey.core.statistics import Interval

SUBJECTS = 10
"""Every figure is about so many subjects at least."""

ENVELOPES = 2_000
"""So many answers are enough: of larger cycles, reviews are drawn at random until they have as many."""

BEHAVIORS = 3
"""A rater's average is one of so many behaviors at least; that of fewer lies too close to what reports print."""

LEFT_OUT = 0.1
"""The share of answers that is left out of the table of items, drawn at random, and at least k of them."""

Sample = Callable[[Sequence[int], int], Sequence[int]]


@dataclass(frozen=True)
class ItemFigures:
    """How one sentence was used, and how it goes with the others of its page.

    `not_observed` is the share who could not observe it, `top` the share of the others who chose the top point,
    `item_total` the correlation with the sum of the other behaviors. None where too few answers bear it.
    """

    section: Section
    text: str
    origin: str
    not_observed: float | None
    top: float | None
    item_total: float | None

    @property
    def needs_rewording(self) -> bool:
        """Whether too many raters could not observe this."""
        return self.not_observed is not None and self.not_observed > instruments.REWORD_ABOVE


@dataclass(frozen=True)
class PageFigures:
    """One competency page over all subjects who were asked about on it."""

    title: str
    alpha: float | None
    halo: float | None
    items: tuple[ItemFigures, ...]


@dataclass(frozen=True)
class Reliability:
    """How much of the average over all behaviors is the subject, and not who was asked.

    `raters` is their mean number per subject; `icc_1` is the reliability of one of them, `icc_k` that of the average
    of as many as answered.
    """

    subjects: int
    raters: float
    icc_1: float
    icc_1_interval: Interval
    icc_k: float
    icc_k_interval: Interval

    @property
    def raters_needed(self) -> int | None:
        """How many raters bring the reliability of their average to .70; None where no number would."""
        needed = instruments.raters_needed(self.icc_1)
        return None if needed is None else max(1, ceil(needed - 1e-9))


@dataclass(frozen=True)
class Measurement:
    """The figures of one cycle. `answer_rate` is a share, of all relationships together."""

    subjects: int
    answer_rate: float | None
    reliability: Reliability | None
    pages: tuple[PageFigures, ...]


@dataclass
class _Sheet:
    """The answers of one page: a row for each, a column for each item that the anonymous relationships are asked."""

    part: Part
    subjects: list[int] = field(default_factory=list)
    answers: list[list[int | None]] = field(default_factory=list)


def measure(
    reviews: Iterable[tuple[Questionnaire, Sequence[Response]]], *, k: int, attendance: tuple[int, int], sample: Sample
) -> Measurement | None:
    """The figures of a cycle, from its reviews one after the other; None where they are about too few subjects.

    `attendance` is how many answered and how many were invited. `sample` draws so many of a sequence at random.
    """
    sheets: dict[str, _Sheet] = {}
    overall: list[list[float]] = []
    answering = 0
    for subject, (questionnaire, responses) in enumerate(reviews):
        anonymous = [response for response in responses if response.relationship in COLLEAGUES]
        averages = (_average(questionnaire, response) for response in anonymous)
        overall.append([average for average in averages if average is not None])
        answering += bool(anonymous)
        for part in questionnaire.parts:
            sheet = sheets.setdefault(part.page, _Sheet(part))
            for response in anonymous:
                sheet.subjects.append(subject)
                sheet.answers.append([response.answers.ratings.get(item.key) for item in _rated(part)])
    if answering < SUBJECTS:
        return None
    answered, invited = attendance
    return Measurement(
        subjects=len(overall),
        answer_rate=round(answered / invited, 2) if invited else None,
        reliability=_reliability(overall),
        pages=tuple(
            page
            for sheet in sorted(sheets.values(), key=lambda sheet: (sheet.part.title, sheet.part.page))
            if (page := _page(sheet, k, sample)) is not None
        ),
    )


def _reliability(subjects: Sequence[Sequence[float]]) -> Reliability | None:
    found = instruments.reliability(subjects)
    if found is None or found.subjects < SUBJECTS:
        return None
    return Reliability(
        subjects=found.subjects,
        raters=round(found.raters, 1),
        icc_1=round(found.icc_1, 2),
        icc_1_interval=_rounded(found.icc_1_interval),
        icc_k=round(found.icc_k, 2),
        icc_k_interval=_rounded(found.icc_k_interval),
    )


def _page(sheet: _Sheet, k: int, sample: Sample) -> PageFigures | None:
    """The figures of a page. None where its answers are about too few subjects."""
    if len(set(sheet.subjects)) < SUBJECTS:
        return None
    items = _rated(sheet.part)
    compared = [column for column, item in enumerate(items) if item.section in rows.COMPARED]
    behaviors = [[row[column] for column in compared] for row in sheet.answers]
    is_borne = _is_borne(sheet.subjects, [None not in row for row in behaviors], k)
    return PageFigures(
        title=sheet.part.title,
        alpha=_two(instruments.alpha(behaviors)) if is_borne else None,
        halo=_two(instruments.halo(behaviors)) if is_borne else None,
        items=_items(_without_some(sheet, k, sample), items, compared, k),
    )


def _without_some(sheet: _Sheet, k: int, sample: Sample) -> _Sheet:
    """The same page without a tenth of its answers, so that its counts cannot be taken from those of reports."""
    total = len(sheet.answers)
    kept = sorted(sample(range(total), max(total - max(k, ceil(LEFT_OUT * total)), 0)))
    return _Sheet(sheet.part, [sheet.subjects[number] for number in kept], [sheet.answers[number] for number in kept])


def _items(sheet: _Sheet, items: Sequence[Item], compared: Sequence[int], k: int) -> tuple[ItemFigures, ...]:
    behaviors = [[row[column] for column in compared] for row in sheet.answers]
    is_borne = _is_borne(sheet.subjects, [None not in row for row in behaviors], k)
    totals = dict(zip(compared, (instruments.item_total(behaviors) if is_borne else None) or (), strict=False))
    return tuple(
        _item(item, [row[column] for row in sheet.answers], sheet.subjects, totals.get(column), k)
        for column, item in enumerate(items)
    )


def _item(
    item: Item, answers: Sequence[int | None], subjects: Sequence[int], item_total: float | None, k: int
) -> ItemFigures:
    assert item.scale is not None  # noqa: S101 - only rated items come here
    use = instruments.use(answers, points=item.scale.points)
    is_asked = _is_borne(subjects, [True] * len(answers), k)
    is_observed = _is_borne(subjects, [answer is not None for answer in answers], k)
    return ItemFigures(
        section=item.section,
        text=item.text,
        origin=item.origin,
        not_observed=_two(use.not_observed) if use and is_asked else None,
        top=_two(use.top) if use and is_observed else None,
        item_total=_two(item_total),
    )


def _is_borne(subjects: Sequence[int], chosen: Sequence[bool], k: int) -> bool:
    """Whether the chosen answers are at least k, about enough subjects."""
    about = [subject for subject, is_chosen in zip(subjects, chosen, strict=True) if is_chosen]
    return len(about) >= k and len(set(about)) >= SUBJECTS


def _average(questionnaire: Questionnaire, response: Response) -> float | None:
    """The mean of what one rater said of the behaviors. None where too few are asked, or fewer than half observed."""
    asked = [item.key for item in questionnaire.items if item.section in rows.COMPARED]
    if len(asked) < BEHAVIORS:
        return None
    observed = [rating for key in asked if (rating := response.answers.ratings.get(key)) is not None]
    return sum(observed) / len(observed) if observed and 2 * len(observed) >= len(asked) else None


def _rated(part: Part) -> list[Item]:
    return [item for item in part.items if item.scale is not None and not item.asked.isdisjoint(COLLEAGUES)]


def _two(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 2)


def _rounded(interval: Interval) -> Interval:
    return Interval(round(interval.low, 2), round(interval.high, 2))
