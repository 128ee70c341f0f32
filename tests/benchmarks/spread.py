"""What the typical spread of a cycle (s0) is made of, and what that does to its intervals.

Run with `make bench-spread`. Simulated cycles of calm, usual and lively raters; each has forty people with five
behaviors rated by six to eight peers, and in half of the reviews by four or five others. For each way of taking s0:
its mean over the cycles, and for small and large groups how often the interval of the mean covers the true one (that
of all who might have been asked), with its mean half-width. "All ratings" is what a program would take that did not
care about disclosure. Bands have no interval and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey.core import camps, disclosure, samples, spreads, statistics
from survey.core.disclosure import Cell, Group
from survey.core.statistics import Moments

SEED = 360
CYCLES, PEOPLE, BEHAVIORS = 40, 40, 5
KINDS = {"calm": 0.55, "usual": 0.85, "lively": 1.25}  # The SD of a single tick before it is cut to the scale.
CROWD = 20_000  # so many might have been asked


@dataclass(frozen=True)
class Case:
    """A group as it rated and as it is published, with the true mean."""

    review: int
    ratings: Moments
    published: Cell
    truth: float

    @property
    def is_shown(self) -> bool:
        """Whether the mean is."""
        return self.published.total is not None

    @property
    def is_large(self) -> bool:
        """Whether its distribution is published."""
        return self.published.counts is not None


def main() -> None:
    """Prints the table."""
    rng = np.random.default_rng(SEED)
    print(f"{'':8}{'':38}{'':>6}{'n = 4 and 5':>20}{'n = 6 to 8':>20}")
    print(f"{'raters':8}{'s0 from':38}{'s0':>6}" + f"{'covers':>10}{'half':>10}" * 2)
    for kind, error in KINDS.items():
        cycles = [list(_cycle(rng, error)) for _ in range(CYCLES)]
        for name, take in WAYS.items():
            taken = [take(cases) for cases in cycles]
            parts = []
            for is_large in (False, True):
                covered, widths = zip(*_intervals(cycles, taken, is_large), strict=True)
                parts.append(f"{np.mean(covered):10.3f}{np.mean(widths):10.2f}")
            print(f"{kind:8}{name:38}{np.mean(taken):6.2f}{''.join(parts)}")


def _intervals(
    cycles: Sequence[Sequence[Case]], taken: Sequence[float], is_large: bool
) -> Iterator[tuple[bool, float]]:
    for cases, spread in zip(cycles, taken, strict=True):
        for case in cases:
            if case.is_large is is_large and case.is_shown:
                sample = samples.of(case.published, 5, spread)
                assert sample is not None
                interval = samples.interval(sample, 5, spread)
                yield interval.contains(case.truth), interval.half_width


def _cycle(rng: np.random.Generator, error: float) -> Iterator[Case]:
    for review in range(PEOPLE):
        for _ in range(BEHAVIORS):
            height = rng.normal(3.6, 0.55)
            truth = float(_ticks(rng, height, error, CROWD).mean())
            sizes = [rng.integers(6, 9)] + ([rng.integers(4, 6)] if review % 2 else [])
            for n in sizes:
                ratings = [int(tick) for tick in _ticks(rng, height, error, n)]
                yield Case(review, Moments.of(ratings), _published(ratings), truth)


def _ticks(rng: np.random.Generator, height: float, error: float, n: int) -> NDArray[np.float64]:
    return np.clip(np.rint(rng.normal(height, error, n)), 1, 5)


def _published(ratings: Sequence[int]) -> Cell:
    """What a report shows of these ratings: a distribution from six on, else a mean or a band."""
    n, total = len(ratings), sum(ratings)
    if n >= disclosure.DISTRIBUTION_FROM:
        counts = tuple(ratings.count(point) for point in range(1, 6))
        return Cell("", Group.PEER, n, total, counts)
    if band := disclosure._band(n, total, 5):
        return Cell("", Group.PEER, n, band=band)
    return Cell("", Group.PEER, n, total, is_far_apart=camps.are_far_apart(ratings, 5))


def _pooled(cells: Iterable[Moments]) -> float:
    return statistics.pooled_sd(cells) or 0


WAYS: dict[str, Callable[[Sequence[Case]], float]] = {
    "0.9, as without a cycle": lambda cases: statistics.TYPICAL_SD,
    "all ratings": lambda cases: _pooled(case.ratings for case in cases),
    "published distributions": lambda cases: _pooled(case.ratings for case in cases if case.is_large),
    "the same, rounded up: the rule": lambda cases: spreads.of_cycle((case.review, case.published) for case in cases)[
        5
    ],
}


if __name__ == "__main__":
    main()
