"""What a report gives away of three, four and five people, and how far its intervals carry: by enumeration.

Run with `make bench-small`. Nothing is drawn: every set of ratings is weighed with its chance, for three
kinds of groups. Three rules: the spread rounded up, as it was before ADR 0035; the usual spread of the round
alone; and that with the one bit of "far apart", which is the rule now. Bands are the same under all three.

The first table, in percent. *Outsider*: cells of which a reader knows the exact ratings. *Each*: raters who know from
the report and their own rating what each of the others rated, and the cells that have such a rater. *Set*: raters who
know which ratings the others gave, and not who gave which. The second: which of the sets that look alike tell something
on scales of other lengths. The third, over cells with a mean: intervals that hold the true mean, their width, and
directions that are named beside self-ratings of 1 to 5, with those that point to the wrong side.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations_with_replacement
from math import factorial, prod

from survey.core import disclosure, labels, samples, statistics
from survey.core.competencies import Section
from survey.core.disclosure import Cell, Group
from survey.core.labels import Perception
from survey.core.questionnaires import EVERYBODY, FREQUENCY, Item
from survey.core.statistics import Interval, Moments
from tests.benchmarks.rounding import Ratings, rounded_squares

PROFILES: Mapping[str, Sequence[float]] = {
    "typical": (0.02, 0.08, 0.30, 0.42, 0.18),
    "skewed": (0.00, 0.02, 0.08, 0.25, 0.65),
    "polarised": (0.30, 0.10, 0.10, 0.15, 0.35),
}
"""How many in a hundred tick each of five points."""

SIZES = (3, 4, 5)
KNOWN = ("outsider", "each", "each cell", "set", "set cell")
DIRECTIONS = (Perception.HIGHER, Perception.LOWER)
ITEM = Item("1.key_behaviors.1", Section.KEY_BEHAVIORS, "Listens", FREQUENCY, EVERYBODY)


def rounded(ratings: Ratings, points: int) -> Hashable:
    """What was published before: the total, with the sum of squares rounded up."""
    cell = published(ratings, points)
    return cell.band or (cell.total, _squares(ratings, points))


def usual(ratings: Ratings, points: int) -> Hashable:
    """The total alone."""
    cell = published(ratings, points)
    return cell.band or cell.total


def published(ratings: Ratings, points: int) -> Cell:
    """What is published now."""
    cell = disclosure._cell(ITEM, points, Group.PEER, ratings, min(SIZES))
    assert cell is not None
    return cell


def interval_before(ratings: Ratings) -> Interval:
    """The interval of the rounded spread."""
    found = statistics.interval_from(Moments(len(ratings), sum(ratings), _squares(ratings, 5)))
    assert found is not None
    return found


def interval_usual(ratings: Ratings) -> Interval:
    """The interval of the usual spread."""
    return _interval(Cell("", Group.PEER, len(ratings), sum(ratings)))


def interval_now(ratings: Ratings) -> Interval:
    """The interval of the report."""
    return _interval(published(ratings, 5))


Rule = tuple[str, Callable[[Ratings, int], Hashable], Callable[[Ratings], Interval]]
RULES: Sequence[Rule] = (
    ("rounded up, before", rounded, interval_before),
    ("usual spread alone", usual, interval_usual),
    ("with far apart, now", published, interval_now),
)


def main() -> None:
    """Prints the tables."""
    _print_knowledge()
    _print_lengths()
    print_intervals()


def _print_knowledge() -> None:
    print("What is known, in percent")
    head = f"{'outsider':>10}{'each':>9}{'cells':>9}{'set':>9}{'cells':>9}"
    print(f"  {'n':<3}{'ratings':<11}{'rule':<22}{head}")
    for n in SIZES:
        for profile, shares in PROFILES.items():
            for name, show, _ in RULES:
                known = Counter[str]()
                for alike in looks(n, 5, show):
                    for ratings in alike:
                        weight = chance(ratings, shares)
                        known.update({what: weight * part for what, part in _known(alike, ratings)})
                first, *rest = (known[what] for what in KNOWN)
                figures = f"{first:>10.2%}" + "".join(f"{share:>9.2%}" for share in rest)
                print(f"  {n:<3}{profile:<11}{name:<22}{figures}")
    print()


def _known(alike: Sequence[Ratings], ratings: Ratings) -> Iterator[tuple[str, float]]:
    """What is known of these ratings where all of these look alike, and by how many of those who could know it."""
    yield "outsider", float(len(alike) == 1)
    sets = [others(alike, own) for own in ratings]
    knows_set = [len(left) == 1 for left in sets]
    knows_each = [len(left) == 1 and len(set(next(iter(left)))) == 1 for left in sets]
    yield "each", sum(knows_each) / len(ratings)
    yield "each cell", float(any(knows_each))
    yield "set", sum(knows_set) / len(ratings)
    yield "set cell", float(any(knows_set))


def _print_lengths() -> None:
    print(
        "Scales of other lengths: looks that a group can have, and of these with one set only / with a rater who knows"
    )
    print(f"  {'points':<8}" + "".join(f"{f'n = {n}, {rule}':>26}" for n in SIZES for rule in ("before", "now")))
    for points in range(2, 11):
        row = ""
        for n in SIZES:
            for show in (rounded, published):
                found = looks(n, points, show)
                alone = sum(len(alike) == 1 for alike in found)
                known = sum(any(_is_certain(alike, own) for own in set(sum(alike, ()))) for alike in found)
                row += f"{f'{len(found)}: {alone} / {known}':>26}"
        print(f"  {points:<8}{row}")
    print()


def _is_certain(alike: Sequence[Ratings], own: int) -> bool:
    left = others(alike, own)
    return len(left) == 1 and len(set(next(iter(left)))) == 1


def print_intervals() -> None:
    """Coverage, width and directions of all rules, for the three kinds of groups."""
    print(f"Intervals at a usual spread of {statistics.TYPICAL_SD}, and directions beside self-ratings of 1 to 5")
    head = f"{'covers':>8}{'width':>7}{'named':>9}{'wrong':>9}{'wrong at 3':>12}"
    print(f"  {'n':<3}{'ratings':<11}{'rule':<22}{head}")
    for n in SIZES[1:]:
        for profile, shares in PROFILES.items():
            for name, _, interval in RULES:
                figures = _measured(n, shares, interval)
                covers, width, named, wrong, beside = (figures[what] for what in sorted(figures))
                words = f"{named:>9.2%}{wrong:>9.3%}{beside:>12.2%}"
                print(f"  {n:<3}{profile:<11}{name:<22}{covers:>8.3f}{width:>7.2f}{words}")


def _measured(n: int, shares: Sequence[float], interval: Callable[[Ratings], Interval]) -> Mapping[str, float]:
    truth = sum(point * share for point, share in enumerate(shares, 1))
    found, whole = Counter[str](), 0.0
    for ratings in sets(n, 5):
        if published(ratings, 5).band:
            continue
        weight, drawn = chance(ratings, shares), interval(ratings)
        whole += weight
        found["1 covers"] += weight * drawn.contains(truth)
        found["2 width"] += weight * drawn.width
        for own in range(1, 6):
            word = labels.perception(own, sum(ratings) / n, drawn)
            is_wrong = word in DIRECTIONS and (word is Perception.HIGHER) is not (own > truth)
            found["3 named"] += weight * (word in DIRECTIONS) / 5
            found["4 wrong"] += weight * is_wrong / 5
            found["5 wrong beside 3"] += weight * is_wrong * (own == 3)
    return {what: share / whole for what, share in found.items()}


def _interval(cell: Cell) -> Interval:
    sample = samples.of(cell, 5, None)
    assert sample is not None
    return samples.interval(sample, 5, None)


def _squares(ratings: Ratings, points: int) -> int:
    exact = sum(rating * rating for rating in ratings)
    return rounded_squares(len(ratings), points)[sum(ratings), exact]


@cache
def looks(n: int, points: int, show: Callable[[Ratings, int], Hashable]) -> Sequence[Sequence[Ratings]]:
    """The sets of ratings, those together that look alike."""
    found = defaultdict(list)
    for ratings in sets(n, points):
        found[show(ratings, points)].append(ratings)
    return list(found.values())


@cache
def sets(n: int, points: int) -> Sequence[Ratings]:
    """Every set of ratings that n raters can give."""
    return list(combinations_with_replacement(range(1, points + 1), n))


def others(alike: Sequence[Ratings], own: int) -> set[Ratings]:
    """What the others may have rated, for somebody who rated `own`."""
    return {without(ratings, own) for ratings in alike if own in ratings}


def without(ratings: Ratings, own: int) -> Ratings:
    """These ratings without one of this height."""
    at = ratings.index(own)
    return ratings[:at] + ratings[at + 1 :]


def chance(ratings: Ratings, shares: Sequence[float]) -> float:
    """How often n raters of this kind give this set."""
    ways = factorial(len(ratings)) / prod(factorial(count) for count in Counter(ratings).values())
    return ways * prod(shares[rating - 1] for rating in ratings)


if __name__ == "__main__":
    main()
