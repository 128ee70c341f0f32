"""What may be shown: the rules of disclosure, applied once, at the tally, before any figure. The auditor checks them.

The rules are named R1 to R9 as in docs/threat-model.md. What `publish` leaves out exists nowhere afterwards.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from survey.core import auditor, camps
from survey.core.cycles import MINIMA
from survey.core.errors import Unsafe
from survey.core.questionnaires import Item, Questionnaire
from survey.core.relationships import COLLEAGUES, Relationship
from survey.core.responses import Response, clean

DISTRIBUTION_FROM = 6
"""R2: from so many raters a distribution is shown, and words about how far people agree."""


class Group(StrEnum):
    """Whose answers a cell rests on: a relationship, or several small groups taken together."""

    SELF = "self"
    MANAGER = "manager"
    PEER = "peer"
    DIRECT_REPORT = "direct_report"
    OTHER = "other"
    OUTSIDE = "outside"
    POOLED = "pooled"

    @property
    def label(self) -> str:
        """The group's name in a report."""
        return "All others" if self is Group.POOLED else Relationship(self).plural

    @property
    def is_anonymous(self) -> bool:
        """Whether the minimum applies."""
        return self not in {Group.SELF, Group.MANAGER}


OF_NO_COLLEAGUES = (Group.SELF, Group.MANAGER, Group.OUTSIDE)
"""The groups that never speak for the colleagues: figures of teams and of a whole round leave them out."""


class Band(StrEnum):
    """R7: near an end of the scale a small group is shown as a band, so that no one's own answer can be read off."""

    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True)
class Cell:
    """One published figure: what one group said of one item.

    `n` counts the raters who observed the item. `total` is the sum of their ratings, None under a band. Of six raters
    and more `counts` has one number per point of the scale. Of fewer nothing is kept of how they differ, but that they
    are far apart, where that tells of nobody (`survey.core.camps`).
    """

    item: str
    group: Group
    n: int
    total: int | None = None
    counts: tuple[int, ...] | None = None
    band: Band | None = None
    is_far_apart: bool = False


@dataclass(frozen=True)
class Comment:
    """One open answer. Of an anonymous rater it carries nothing but the question: no group, no order, no id."""

    item: str
    group: Group
    text: str


