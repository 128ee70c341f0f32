"""Ready for the next level? The indicators of this level and the signals for the next, voice by voice, on one line.

Worked out from the rows of a report alone, so that it can be shown for every report that was ever stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from survey.core import statistics
from survey.core.disclosure import Band, Group
from survey.core.relationships import Relationship
from survey.core.reports import Chapter, Report
from survey.core.rows import Figure, Row, interval_of
from survey.core.sections import Section


class Answer(StrEnum):
    """Whether somebody sees it done: often or more on a scale of frequency, yes on a scale of two points."""

    YES = "yes"
    NOT_YET = "not_yet"
    CANNOT_SAY = "cannot_say"

    @property
    def label(self) -> str:
        """The answer for people."""
        return _LABELS[self]


_LABELS = {Answer.YES: "Yes", Answer.NOT_YET: "Not yet", Answer.CANNOT_SAY: "Cannot say"}


@dataclass(frozen=True)
class Voice:
    """What one person or group says of the indicators of this level, and of the signals for the next.

    Answers stand in the order of the rows; a side on which this voice was not asked is empty.
    """

    group: Group
    n: int
    indicators: tuple[Answer, ...]
    signals: tuple[Answer, ...]


@dataclass(frozen=True)
class Readiness:
    """The rows of both sides, and every voice on them."""

    indicators: tuple[Row, ...]
    signals: tuple[Row, ...]
    voices: tuple[Voice, ...]


def of(report: Report, chapter: Chapter) -> Readiness | None:
    """The readiness that a chapter shows; None where the round did not ask for signals."""
    indicators = chapter.under(Section.SUCCESS_INDICATORS)
    signals = chapter.under(Section.SIGNALS_READY_TO_LEVEL_UP)
    if not signals:
        return None
    voices = []
    for group in Group:
        seen, heard = _answers(report, indicators, group), _answers(report, signals, group)
        if seen or heard:
            voices.append(Voice(group, _people(group, [*indicators, *signals]), seen, heard))
    return Readiness(indicators, signals, tuple(voices))


def _answers(report: Report, rows: tuple[Row, ...], group: Group) -> tuple[Answer, ...]:
    if not group.is_anonymous:
        has_answered = report.has_answered(Relationship(group))
        return tuple(_of_one(_rating(row, group), len(row.scale)) for row in rows) if has_answered else ()
    figures = [next((figure for figure in row.figures if figure.group is group), None) for row in rows]
    if not any(figures):
        return ()
    return tuple(
        Answer.CANNOT_SAY if figure is None else _of_many(figure, len(row.scale))
        for figure, row in zip(figures, rows, strict=True)
    )


def _rating(row: Row, group: Group) -> int | None:
    return row.own if group is Group.SELF else row.manager


def _of_one(rating: int | None, points: int) -> Answer:
    if rating is None:
        return Answer.CANNOT_SAY
    return Answer.YES if rating >= statistics.place(4, points) else Answer.NOT_YET


def _of_many(figure: Figure, points: int) -> Answer:
    """Yes or not yet only where the whole interval says so: a mean alone bears neither word."""
    if points == 2:
        share = statistics.favourable(figure.counts) if figure.counts else None
        interval, yes, no = (share.interval, 0.5, 0.5) if share else (None, 0.0, 0.0)
    else:
        interval, yes, no = interval_of(figure), statistics.place(3.5, points), statistics.place(4, points)
        if figure.band is not None:
            return Answer.YES if figure.band is Band.HIGH else Answer.NOT_YET
    if interval is None:
        return Answer.CANNOT_SAY
    if interval.low >= yes:
        return Answer.YES
    return Answer.NOT_YET if interval.high < no else Answer.CANNOT_SAY


def _people(group: Group, rows: list[Row]) -> int:
    """The most people of this group who stand behind one of the rows."""
    if not group.is_anonymous:
        return 1
    return max(figure.n for row in rows for figure in row.figures if figure.group is group)
