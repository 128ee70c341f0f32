"""What may be shown: the rules of disclosure and the auditor, applied once, at the tally, before any figure.

The rules are named R1 to R8 as in docs/threat-model.md. What `publish` leaves out exists nowhere afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import combinations

from survey.core.errors import Unsafe
from survey.core.questionnaires import Item, Questionnaire
from survey.core.relationships import ANONYMOUS, Relationship
from survey.core.responses import Response

DISTRIBUTION_FROM = 6
"""R2: from so many raters a distribution is shown, and words about how far people agree."""


class Group(StrEnum):
    """Whose answers a cell rests on: a relationship, or several small groups taken together."""

    SELF = "self"
    MANAGER = "manager"
    PEER = "peer"
    DIRECT_REPORT = "direct_report"
    OTHER = "other"
    POOLED = "pooled"

    @property
    def label(self) -> str:
        """The group's name in a report."""
        return "All others" if self is Group.POOLED else Relationship(self).plural

    @property
    def is_anonymous(self) -> bool:
        """Whether the minimum applies."""
        return self not in {Group.SELF, Group.MANAGER}


class Band(StrEnum):
    """R7: near an end of the scale a small group is shown as a band, so that no one's own answer can be read off."""

    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True)
class Cell:
    """One published figure: what one group said of one item.

    `n` counts the raters who observed the item. `total` and `squares` are the sums of ratings and of their
    squares, None under a band; `counts` has one number per point of the scale, None below six raters.
    """

    item: str
    group: Group
    n: int
    total: int | None = None
    squares: int | None = None
    counts: tuple[int, ...] | None = None
    band: Band | None = None


@dataclass(frozen=True)
class Comment:
    """One open answer. Of an anonymous rater it carries nothing but the question: no group, no order, no id."""

    item: str
    group: Group
    text: str


@dataclass(frozen=True)
class Certificate:
    """What the auditor checked before anything was stored."""

    k: int
    cells: int
    raters: int

    @property
    def sentence(self) -> str:
        """The certificate as the reader sees it."""
        return f"No combination of the numbers in this report isolates fewer than {self.k} people."


@dataclass(frozen=True)
class Published:
    """Everything that a report may say. `answered` counts responses for groups that may be shown."""

    k: int
    answered: tuple[tuple[Group, int], ...]
    cells: tuple[Cell, ...]
    comments: tuple[Comment, ...]
    certificate: Certificate


def publish(
    questionnaire: Questionnaire,
    responses: Sequence[Response],
    *,
    k: int,
    shuffle: Callable[[list[Comment]], None],
) -> Published:
    """What may be shown of these responses under the minimum `k`.

    R1: a cell needs k raters who observed that item. R2: distributions from six raters on. R3: groups in which
    fewer than k answered are pooled; what is still under k is dropped, and there are no totals at all, so that
    nothing can be subtracted. R7: bands. R8: self and manager are never counted with anybody. `shuffle` puts
    a list of comments into a random order in place. Raises `Unsafe` when the auditor finds a way to isolate
    fewer than k raters, or a single one with the help of another.
    """
    members = _members(responses, k)
    cells: list[Cell] = []
    footing: list[tuple[str, frozenset[int]]] = []
    for item in questionnaire.items:
        if item.scale is None:
            continue
        for group, indexes in members.items():
            observed = {index: rating for index in indexes if (rating := _rating(responses[index], item)) is not None}
            cell = _cell(item, group, list(observed.values()), k)
            if cell is None:
                continue
            cells.append(cell)
            if group.is_anonymous:
                footing.append((item.key, frozenset(observed)))
    audit(footing, k=k)
    return Published(
        k=k,
        answered=tuple((group, len(indexes)) for group, indexes in members.items()),
        cells=tuple(cells),
        comments=tuple(_comments(questionnaire, responses, k, shuffle)),
        certificate=Certificate(k, len(footing), len(frozenset().union(*(raters for _, raters in footing)))),
    )