@dataclass(frozen=True)
class Certificate:
    """What the auditor checked before anything was stored: so many anonymous cells.

    `raters` is the sum of the numbers that stand beside the anonymous groups anyway.
    """

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

    R1: a cell needs k raters who observed that item. R2: distributions from six raters on; of fewer, the mean is all
    that is said, and at some means that they lie far apart. R3: the groups in which fewer than k answered are pooled,
    all of them at once, so that no order is left to choose; what is still under k is dropped. There are no totals, so
    that nothing can be subtracted, and an item that too few of a group observed is left out for that group alone.
    R7: bands. R8: self and manager are never counted with anybody. R9: outside raters are a group of their own, never
    pooled, shown from k on or not at all. Comments of all colleagues lie together, and those of outside raters apart;
    `shuffle` puts those on one question into a random order, in place. A comment without a letter, a digit or a symbol
    is no answer: it is not shown, and not counted towards the k.

    Two things stay readable. R7 ends where R2 begins: the distribution of six raters and more says when they were
    unanimous, or all but one. And of fewer, where all but one chose the same end of the scale, that one may know
    it from the mean or the band alone: only means from the very middle of the scale could prevent that.

    Raises `Unsafe` for a minimum that no cycle may have, and when the auditor finds that a figure is not what it
    is called, or a way to isolate fewer than k raters, or a single one with the help of another.
    """
    if k not in MINIMA:
        raise Unsafe(f"A minimum of {k} is none that a round may have. Nothing was published.")
    members = _members(responses, k)
    cells = tuple(
        cell
        for item in questionnaire.items
        if item.scale is not None
        for group, own in members.items()
        if (cell := _cell(item, item.scale.points, group, _ratings(own, item), k))
    )
    answered = tuple((group, len(own)) for group, own in members.items())
    footing = list(_footing(cells, members.keys(), responses))
    auditor.audit(footing, k=k)
    return Published(
        k=k,
        answered=answered,
        cells=cells,
        comments=tuple(_comments(questionnaire, responses, k, shuffle)),
        certificate=Certificate(k, len(footing), sum(number for group, number in answered if group.is_anonymous)),
    )


def _footing(
    cells: Iterable[Cell], shown: Collection[Group], responses: Sequence[Response]
) -> Iterator[tuple[str, frozenset[int]]]:
    """The raters on whom each anonymous cell rests, read off the responses anew from what the cell is called.

    Raises `Unsafe` where the cell's own numbers are not those of these raters.
    """
    voices: dict[Group, list[tuple[int, Mapping[str, int | None]]]] = {}
    for cell in cells:
        if not cell.group.is_anonymous:
            continue
        if cell.group not in voices:
            speaking = (
                {relationship for relationship in COLLEAGUES if Group(relationship) not in shown}
                if cell.group is Group.POOLED
                else {Relationship(cell.group)}
            )
            voices[cell.group] = [
                (index, response.answers.ratings)
                for index, response in enumerate(responses)
                if response.relationship in speaking
            ]
        said = {index: rating for index, own in voices[cell.group] if (rating := own.get(cell.item)) is not None}
        ratings = list(said.values())
        is_total = cell.total is None or cell.total == sum(ratings)
        is_tally = cell.counts is None or (
            sum(cell.counts) == len(ratings)
            and all(ratings.count(point) == number for point, number in enumerate(cell.counts, 1))
        )
        if cell.n != len(ratings) or not is_total or not is_tally:
            raise Unsafe(f"The figures for {cell.item} are not those of the people they name. Nothing was published.")
        yield cell.item, frozenset(said)


def _members(responses: Sequence[Response], k: int) -> dict[Group, list[Response]]:
    """The groups that can be shown, with their responses. Small ones are pooled, or left out.

    Outside raters come last, so that what is said in words is about colleagues where any are shown.
    """
    by_relationship: dict[Relationship, list[Response]] = {}
    for response in responses:
        by_relationship.setdefault(response.relationship, []).append(response)
    members = {
        Group(relationship): by_relationship[relationship]
        for relationship in Relationship
        if relationship in by_relationship
        and (not relationship.is_anonymous or len(by_relationship[relationship]) >= k)
    }
    small = [by_relationship.get(relationship, []) for relationship in COLLEAGUES if Group(relationship) not in members]
    pooled = [response for own in small for response in own]
    if len(pooled) >= k:
        members[Group.POOLED] = pooled
    if Group.OUTSIDE in members:
        members[Group.OUTSIDE] = members.pop(Group.OUTSIDE)
    return members


def seated(responses: Iterable[Response], invited: Mapping[str, int]) -> list[Response]:
    """The first responses of each relationship, as many as were `invited` of it at the end.

    Who was replaced or withdrawn may have answered, and nobody can tell which answer is theirs. So where there are
    more answers than places, as many are left out. Give them in random order: then it is decided by lot, and no
    number tells that somebody answered who is not asked any more.
    """
    left = {relationship: invited.get(relationship, 0) for relationship in Relationship}
    kept = []
    for response in responses:
        if left[response.relationship] > 0:
            left[response.relationship] -= 1
            kept.append(response)
    return kept


def _ratings(responses: Iterable[Response], item: Item) -> list[int]:
    """What those said who observed the item."""
    return [rating for response in responses if (rating := response.answers.ratings.get(item.key)) is not None]


def _cell(item: Item, points: int, group: Group, ratings: Sequence[int], k: int) -> Cell | None:
    n, total = len(ratings), sum(ratings)
    if not group.is_anonymous:
        return Cell(item.key, group, n, total) if n else None
    if n < k:
        return None
    if n >= DISTRIBUTION_FROM:
        return Cell(item.key, group, n, total, tuple(map(ratings.count, range(1, points + 1))))
    if band := _band(n, total, points):
        return Cell(item.key, group, n, band=band)
    return Cell(item.key, group, n, total, is_far_apart=camps.are_far_apart(ratings, points))


def _band(n: int, total: int, points: int) -> Band | None:
    """The band of whoever is within half a point of an end, unanimous or not.

    A band for unanimous groups alone would say by itself that they were unanimous. Half a point is half a point
    on every scale: a shorter reach on two or three points would leave only unanimous groups within it. On two
    points every small group has a band; one that is split evenly is in both, and gets the upper one.
    """
    if 2 * total >= n * (2 * points - 1):
        return Band.HIGH
    return Band.LOW if 2 * total <= 3 * n else None


def _comments(
    questionnaire: Questionnaire, responses: Sequence[Response], k: int, shuffle: Callable[[list[Comment]], None]
) -> Iterator[Comment]:
    for item in questionnaire.items:
        if item.scale is not None:
            continue
        attributed: list[Comment] = []
        anonymous: dict[Group, list[Comment]] = {Group.POOLED: [], Group.OUTSIDE: []}
        for response in responses:
            said = response.answers.comments.get(item.key)
            if not said or not _says_something(text := clean(said)):
                continue
            group = _voice(response.relationship)
            anonymous.get(group, attributed).append(Comment(item.key, group, text))
        yield from attributed
        for together in anonymous.values():
            if len(together) >= k:
                shuffle(together)
                yield from together


def _voice(relationship: Relationship) -> Group:
    """Under what a comment is shown: of all colleagues it says no more than that."""
    return Group.POOLED if relationship in COLLEAGUES else Group(relationship)


def _says_something(text: str) -> bool:
    """Whether it has a letter, a digit or a symbol; nearly every text begins with one."""
    return text[:1].isalnum() or any(unicodedata.category(char)[0] in "LNS" for char in text)
