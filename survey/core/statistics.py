"""What the ratings of a cell say, and how far they carry: a mean never comes without its interval.

Ratings are whole points from 1 to `points`. "Not observed" is None, is never a number and is never filled in:
`observed` leaves it out. Cuts and the typical spread are stated for five points; on a scale of another length
they keep their place between its ends, so they stretch by (points - 1) / 4. On two points (seen or not, yes
or not yet) read `favourable`: an interval of a mean says little there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Protocol, Self

PRIOR_RATINGS = 4
"""d0: how many degrees of freedom the cycle's typical spread counts for, beside a cell's own."""

TYPICAL_SD = 0.9
"""s0 on five points, where the cycle has no spread of its own to learn from."""

TYPICAL_FREEDOM = 8
"""For how many degrees of freedom the typical spread counts where it stands alone, below `DISTRIBUTION_FROM` raters."""

DISTRIBUTION_FROM = 6
"""From so many raters a distribution carries a share or a word. Disclosure keeps the same bound (R2)."""


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`, both included: in scale points, not cut off at the scale's ends, or in shares."""

    low: float
    high: float

    @classmethod
    def around(cls, centre: float, half_width: float) -> Self:
        """The interval that reaches `half_width` to either side of `centre`."""
        return cls(centre - half_width, centre + half_width)

    @property
    def width(self) -> float:
        """The distance between the ends."""
        return self.high - self.low

    @property
    def half_width(self) -> float:
        """The reach to either side of the middle."""
        return self.width / 2

    def contains(self, value: float) -> bool:
        """Whether the value lies within, ends included."""
        return self.low <= value <= self.high

    def clipped(self, points: int = 5) -> Interval:
        """The part that lies on the scale, to be drawn. Rules read the whole interval."""
        return Interval(max(self.low, 1), min(self.high, points))

    def mirrored(self, points: int) -> Interval:
        """The same interval on the scale turned round, where `points` takes the place of 1."""
        return Interval(points + 1 - self.high, points + 1 - self.low)


class Sample(Protocol):
    """The mean of `n` ratings, with their variance and how many degrees of freedom that is worth."""

    @property
    def n(self) -> int:
        """How many ratings."""

    @property
    def mean(self) -> float:
        """Their mean, in scale points."""

    @property
    def variance(self) -> float | None:
        """Their variance; None where nothing is known of it."""

    @property
    def freedom(self) -> int:
        """The degrees of freedom of the variance."""


@dataclass(frozen=True)
class Few:
    """A group too small for its own spread to be told: its mean, and the spread that is taken for it."""

    n: int
    mean: float
    spread: float

    @property
    def variance(self) -> float:
        """The square of the spread, whatever these few rated."""
        return self.spread**2

    @property
    def freedom(self) -> int:
        """Those of the typical spread."""
        return TYPICAL_FREEDOM


@dataclass(frozen=True)
class Moments:
    """How many ratings there are, their sum and the sum of their squares.

    Raises ValueError without a rating: there are no figures then, not even a mean.
    """

    n: int
    total: float
    squares: float

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError("A cell without a rating has no figures.")

    @classmethod
    def of(cls, ratings: Iterable[float]) -> Self:
        """The moments of these ratings, exact for whole points."""
        values = list(ratings)
        return cls(len(values), sum(values), sum(value * value for value in values))

    @property
    def mean(self) -> float:
        """The mean, in scale points."""
        return self.total / self.n

    @property
    def variance(self) -> float | None:
        """The sample variance, with n - 1. None for a single rating."""
        if self.n < 2:
            return None
        return max(self.n * self.squares - self.total**2, 0) / (self.n * (self.n - 1))

    @property
    def freedom(self) -> int:
        """n - 1."""
        return self.n - 1


def observed(ratings: Iterable[int | None]) -> list[int]:
    """The ratings that are numbers, in their order; whoever chose "Not observed" only makes n smaller."""
    return [rating for rating in ratings if rating is not None]


