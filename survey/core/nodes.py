"""Team and organisation views (R6): what the reports of several subjects say together, and nothing that they do not.

A figure here is made of published cells alone. Whoever reads all reports could work it out, so no answer that was
held back is in it, and the tally opens nothing again.

Which minimum counts whom. Raters: each cell already rests on k of them, and the raters of one review are different
people, whatever else they rated; so every figure here rests on k people, too. Subjects: at least five, counted for
each sentence among those who have a cell for it, since the members of a team may be rated on quite different pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import count, islice

from survey.core import disclosure, statistics
from survey.core.disclosure import Band, Cell
from survey.core.errors import BadInput, Unsafe
from survey.core.questionnaires import Questionnaire, Scale
from survey.core.sections import Section

LEAST_SUBJECTS = 5
"""R6: how many subjects a figure needs, and how many must lie between two figures that differ."""


@dataclass(frozen=True)
class Team:
    """A node of the fixed tree: the subjects who stand in it directly, by key, and the teams below it."""

    key: str
    members: frozenset[str]
    teams: tuple[Team, ...] = ()

    @cached_property
    def subjects(self) -> frozenset[str]:
        """Everybody in it and below it."""
        return self.members.union(*(team.subjects for team in self.teams))


@dataclass(frozen=True)
class Sentence:
    """What was rated: within one cycle, items with the same words and the same scale are one sentence."""

    section: Section
    origin: str
    text: str
    scale: Scale


@dataclass(frozen=True)
class Review:
    """What one subject was reviewed on, and the cells that their report shows. A subject has one in a cycle."""

    subject: str
    questionnaire: Questionnaire
    cells: tuple[Cell, ...]

    @cached_property
    def said(self) -> dict[Sentence, tuple[Cell, ...]]:
        """The cells of anonymous groups, by sentence."""
        found: dict[Sentence, tuple[Cell, ...]] = {}
        for item in self.questionnaire.items:
            own = tuple(cell for cell in self.cells if cell.item == item.key and cell.group.is_anonymous)
            if own and item.scale:
                sentence = Sentence(item.section, item.origin, item.text, item.scale)
                found[sentence] = found.get(sentence, ()) + own
        return found


class Kind(StrEnum):
    """The two figures of a line."""

    MEAN = "mean"
    FAVOURABLE = "favourable"


@dataclass(frozen=True)
class Figure:
    """A mean in scale points or a share from 0 to 1, of `n` ratings about `subjects` people.

    `margin` says how far a mean may be off because cells that are shown as a band count with its middle.
    """

    value: float
    n: int
    subjects: int
    margin: float = 0.0


@dataclass(frozen=True)
class Line:
    """What is said of one sentence.

    The mean rests on every cell; on two points it says little, and there is none. The favourable share rests on
    the cells with a distribution. Either is missing where too few subjects have such cells.
    """

    sentence: Sentence
    figures: Mapping[Kind, Figure]


@dataclass(frozen=True)
class Node:
    """A team's view: a line for each sentence of which something may be shown."""

    team: Team
    lines: tuple[Line, ...]


def publishable(tree: Team, subjects: Collection[str], *, known: Collection[str] = ()) -> tuple[Team, ...]:
    """The teams of which a figure that rests on these `subjects` may be shown, from the top down.

    R6 for each part and its parent is not enough: the parent less all parts that are shown must leave nobody or
    five, too. Where it would leave fewer, the smallest parts are not shown (of equal ones the later), until it does;
    and nothing is shown below a team that is not. So whatever is added and subtracted leaves nobody or five.
    `known` are subjects whose reports the reader has: of the others, it must leave nobody or five as well.
    """
    everybody, strangers = frozenset(subjects), frozenset(subjects) - frozenset(known)
    if len(tree.subjects & everybody) < LEAST_SUBJECTS or not _is_enough(tree.subjects & strangers):
        return ()
    return (tree, *_parts(tree, everybody, strangers))


def build(tree: Team, reviews: Sequence[Review], *, known: Collection[str] = ()) -> tuple[Node, ...]:
    """The nodes for somebody who reads the reports of the subjects in `known`, from the top down.

    `tree` is the part of the fixed tree that this person may see; `reviews` are those of a whole cycle. A node
    without a line is left out. Raises `BadInput` if the tree names a team or a subject twice.
    """
    _check_tree(tree)
    nodes = publishable(tree, [review.subject for review in reviews], known=known)
    lines: dict[str, list[Line]] = {team.key: [] for team in nodes}
    for sentence in _sentences(reviews):
        footings = {kind: _footing(reviews, sentence, kind) for kind in Kind}
        shown = {
            kind: {team.key for team in publishable(tree, footing, known=known)} for kind, footing in footings.items()
        }
        for team in nodes:
            figures = {
                kind: _figure(kind, footing, team, sentence)
                for kind, footing in footings.items()
                if team.key in shown[kind]
            }
            if figures:
                lines[team.key].append(Line(sentence, figures))
    return tuple(Node(team, tuple(lines[team.key])) for team in nodes if lines[team.key])


