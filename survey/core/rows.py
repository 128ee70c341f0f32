"""One item as a report shows it: the self-rating beside the figures of others, with the words that these bear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from survey.core import changes, labels, samples, statistics
from survey.core.changes import Earlier, Movement
from survey.core.disclosure import Band, Cell, Group
from survey.core.labels import Johari, Perception, Spread, Standing
from survey.core.questionnaires import Item, Part
from survey.core.relationships import COLLEAGUES, Relationship
from survey.core.sections import Section
from survey.core.statistics import Few

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
    this row, `withheld` those that are shown elsewhere in the report but too few of whom observed this one, and
    `unheard` the relationships that were asked and too few of whom answered anything. `perception` and `standing`
    compare with the first of the figures; `movements` with the last round.
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
    # Reports that were stored before a field existed are read with its default.
    unheard: tuple[Relationship, ...] = ()
    movements: tuple[Movement, ...] = ()

    @property
    def lead(self) -> Figure | None:
        """The group that the words are about: peers where they are shown."""
        return self.figures[0] if self.figures else None

    @property
    def johari(self) -> Johari | None:
        """The word for what both sides say together; None where it cannot be said."""
        if self.own is None or self.standing is None or self.perception is None:
            return None
        return labels.johari(self.own, self.standing, self.perception, points=len(self.scale))

    @property
    def height(self) -> float:
        """Where the lead stands on the scale; of a band, its inner end. 0 without a lead."""
        figure = self.lead
        if figure is None:
            return 0.0
        if figure.mean is not None:
            return figure.mean
        return len(self.scale) - 0.5 if figure.band is Band.HIGH else 1.5

    @property
    def distance(self) -> float:
        """How far the self-rating is from the lead, in scale points. 0 without a self-rating."""
        return abs(self.own - self.height) if self.own is not None else 0.0


@dataclass(frozen=True)
class Hearing:
    """Who of a review may be heard: the groups that are shown, and the relationships too few of whom answered.

    `spreads` is the typical spread of the cycle by points of the scale, where it has one of its own.
    """

    shown: Sequence[Group]
    unheard: Sequence[Relationship]
    k: int
    earlier: Earlier | None
    spreads: Mapping[int, float]


def build(part: Part, item: Item, cells: Mapping[Group, Cell], hearing: Hearing) -> Row:
    """The row of a rated item, from its published cells."""
    assert item.scale is not None  # noqa: S101 - open questions make no rows
    points = item.scale.points
    typical = hearing.spreads.get(points)
    asked = [group for group in hearing.shown if _is_asked(item, group)]
    figures = tuple(_figure(cells[group], points, typical) for group in asked if group in cells)
    own = _attributed(cells, Group.SELF)
    lead = figures[0] if figures and item.section in COMPARED else None
    return Row(
        item=item.key,
        section=item.section,
        text=item.text,
        origin=item.origin,
        scale=item.scale.labels,
        own=own,
        manager=_attributed(cells, Group.MANAGER),
        figures=figures,
        withheld=tuple(group for group in asked if group not in cells),
        perception=_perception(own, lead, points, typical) if lead and own is not None else None,
        standing=_standing(lead, points) if lead else None,
        unheard=tuple(relationship for relationship in hearing.unheard if item.is_put_to(relationship)),
        movements=changes.movements(part, item, cells, hearing.earlier, k=hearing.k, typical=typical),
    )


def _figure(cell: Cell, points: int, typical: float | None) -> Figure:
    spread = labels.spread(cell.counts) if cell.counts else None
    sample = samples.of(cell, points, typical)
    if sample is None:
        return Figure(cell.group, cell.n, None, None, None, cell.band, cell.counts, spread)
    interval = samples.interval(sample, points, typical)
    return Figure(cell.group, cell.n, sample.mean, interval.low, interval.high, None, cell.counts, spread)


def _perception(own: int, figure: Figure, points: int, typical: float | None) -> Perception:
    interval = interval_of(figure)
    if figure.mean is not None and interval is not None:
        return labels.perception(own, figure.mean, interval, points=points)
    # Behind a band the mean is not known. What is said must hold for every mean it may stand for.
    distance = points - own if figure.band is Band.HIGH else own - 1
    if distance <= (points - 1) / 4:
        return Perception.NO_CLEAR_DIFFERENCE
    innermost = Few(figure.n, 0.5, samples.usual_spread(points, typical))
    if distance < 3 * (points - 1) / 4 or samples.interval(innermost, points, typical).contains(distance):
        return Perception.TOO_FEW
    return Perception.LOWER if figure.band is Band.HIGH else Perception.HIGHER


def _standing(figure: Figure, points: int) -> Standing:
    if figure.band is not None:
        return Standing.STRENGTH if figure.band is Band.HIGH else Standing.DEVELOPMENT
    return labels.standing(interval_of(figure), points=points)


def interval_of(figure: Figure) -> statistics.Interval | None:
    """The interval of the group's mean; None behind a band."""
    if figure.low is None or figure.high is None:
        return None
    return statistics.Interval(figure.low, figure.high)


def _attributed(cells: Mapping[Group, Cell], group: Group) -> int | None:
    cell = cells.get(group)
    return cell.total if cell else None


def _is_asked(item: Item, group: Group) -> bool:
    if group is Group.POOLED:
        return any(item.is_put_to(relationship) for relationship in COLLEAGUES)
    return item.is_put_to(Relationship(group))