def audit(footing: Iterable[tuple[str, frozenset[int]]], *, k: int) -> None:
    """Passes in silence, or raises `Unsafe`.

    `footing` names for each published cell its item and the raters it rests on. Figures of one item can be
    added and subtracted; so for every item the rows of 0 and 1 are checked by exact linear algebra: no
    combination of them may rest on fewer than k raters, and nobody who takes their own answer away may be left
    with a single other rater.
    """
    by_item: dict[str, list[frozenset[int]]] = {}
    for item, raters in footing:
        by_item.setdefault(item, []).append(raters)
    for item, sets in by_item.items():
        if smallest_isolated(sets, below=k) is not None:
            raise Unsafe(f"The figures for {item} would isolate fewer than {k} raters. Nothing was published.")
        for insider in frozenset().union(*sets):
            left = [raters - {insider} for raters in sets]
            if smallest_isolated([raters for raters in left if raters], below=2) is not None:
                raise Unsafe(f"One rater could isolate another in the figures for {item}. Nothing was published.")


def smallest_isolated(sets: Sequence[frozenset[int]], *, below: int) -> frozenset[int] | None:
    """A non-empty set of fewer than `below` raters on which some linear combination of `sets` rests alone, or None.

    Raters who are in exactly the same sets cannot be told apart by any combination, so the search is over
    these classes. A combination rests on S alone if leaving out the columns of S lowers the rank.
    """
    classes: dict[tuple[bool, ...], set[int]] = {}
    for rater in frozenset().union(*sets):
        classes.setdefault(tuple(rater in raters for raters in sets), set()).add(rater)
    columns = sorted(classes.items(), key=lambda entry: len(entry[1]))
    full = _rank([pattern for pattern, _ in columns])
    for size in range(1, below):
        for chosen in combinations(range(len(columns)), size):
            raters = frozenset[int]().union(*(columns[index][1] for index in chosen))
            if len(raters) >= below:
                continue
            rest = [pattern for index, (pattern, _) in enumerate(columns) if index not in chosen]
            if _rank(rest) < full:
                return raters
    return None


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


def _members(responses: Sequence[Response], k: int) -> dict[Group, list[int]]:
    """The groups that can be shown, with the indexes of their responses. Small ones are pooled, or left out."""
    by_relationship: dict[Relationship, list[int]] = {}
    for index, response in enumerate(responses):
        by_relationship.setdefault(response.relationship, []).append(index)
    members = {
        Group(relationship): by_relationship[relationship]
        for relationship in Relationship
        if relationship in by_relationship
        and (not relationship.is_anonymous or len(by_relationship[relationship]) >= k)
    }
    pooled = [
        index
        for relationship in ANONYMOUS
        if len(indexes := by_relationship.get(relationship, [])) < k
        for index in indexes
    ]
    if len(pooled) >= k:
        members[Group.POOLED] = pooled
    return members


def _cell(item: Item, group: Group, ratings: Sequence[int], k: int) -> Cell | None:
    assert item.scale is not None  # noqa: S101 - only rated items come here
    n = len(ratings)
    total, squares = sum(ratings), sum(rating * rating for rating in ratings)
    if not group.is_anonymous:
        return Cell(item.key, group, n, total, squares) if n else None
    if n < k:
        return None
    if n >= DISTRIBUTION_FROM:
        tally = Counter(ratings)
        counts = tuple(tally[point] for point in range(1, item.scale.points + 1))
        return Cell(item.key, group, n, total, squares, counts)
    # A band for unanimous groups alone would say by itself that they were unanimous: it covers whoever is near.
    if 2 * total >= n * (2 * item.scale.points - 1):
        return Cell(item.key, group, n, band=Band.HIGH)
    if 2 * total <= 3 * n:
        return Cell(item.key, group, n, band=Band.LOW)
    return Cell(item.key, group, n, total, squares)


def _comments(
    questionnaire: Questionnaire, responses: Sequence[Response], k: int, shuffle: Callable[[list[Comment]], None]
) -> Iterable[Comment]:
    for item in questionnaire.items:
        if item.scale is not None:
            continue
        attributed, pooled = [], []
        for response in responses:
            text = response.answers.comments.get(item.key)
            if not text:
                continue
            if response.relationship.is_anonymous:
                pooled.append(Comment(item.key, Group.POOLED, text))
            else:
                attributed.append(Comment(item.key, Group(response.relationship), text))
        yield from attributed
        if len(pooled) >= k:
            shuffle(pooled)
            yield from pooled


def _rating(response: Response, item: Item) -> int | None:
    return response.answers.ratings.get(item.key)
