"""How often a report's words are wrong, for simulated engineers whose true gaps are known.

Run with `make bench-labels`. The same seed prints the same tables: the rule of the report, then the bare gap of half a
point between two means; then the false directions of both, and of the rule before ADR 0035, over many such companies,
since one has few of them. Last, by enumeration, typical, skewed and polarised groups (`make bench-small` has more).

Truth. Each engineer shows each behavior with a certain strength, and every colleague who might be asked reads
it with an own leniency and an own error, then ticks the nearest of five points. The true mean is the expected
tick over all such colleagues, not over the five who were asked. The true gap is the self-rating as it was
ticked minus the true mean: "higher" from half a point up, "lower" from half a point down, else "about the
same".

A false direction is defined twice. Strict: a word says higher or lower, and the true gap points to the other side
of zero, so that the engineer is told the opposite of what is so. Wide: a word says higher or lower, and the truth is
not that; most of these are near misses, true gaps just short of half a point. The target of 0.5 % is held against
the strict one, as a share of all cells; both are printed, as shares of the cells with a direction and of all.

"No clear difference" makes no claim that could be false. How often the truth is "about the same" behind it is printed,
and how often an interval would show closeness by itself, lying wholly within half a point of the self-rating: that is
why no word claims it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from survey.core import camps, labels, samples, statistics
from survey.core.disclosure import Cell, Group
from survey.core.labels import Perception
from survey.core.statistics import Interval, Moments
from tests.benchmarks import small
from tests.benchmarks.rounding import rounded_squares

SEED = 360
ENGINEERS, BEHAVIORS, PEERS, K = 200, 9, 5, 4

LEVEL = 3.6  # The strength of the average behavior, in scale points.
BETWEEN_ENGINEERS, BETWEEN_BEHAVIORS = 0.45, 0.35
LENIENCY, ERROR = 0.45, 0.75  # Of a peer over all behaviors of one engineer, and in a single rating.
SELF_BIAS, SELF_LENIENCY, SELF_ERROR = 0.3, 0.5, 0.6
NOT_OBSERVED = 0.08

COMPANIES = 25  # with seeds from SEED on, for the rates of what is rare

SAME = Perception.NO_CLEAR_DIFFERENCE  # of a truth: less than half a point apart
DIRECTIONS = (Perception.HIGHER, Perception.LOWER)


@dataclass(frozen=True)
class Case:
    """One behavior of one engineer, as the report sees it and as it is."""

    engineer: int
    self_rating: int
    cell: Moments
    is_far_apart: bool
    true_mean: float

    @property
    def true_gap(self) -> float:
        return self.self_rating - self.true_mean

    @property
    def truth(self) -> Perception:
        return bare(self.true_gap)


def main() -> None:
    cases = list(simulated(np.random.default_rng(SEED)))
    pooled_sd = statistics.pooled_sd(case.cell for case in cases)
    intervals = [of_the_report(case, pooled_sd) for case in cases]
    pairs = list(zip(cases, intervals, strict=True))
    covered = sum(interval is not None and interval.contains(case.true_mean) for case, interval in pairs)
    by_rule = [labels.perception(case.self_rating, case.cell.mean, interval) for case, interval in pairs]
    by_gap = [bare(case.self_rating - case.cell.mean) for case in cases]

    print(f"{ENGINEERS} engineers, {BEHAVIORS} behaviors, {PEERS} peers, seed {SEED}")
    print(f"{len(cases)} cells with {K} ratings or more, pooled spread {pooled_sd:.2f} points")
    print_share("intervals that hold the true mean", covered, len(cases))
    print()
    print_table("The rule of the report", cases, by_rule)
    print_table("The bare gap of half a point", cases, by_gap)
    unclear = [pair for pair, word in zip(pairs, by_rule, strict=True) if word is SAME]
    shown = sum(is_close(case, interval) for case, interval in pairs)
    print("What “no clear difference” rests on")
    print_share("the truth is about the same", sum(case.truth is SAME for case, _ in unclear), len(unclear))
    print_share("cells whose interval shows closeness", shown, len(cases))
    print()
    print_many()
    print()
    small.print_intervals()


def print_many() -> None:
    """The false directions of both rules, by both definitions, over many companies."""
    totals: Counter[str] = Counter()
    for seed in range(SEED, SEED + COMPANIES):
        cases = list(simulated(np.random.default_rng(seed)))
        pooled_sd = statistics.pooled_sd(case.cell for case in cases)
        totals["cells"] += len(cases)
        for case in cases:
            words = {
                "rule": labels.perception(case.self_rating, case.cell.mean, of_the_report(case, pooled_sd)),
                "before": labels.perception(case.self_rating, case.cell.mean, rounded_up(case, pooled_sd)),
                "bare": bare(case.self_rating - case.cell.mean),
            }
            for rule, word in words.items():
                if word in DIRECTIONS:
                    totals[rule, "named"] += 1
                    totals[rule, "strict"] += is_opposite(case, word)
                    totals[rule, "wide"] += case.truth is not word
    print(f"False directions over {COMPANIES} companies of {ENGINEERS} engineers, {totals['cells']} cells")
    for rule, title in (("rule", "the rule"), ("before", "before ADR 0035"), ("bare", "the bare gap")):
        print_share(f"{title}, directions", totals[rule, "named"], totals["cells"])
        for definition in ("strict", "wide"):
            found = totals[rule, definition]
            print_share(f"{title}, {definition}, of directions", found, totals[rule, "named"])
            print_share(f"{title}, {definition}, of all cells", found, totals["cells"])


def of_the_report(case: Case, pooled_sd: float | None) -> Interval:
    """The interval by the rule for so many ratings; near the ends too, where the report shows a band."""
    cell = Cell("", Group.PEER, case.cell.n, int(case.cell.total), is_far_apart=case.is_far_apart)
    sample = samples.of(cell, 5, pooled_sd)
    assert sample is not None
    return samples.interval(sample, 5, pooled_sd)


def rounded_up(case: Case, pooled_sd: float | None) -> Interval | None:
    """The interval as it was before: of the group's own spread, rounded up."""
    n, total, squares = case.cell.n, int(case.cell.total), int(case.cell.squares)
    before = Moments(n, total, rounded_squares(n, 5)[total, squares])
    return statistics.interval_from(before, pooled_sd=pooled_sd)