def audit_union(nodes: Sequence[Node], reviews: Sequence[Review], *, known: Collection[str] = (), k: int) -> None:
    """Passes in silence, or raises `Unsafe`: the auditor over everything that one person may see together.

    That is these `nodes` and the reports of the subjects in `known`; `reviews` are those of the whole cycle. Every
    figure of a node must be what published cells give. Then one linear system is checked for each sentence: no
    combination may rest on fewer than k raters, nor on fewer than five of the subjects whose reports stay closed.

    The tally knows no persons. Ratings of two subjects are two unknowns, and that is exact even where one person
    gave both. But whoever rated several subjects knows a rating in each of those reviews. Nobody can say in which,
    so the insider here knows one in every cell at once, more than any person can, and must still not be left with
    a single other rater.
    """
    shown = (line.sentence for node in nodes for line in node.lines)
    for sentence in dict.fromkeys([*_sentences(reviews), *shown]):
        people = count()
        raters = {
            (review.subject, cell): frozenset(islice(people, cell.n))
            for review in reviews
            for cell in review.said.get(sentence, ())
        }
        seen = [own for (subject, _), own in raters.items() if subject in known]
        for kind in Kind:
            footing = _footing(reviews, sentence, kind)
            teams = _teams_with(nodes, kind, footing, sentence)
            seen += [
                frozenset[int]().union(*(raters[subject, cell] for subject in members for cell in footing[subject]))
                for members in teams
            ]
            _check_subjects(teams, known, sentence)
        insider = frozenset(min(own) for own in raters.values() if own)
        if disclosure.smallest_isolated(seen, below=k) is not None:
            raise Unsafe(f"What is seen together of “{sentence.text}” would isolate fewer than {k} raters.")
        if disclosure.smallest_isolated([own - insider for own in seen], below=2) is not None:
            raise Unsafe(f"One rater could isolate another in what is seen together of “{sentence.text}”.")


def _is_enough(subjects: Collection[str]) -> bool:
    return not subjects or len(subjects) >= LEAST_SUBJECTS


def _parts(team: Team, everybody: frozenset[str], strangers: frozenset[str]) -> list[Team]:
    """What is shown below a team that is shown."""
    shown = [
        part
        for part in team.teams
        if len(part.subjects & everybody) >= LEAST_SUBJECTS and _is_enough(part.subjects & strangers)
    ]
    shown.sort(key=lambda part: -len(part.subjects & everybody))
    while shown:
        rest = team.subjects.difference(*(part.subjects for part in shown))
        if _is_enough(rest & everybody) and _is_enough(rest & strangers):
            break
        shown.pop()
    return [below for part in shown for below in (part, *_parts(part, everybody, strangers))]


def _check_tree(tree: Team) -> None:
    teams = _all_teams(tree)
    for kind, times in (
        ("team", Counter(team.key for team in teams)),
        ("person", Counter(subject for team in teams for subject in team.members)),
    ):
        if twice := [key for key, number in times.items() if number > 1]:
            raise BadInput(f"The {kind} {twice[0]} stands twice in the tree of teams; each has one place.")


def _all_teams(tree: Team) -> list[Team]:
    return [tree, *(team for part in tree.teams for team in _all_teams(part))]


def _sentences(reviews: Sequence[Review]) -> list[Sentence]:
    return list(dict.fromkeys(sentence for review in reviews for sentence in review.said))


def _footing(reviews: Sequence[Review], sentence: Sentence, kind: Kind) -> dict[str, tuple[Cell, ...]]:
    """The cells on which a figure of this kind rests, by subject. Without those who have none."""
    if kind is Kind.MEAN and sentence.scale.points == 2:
        return {}
    cells = {
        review.subject: tuple(
            cell for cell in review.said.get(sentence, ()) if kind is Kind.MEAN or cell.counts is not None
        )
        for review in reviews
    }
    return {subject: own for subject, own in cells.items() if own}


def _figure(kind: Kind, footing: Mapping[str, Sequence[Cell]], team: Team, sentence: Sentence) -> Figure:
    cells = [cell for subject, own in footing.items() if subject in team.subjects for cell in own]
    subjects = len(team.subjects & footing.keys())
    points = sentence.scale.points
    n = sum(cell.n for cell in cells)
    if kind is Kind.FAVOURABLE:
        counts = [sum(column) for column in zip(*(cell.counts for cell in cells if cell.counts), strict=True)]
        share = statistics.favourable(counts, more_is_worse=sentence.section is Section.COMMON_STRUGGLES)
        assert share is not None  # noqa: S101 - a distribution has enough ratings for a share
        return Figure(share.share, n, subjects)
    # A band reaches half a point inward from its end of the scale.
    middles = {Band.LOW: 1.25, Band.HIGH: points - 0.25}
    total = sum(cell.n * middles[cell.band] if cell.band else cell.total or 0 for cell in cells)
    return Figure(total / n, n, subjects, margin=0.25 * sum(cell.n for cell in cells if cell.band) / n)


def _teams_with(
    nodes: Sequence[Node], kind: Kind, footing: Mapping[str, Sequence[Cell]], sentence: Sentence
) -> list[frozenset[str]]:
    """The subjects on whom each figure of this kind and sentence rests. Raises `Unsafe` if it is another figure."""
    found = []
    for node in nodes:
        for line in node.lines:
            if line.sentence == sentence and kind in line.figures:
                members = node.team.subjects & footing.keys()
                if not members or line.figures[kind] != _figure(kind, footing, node.team, sentence):
                    raise Unsafe(f"The figure for “{sentence.text}” in {node.team.key} is not that of its reports.")
                found.append(members)
    return found


def _check_subjects(teams: Sequence[frozenset[str]], known: Collection[str], sentence: Sentence) -> None:
    """Raises `Unsafe` if sums and differences of these figures are about one to four closed reports."""
    numbers = {subject: number for number, subject in enumerate(sorted(frozenset[str]().union(*teams)))}
    closed = [frozenset(numbers[subject] for subject in members if subject not in known) for members in teams]
    if disclosure.smallest_isolated(closed, below=LEAST_SUBJECTS) is not None:
        raise Unsafe(f"What is seen together of “{sentence.text}” is about fewer than {LEAST_SUBJECTS} people.")
