"""The auditor: whether sums and differences of published figures would isolate somebody. Exact linear algebra.

It knows nothing of the rules that decide what is published, so that a fault in these does not become one of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import Enum, auto
from fractions import Fraction
from functools import lru_cache
from itertools import chain, count, islice

from survey.core.errors import Unsafe


def audit(footing: Iterable[tuple[str, frozenset[int]]], *, k: int) -> None:
    """Passes in silence, or raises `Unsafe`.

    `footing` names for each published figure its item and the raters it rests on. Figures of one item can be
    added and subtracted; so for every item the rows of 0 and 1 are checked by exact linear algebra: no
    combination of them may rest on fewer than k raters, and nobody who takes their own answer away may be left
    with a single other rater.
    """
    by_item: dict[str, set[frozenset[int]]] = {}
    for item, raters in footing:
        by_item.setdefault(item, set()).add(raters)
    for item, sets in by_item.items():
        objection = _objection(_shape(sets), k)
        if objection is _Objection.FEW:
            raise Unsafe(f"The figures for {item} would isolate fewer than {k} raters. Nothing was published.")
        if objection is _Objection.ONE:
            raise Unsafe(f"One rater could isolate another in the figures for {item}. Nothing was published.")


class _Objection(Enum):
    """What the auditor can have against the figures of one item."""

    FEW = auto()
    ONE = auto()


_Shape = tuple[tuple[tuple[int, ...], int], ...]
"""How many raters are in exactly these sets, for each combination of sets that anybody is in. Names no rater."""


def _shape(sets: Collection[frozenset[int]]) -> _Shape:
    if len(sets) == 1:
        (only,) = sets
        return (((0,), len(only)),) if only else ()
    ordered = sorted(sets, key=lambda raters: (len(raters), sorted(raters)))
    return tuple(sorted((tuple(sorted(row)), len(alike)) for row, alike in _classes(ordered).items()))


@lru_cache(maxsize=4096)
def _objection(shape: _Shape, k: int) -> _Objection | None:
    """What the auditor has against sets of this shape. Which rater is which does not matter to it, and how many does.

    So each shape is checked once in the life of a process, and what is kept of it tells of no review and no answer.
    """
    raters = count()
    classes = [(row, frozenset(islice(raters, size))) for row, size in shape]
    numbers = {number for row, _ in classes for number in row}
    sets = [frozenset(chain.from_iterable(alike for row, alike in classes if number in row)) for number in numbers]
    if smallest_isolated(sets, below=k) is not None:
        return _Objection.FEW
    for _, alike in classes:
        if smallest_isolated([own - {min(alike)} for own in sets], below=2) is not None:
            return _Objection.ONE
    return None


def smallest_isolated(sets: Collection[frozenset[int]], *, below: int) -> frozenset[int] | None:
    """The smallest non-empty set of fewer than `below` raters on which a linear combination of `sets` rests alone.

    None if there is none. Raters who are in exactly the same sets cannot be told apart by any combination, so the
    search is over these classes. A combination rests on S alone if leaving out the columns of S lowers the rank.
    """
    classes = _classes(sets)
    small = [alike for alike in classes.values() if len(alike) < below]
    if not small:
        return None
    columns = {tuple(number in row for number in range(len(sets))): alike for row, alike in classes.items()}
    for raters in sorted(_unions(small, below), key=len):
        if _rank([row for row, alike in columns.items() if not alike <= raters]) < _rank(list(columns)):
            return raters
    return None


def _classes(sets: Collection[frozenset[int]]) -> dict[frozenset[int], frozenset[int]]:
    """The raters who are in exactly the same sets, by the numbers of these sets."""
    rows: dict[int, list[int]] = {}
    for number, raters in enumerate(sets):
        for rater in raters:
            rows.setdefault(rater, []).append(number)
    classes: dict[frozenset[int], set[int]] = {}
    for rater, row in rows.items():
        classes.setdefault(frozenset(row), set()).add(rater)
    return {row: frozenset(alike) for row, alike in classes.items()}


def _unions(classes: Sequence[frozenset[int]], below: int) -> Iterator[frozenset[int]]:
    """Every union of some of these disjoint classes that has fewer than `below` raters."""
    for index, first in enumerate(classes):
        if len(first) < below:
            yield first
            for rest in _unions(classes[index + 1 :], below - len(first)):
                yield first | rest


def _rank(vectors: Sequence[Sequence[bool]]) -> int:
    """The rank of these vectors over the rationals, exactly."""
    rows = [[Fraction(int(value)) for value in vector] for vector in vectors]
    rank = 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((index for index in range(rank, len(rows)) if rows[index][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for index in range(rank + 1, len(rows)):
            if factor := rows[index][column] / rows[rank][column]:
                rows[index] = [value - factor * over for value, over in zip(rows[index], rows[rank], strict=True)]
        rank += 1
    return rank