def ratings_of(counts: Sequence[int]) -> list[int]:
    """The ratings behind a distribution, ascending; `counts` has one number per point of the scale."""
    return [point for point, count in enumerate(counts, start=1) for _ in range(count)]


def mean(ratings: Iterable[float]) -> float:
    """The mean, in scale points. Raises ValueError without a rating."""
    return Moments.of(ratings).mean


def gap(self_rating: float, others: Iterable[float]) -> float:
    """The self-rating minus the others' mean, in scale points. Raises ValueError without others."""
    return self_rating - mean(others)


def gap_interval(self_rating: float, others: Interval) -> Interval:
    """The interval of the gap, when `others` is the interval of the others' mean."""
    return Interval(self_rating - others.high, self_rating - others.low)


def competency_mean(items: Sequence[float | None]) -> float | None:
    """The mean of the published items' means; None marks an item that is not published.

    None unless at least half of the items are.
    """
    published = [item for item in items if item is not None]
    if not published or 2 * len(published) < len(items):
        return None
    return mean(published)


def interval_of_mean(
    ratings: Iterable[float], *, points: int = 5, pooled_sd: float | None = None, level: float = 0.95
) -> Interval | None:
    """The interval of the mean of these ratings: `interval_from` for ratings at hand."""
    return interval_from(Moments.of(ratings), points=points, pooled_sd=pooled_sd, level=level)


def interval_from(
    cell: Moments, *, points: int = 5, pooled_sd: float | None = None, level: float = 0.95
) -> Interval | None:
    """The wider of the plain and the moderated interval. None for a single rating, which has no spread.

    Four equal ratings do not prove that everybody agrees: there the moderated one is wider. Four that lie far
    apart are not to be talked down by a calm cycle: there the plain one is.
    """
    plain = plain_interval(cell, level=level)
    moderated = moderated_interval(cell, points=points, pooled_sd=pooled_sd, level=level)
    if plain is None or moderated is None:
        return None
    return max(plain, moderated, key=lambda interval: interval.width)


def plain_interval(cell: Sample, *, level: float = 0.95) -> Interval | None:
    """Student's t interval of the mean, from the cell alone. None for a single rating."""
    if cell.variance is None:
        return None
    return Interval.around(cell.mean, _t(cell.freedom, level) * sqrt(cell.variance / cell.n))


def moderated_interval(
    cell: Moments, *, points: int = 5, pooled_sd: float | None = None, level: float = 0.95
) -> Interval | None:
    """The t interval with a moderated variance (Smyth 2004). None for a single rating.

    The cell's variance is averaged with that of the whole cycle, by degrees of freedom: n - 1 for the cell,
    `PRIOR_RATINGS` for the cycle. `pooled_sd` is that of the cycle, in scale points; None takes `TYPICAL_SD`.
    """
    if cell.variance is None:
        return None
    typical = length(TYPICAL_SD, points) if pooled_sd is None else pooled_sd
    freedom = PRIOR_RATINGS + cell.n - 1
    variance = (PRIOR_RATINGS * typical**2 + (cell.n - 1) * cell.variance) / freedom
    return Interval.around(cell.mean, _t(freedom, level) * sqrt(variance / cell.n))


def pooled_sd(cells: Iterable[Moments]) -> float | None:
    """The spread within cells over a whole cycle, in scale points. None where no cell has any.

    Give it cells with the same scale, and only what is published of them: an interval beside its own n and mean
    lets a reader work this number out, and from it the spread of a cell that was held back.
    """
    freedom, squares = 0, 0.0
    for cell in cells:
        if cell.variance is not None:
            freedom += cell.n - 1
            squares += (cell.n - 1) * cell.variance
    return sqrt(squares / freedom) if squares else None


def welch_change(before: Sample, after: Sample, *, level: float = 0.95) -> Interval | None:
    """The interval of mean(after) - mean(before), spreads not assumed equal (Welch 1947).

    None when a side is a single rating or neither side has any spread.
    """
    if before.variance is None or after.variance is None:
        return None
    first, second = before.variance / before.n, after.variance / after.n
    if not first + second:
        return None
    freedom = (first + second) ** 2 / (first**2 / before.freedom + second**2 / after.freedom)
    return Interval.around(after.mean - before.mean, _t(freedom, level) * sqrt(first + second))