def is_opposite(case: Case, word: Perception) -> bool:
    """Whether the true gap points to the other side of zero."""
    return (case.true_gap > 0) is not (word is Perception.HIGHER)


def is_close(case: Case, interval: Interval | None) -> bool:
    """Whether the interval of the gap lies wholly within half a point of zero."""
    return interval is not None and interval.low >= case.self_rating - 0.5 and interval.high <= case.self_rating + 0.5


def simulated(random: np.random.Generator) -> Iterator[Case]:
    """The cells that a report may show."""
    normal, grid = random.standard_normal, (ENGINEERS, BEHAVIORS, PEERS)
    strength = LEVEL + BETWEEN_ENGINEERS * normal(grid[:1])[:, None] + BETWEEN_BEHAVIORS * normal(grid[:2])
    leniency = LENIENCY * normal((ENGINEERS, PEERS))[:, None, :]
    ratings = ticked(strength[:, :, None] + leniency + ERROR * normal(grid))
    bias = SELF_BIAS + SELF_LENIENCY * normal(grid[:1])[:, None]
    own = ticked(strength + bias + SELF_ERROR * normal(grid[:2]))
    is_observed = random.random(grid) >= NOT_OBSERVED
    true_means = expected_tick(strength)
    for engineer, behavior in np.ndindex(strength.shape):
        seen = ratings[engineer, behavior][is_observed[engineer, behavior]].tolist()
        if len(seen) >= K:
            yield Case(
                engineer,
                int(own[engineer, behavior]),
                Moments.of(seen),
                camps.are_far_apart(seen, 5),
                float(true_means[engineer, behavior]),
            )


def ticked(impression: NDArray[np.float64]) -> NDArray[np.int64]:
    """The nearest of the five points."""
    return np.rint(impression).clip(1, 5).astype(np.int64)


def expected_tick(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over all colleagues: one point, and one for each boundary that an impression passes."""
    boundaries = np.array([1.5, 2.5, 3.5, 4.5])
    passes = ndtr((strength[..., None] - boundaries) / np.hypot(LENIENCY, ERROR))
    return np.asarray(1 + passes.sum(axis=-1))


def bare(gap: float) -> Perception:
    """The word that the gap alone would give."""
    if abs(gap) < 0.5:
        return SAME
    return Perception.HIGHER if gap > 0 else Perception.LOWER


def print_table(title: str, cases: list[Case], words: list[Perception]) -> None:
    counts = Counter((case.truth, word) for case, word in zip(cases, words, strict=True))
    print(title)
    print(f"  {'truth':<22}" + "".join(f"{word:>20}" for word in Perception) + f"{'all':>8}")
    for truth in (Perception.HIGHER, SAME, Perception.LOWER):
        row = [counts[truth, word] for word in Perception]
        print(f"  {named_truth(truth):<22}" + "".join(f"{count:>20}" for count in row) + f"{sum(row):>8}")
    named = [(case, word) for case, word in zip(cases, words, strict=True) if word in DIRECTIONS]
    false = [case for case, word in named if case.truth is not word]
    opposite = [case for case, word in named if is_opposite(case, word)]
    print_share("cells with a direction", len(named), len(cases))
    print_share("false, strict, of directions", len(opposite), len(named))
    print_share("false, strict, of all cells", len(opposite), len(cases))
    print_share("false, wide, of directions", len(false), len(named))
    print_share("false, wide, of all cells", len(false), len(cases))
    print_share("engineers with a false direction", len({case.engineer for case in false}), ENGINEERS)
    print_share(
        "true directions that are named",
        len(named) - len(false),
        sum(case.truth in DIRECTIONS for case in cases),
    )
    print()


def named_truth(truth: Perception) -> str:
    return "about the same" if truth is SAME else truth


def print_share(what: str, hits: int, n: int) -> None:
    print(f"  {what:<40}{hits:>6} of {n:<6}{hits / n:>8.2%}")


if __name__ == "__main__":
    main()
