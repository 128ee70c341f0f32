"""What figures of a report are drawn with: one mark for each voice, the same in every figure, and the same in words.

Marks differ in shape, not in colour alone: self is a ring, the group that the words are about a dot with the interval
of its mean, further groups smaller dots, the manager a diamond, a band a bar. They carry classes only, so that the
stylesheet decides for light, dark and paper; `standalone` gives a figure its own, for a document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import unescape

from markupsafe import Markup

from survey.core.disclosure import Band
from survey.core.rows import Figure, Row
from survey.core.statistics import Interval

WIDTH = 360

At = Callable[[float], float]
"""The place of a value of the scale, in units of the drawing."""


@dataclass(frozen=True)
class Voice:
    """One voice: its name and number, its value as drawn, where it lies, its mark at height 0, and it all in words."""

    name: str
    n: int | None
    value: str
    x: float
    mark: Markup
    words: str


def voices(row: Row, at: At, own_label: str, *, ring: float = 6.5, has_columns: bool = True) -> list[Voice]:
    """Everybody who is heard on a row: self, the groups that are shown, the manager.

    `ring` is the radius of the mark of self; `has_columns` draws how many of a group chose each point, where known.
    """
    found = []
    if row.own is not None:
        mark = Markup('<circle class="mark-self" cx="{}" cy="0" r="{}"/>').format(at(row.own), ring)
        found.append(_rating(own_label, row.own, row.scale, at, mark))
    found += [
        _group(figure, row.scale, at, is_lead=figure is row.lead, has_columns=has_columns) for figure in row.figures
    ]
    if row.manager is not None:
        diamond = Markup('<path class="mark-manager" d="M{} -7l7 7l-7 7l-7 -7z"/>').format(at(row.manager))
        found.append(_rating("Manager", row.manager, row.scale, at, diamond))
    return found


def in_words(row: Row, found: Iterable[Voice], scale: str) -> str:
    """The text alternative of a figure: every value, who is missing, and the scale."""
    words = [voice.words for voice in found] or ["No ratings to show."]
    words += [f"{group.label}: too few saw this, not shown." for group in row.withheld]
    words += [f"{relationship.plural}: too few answered, not shown." for relationship in row.unheard]
    return " ".join([*words, scale])


def join(parts: Iterable[Markup]) -> Markup:
    """The parts, one after the other."""
    return Markup("").join(parts)


def alternative(figure: Markup) -> str:
    """The text alternative that a figure carries."""
    found = re.search(r'aria-label="([^"]*)"', figure)
    return unescape(found.group(1)) if found else ""


def standalone(figure: Markup) -> str:
    """The same drawing as a document of its own, with the colours of paper."""
    head, rest = str(figure).split(">", 1)
    return f'{head} xmlns="http://www.w3.org/2000/svg"><style>{_PAPER}</style>{rest}'


def _rating(name: str, rating: int, scale: tuple[str, ...], at: At, mark: Markup) -> Voice:
    return Voice(name, None, str(rating), at(rating), mark, f"{name}: {rating}, {scale[rating - 1]}.")


def _group(figure: Figure, scale: tuple[str, ...], at: At, *, is_lead: bool, has_columns: bool) -> Voice:
    who = f"{figure.group.label} ({figure.n} people)"
    kind = "lead" if is_lead else "other"
    if figure.mean is None:
        return _banded(figure, len(scale), at, who, kind)
    mark = Markup('<circle class="mark-{}" cx="{}" cy="0" r="{}"/>').format(
        kind, at(figure.mean), 6 if is_lead else 4.5
    )
    words = f"{who}: {figure.mean:.1f} on average"
    if is_lead and figure.low is not None and figure.high is not None:
        shown = Interval(figure.low, figure.high).clipped(len(scale))
        mark = _whisker(figure.low, figure.high, shown, at) + mark
        words += f", probably between {shown.low:.1f} and {shown.high:.1f}"
    if figure.counts is not None:
        mark = _tally(figure.counts, figure.n, at) + mark if has_columns else mark
        chosen = [f"{count} × {label}" for count, label in zip(figure.counts, scale, strict=True) if count]
        words += f"; {', '.join(chosen)}"
    return Voice(figure.group.label, figure.n, f"{figure.mean:.1f}", at(figure.mean), mark, f"{words}.")


def _banded(figure: Figure, points: int, at: At, who: str, kind: str) -> Voice:
    is_high = figure.band is Band.HIGH
    low, high = (points - 0.5, points) if is_high else (1, 1.5)
    left, right = at(low), at(high)
    bar = Markup('<rect class="band-{}" x="{}" y="-6" width="{}" height="12" rx="3"/>').format(
        kind, left, round(right - left, 1)
    )
    value, words = (f"≥ {low:.1f}", f"{low:.1f} or higher") if is_high else (f"≤ {high:.1f}", f"{high:.1f} or lower")
    return Voice(figure.group.label, figure.n, value, (left + right) / 2, bar, f"{who}: {words}.")


def _whisker(low: float, high: float, shown: Interval, at: At) -> Markup:
    """A line with a stop at each end; where it was cut off at the end of the scale there is none."""
    left, right = at(shown.low), at(shown.high)
    stops = [place for place, is_cut in ((left, shown.low > low), (right, shown.high < high)) if not is_cut]
    return Markup('<path class="reach" d="M{} 0H{}{}"/>').format(
        left, right, join(Markup("M{} -5v10").format(place) for place in stops)
    )


def _tally(counts: tuple[int, ...], n: int, at: At) -> Markup:
    """A column for each point that was chosen, behind the other marks."""
    return join(
        Markup('<path class="tally" d="M{} 12v-{}"/>').format(at(point), round(4 + 20 * count / n, 1))
        for point, count in enumerate(counts, 1)
        if count
    )


_PAPER = """
.figure { font: 14px "Libertinus Serif"; fill: #20242a; }
.figure path { fill: none; stroke: #20242a; stroke-width: 1.5; }
.figure .tick { stroke: #dedad0; }
.figure .axis, .figure .leader { stroke: #85847d; }
.figure .leader { stroke-width: 1; }
.figure .tally { stroke: #b3cac6; stroke-width: 10; }
.figure .reach { stroke: #0b5f5a; stroke-width: 2; }
.figure .mark-self { fill: #ffffff; stroke: #20242a; stroke-width: 2.5; }
.figure .mark-lead, .figure .band-lead { fill: #0b5f5a; }
.figure .name, .figure .end, .figure .mark-other, .figure .band-other { fill: #585f66; }
.figure .mark-manager { fill: #20242a; }
.figure-shift .mark-self { fill: none; }
.figure-shift .name { stroke: #ffffff; stroke-width: 2; paint-order: stroke; }
.figure .is-yes { fill: #0b5f5a; stroke: #0b5f5a; stroke-width: 2; }
.figure .is-not_yet { fill: none; stroke: #585f66; stroke-width: 2; }
.figure .is-cannot_say { stroke: #585f66; stroke-width: 2; }
"""