def r_wg(ratings: Iterable[float], *, points: int = 5) -> float | None:
    """Agreement on one item, from 0 to 1: one minus the variance over that of answers given blindly.

    James, Demaree & Wolf (1984), where blind answers spread evenly over the points. None for a single rating.
    """
    variance = Moments.of(ratings).variance
    return None if variance is None else max(1 - variance / _blind_variance(points), 0)


def r_wg_j(items: Sequence[Moments], *, points: int = 5) -> float | None:
    """Agreement over J parallel items, from 0 to 1 (James, Demaree & Wolf 1984).

    One `Moments` per item, so that a rater who did not observe one still counts for the others. 0 where the
    ratings vary as much as blind ones or more; None without an item that two raters rated.
    """
    variances = [item.variance for item in items if item.variance is not None]
    if not variances:
        return None
    noise = mean(variances) / _blind_variance(points)
    signal = len(variances) * max(1 - noise, 0)
    return signal / (signal + noise)


def average_deviation(ratings: Iterable[float]) -> float:
    """The mean distance from the mean, in scale points (Burke, Finkelstein & Dusig 1999).

    Exact for whole points, so that it can be held against A/6. Raises ValueError without a rating.
    """
    values = list(ratings)
    cell = Moments.of(values)
    return sum(abs(cell.n * value - cell.total) for value in values) / cell.n**2


def polarisation(ratings: Iterable[float], *, points: int = 5) -> float:
    """The population SD over the largest one possible: 0 for one opinion, 1 for two equal camps at the ends.

    Raises ValueError without a rating.
    """
    cell = Moments.of(ratings)
    spread = sqrt(max(cell.n * cell.squares - cell.total**2, 0)) / cell.n
    return spread / ((points - 1) / 2)


@dataclass(frozen=True)
class Share:
    """How many of `n` raters, as a share from 0 to 1 with its interval."""

    n: int
    share: float
    interval: Interval


def favourable(counts: Sequence[int], *, more_is_worse: bool = False, level: float = 0.95) -> Share | None:
    """The share of favourable ratings: 4 and 5 of five, the upper quarter of the way on other scales.

    `counts` has one number per point. Where more is worse, the lower end is the favourable one. None below
    `DISTRIBUTION_FROM` raters. The interval is Wilson's (1927).
    """
    n, points = sum(counts), len(counts)
    if n < DISTRIBUTION_FROM:
        return None
    upward = enumerate(counts[::-1] if more_is_worse else counts, start=1)
    return wilson(sum(count for point, count in upward if point >= place(4, points)), n, level=level)


def wilson(hits: int, n: int, *, level: float = 0.95) -> Share:
    """`hits` of `n` as a share, with the score interval of Wilson (1927). `n` is at least 1."""
    # Only what counts needs it, and the web server does not count.
    from scipy.special import ndtri  # noqa: PLC0415

    share, z = hits / n, float(ndtri((1 + level) / 2))
    stretch = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / stretch
    half_width = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / stretch
    return Share(n, share, Interval(max(centre - half_width, 0), min(centre + half_width, 1)))


def _blind_variance(points: int) -> float:
    """The variance of ratings spread evenly over the points."""
    return (points * points - 1) / 12


def _t(freedom: float, level: float) -> float:
    """Student's two-sided quantile."""
    # Only what counts needs it, and the web server does not count.
    from scipy.special import stdtrit  # noqa: PLC0415

    return float(stdtrit(freedom, (1 + level) / 2))


def place(on_five: float, points: int) -> float:
    """Where a place on five points lies on a scale of `points`."""
    return 1 + length(on_five - 1, points)


def length(on_five: float, points: int) -> float:
    """How long a distance on five points is on a scale of `points`."""
    return on_five * (points - 1) / 4
