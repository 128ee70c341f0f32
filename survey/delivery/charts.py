"""Figures of a report as hand-made SVG: what everybody sees of one behavior, on one axis, and the same in words.

Marks differ in shape, not in colour alone, and carry classes only, so that the stylesheet decides for light, dark
and paper.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from survey.core.disclosure import Band
from survey.core.reports import Figure, Row
from survey.core.statistics import Interval

WIDTH = 360
LEFT, RIGHT = 118, 298  # where the first and the last point of the scale lie
TOP, LANE, LINE = 6, 27, 18  # above the first lane; the height of a lane; the height of a line of words
ROOM = 25  # characters that both end labels may have together on one line
LONGEST = 32


@dataclass(frozen=True)
class Lane:
    """One voice: its name, its value as drawn, its mark at height 0, and all of it in words."""

    name: str
    value: str
    mark: Markup
    words: str


def axis(row: Row, own_label: str = "Self") -> Markup:
    """The figure of a row: a lane each for self, the groups that are shown, and the manager, on one axis.

    Self is a ring; the first group a dot with the interval of its mean, cut at the ends of the scale; further
    groups are smaller dots; the manager is a diamond; a band is a bar. The text alternative says every value.
    """
    points = len(row.scale)
    lanes = _lanes(row, own_label)
    floor = TOP + LANE * len(lanes) + 4
    ends, lines = _ends(row.scale, floor)
    return Markup(
        '<svg class="figure" viewBox="0 0 {width} {height}" role="img" aria-label="{words}">{ticks}'
        '<path class="axis" d="M{left} {floor}H{right}"/>{lanes}{ends}</svg>'
    ).format(
        width=WIDTH,
        height=floor + LINE * lines + 6,
        words=_in_words(row, lanes),
        ticks=_join(
            Markup('<path class="tick" d="M{} {}V{}"/>').format(_at(point, points), TOP, floor + 4)
            for point in range(1, points + 1)
        ),
        left=LEFT,
        floor=floor,
        right=RIGHT,
        lanes=_join(_drawn(lane, TOP + LANE * number + LANE // 2) for number, lane in enumerate(lanes)),
        ends=ends,
    )


def _lanes(row: Row, own_label: str) -> list[Lane]:
    points = len(row.scale)
    lanes = []
    if row.own is not None:
        ring = Markup('<circle class="mark-self" cx="{}" cy="0" r="6.5"/>').format(_at(row.own, points))
        lanes.append(_rating(own_label, row.own, row.scale, ring))
    lanes += [_group(figure, points, is_lead=figure is row.lead) for figure in row.figures]
    if row.manager is not None:
        diamond = Markup('<path class="mark-manager" d="M{} -7l7 7l-7 7l-7 -7z"/>').format(_at(row.manager, points))
        lanes.append(_rating("Manager", row.manager, row.scale, diamond))
    return lanes


def _rating(name: str, rating: int, scale: tuple[str, ...], mark: Markup) -> Lane:
    return Lane(name, str(rating), mark, f"{name}: {rating}, {scale[rating - 1]}.")


def _group(figure: Figure, points: int, *, is_lead: bool) -> Lane:
    who = f"{figure.group.label} ({figure.n} people)"
    kind = "lead" if is_lead else "other"
    if figure.mean is None:
        return _banded(figure, points, who, kind)
    dot = Markup('<circle class="mark-{}" cx="{}" cy="0" r="{}"/>').format(
        kind, _at(figure.mean, points), 6 if is_lead else 4.5
    )
    words = f"{who}: {figure.mean:.1f} on average"
    if is_lead and figure.low is not None and figure.high is not None:
        shown = Interval(figure.low, figure.high).clipped(points)
        dot = _whisker(figure.low, figure.high, shown, points) + dot
        words += f", probably between {shown.low:.1f} and {shown.high:.1f}"
    return Lane(figure.group.label, f"{figure.mean:.1f}", dot, f"{words}.")


def _banded(figure: Figure, points: int, who: str, kind: str) -> Lane:
    is_high = figure.band is Band.HIGH
    low, high = (points - 0.5, points) if is_high else (1, 1.5)
    left, right = _at(low, points), _at(high, points)
    bar = Markup('<rect class="band-{}" x="{}" y="-6" width="{}" height="12" rx="3"/>').format(
        kind, left, round(right - left, 1)
    )
    if is_high:
        return Lane(figure.group.label, f"≥ {low:.1f}", bar, f"{who}: {low:.1f} or higher.")
    return Lane(figure.group.label, f"≤ {high:.1f}", bar, f"{who}: {high:.1f} or lower.")


def _whisker(low: float, high: float, shown: Interval, points: int) -> Markup:
    """A line with a stop at each end; where it was cut off at the end of the scale there is none."""
    left, right = _at(shown.low, points), _at(shown.high, points)
    stops = [place for place, is_cut in ((left, shown.low > low), (right, shown.high < high)) if not is_cut]
    return Markup('<path class="reach" d="M{} 0H{}{}"/>').format(
        left, right, _join(Markup("M{} -5v10").format(place) for place in stops)
    )


def _drawn(lane: Lane, y: int) -> Markup:
    return Markup(
        '<g transform="translate(0 {})"><text class="name" x="0" y="5">{}</text>{}'
        '<text class="value" x="{}" y="5">{}</text></g>'
    ).format(y, lane.name, lane.mark, RIGHT + 16, lane.value)


def _ends(scale: tuple[str, ...], floor: int) -> tuple[Markup, int]:
    """The labels of both ends below the axis, and on how many lines they stand: long ones below each other."""
    first, last = _short(scale[0]), _short(scale[-1])
    lines = 1 if len(first) + len(last) <= ROOM else 2
    drawn = Markup(
        '<text class="end" x="{}" y="{}">{}</text><text class="end" x="{}" y="{}" text-anchor="end">{}</text>'
    ).format(LEFT - 4, floor + LINE, first, RIGHT + 4, floor + LINE * lines, last)
    return drawn, lines


def _in_words(row: Row, lanes: list[Lane]) -> str:
    words = [lane.words for lane in lanes] or ["No ratings to show."]
    words += [f"{group.label}: too few saw this, not shown." for group in row.withheld]
    return " ".join([*words, f"The scale runs from 1, {row.scale[0]}, to {len(row.scale)}, {row.scale[-1]}."])


def _short(label: str) -> str:
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1].rstrip()}…"


def _at(value: float, points: int) -> float:
    """The place of a value of the scale, in units of the drawing."""
    return round(LEFT + (RIGHT - LEFT) * (value - 1) / (points - 1), 1)


def _join(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)
