"""Team and organisation views (R6): what the reports of several subjects say together, and nothing that they do not.

A figure here is made of published cells alone. Whoever reads all reports could work it out, so no answer that was
held back is in it, and the tally opens nothing again.

Which minimum counts whom. Raters: each cell already rests on k of them, and the raters of one review are different
people, whatever else they rated; so every figure here rests on k people, too. Subjects: at least five, counted for
each sentence among those who have a cell for it, since the members of a team may be rated on quite different pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from itertools import count, islice

from survey.core import auditor, statistics
from survey.core.disclosure import Band, Cell
from survey.core.errors import BadInput, Unsafe
from survey.core.questionnaires import Questionnaire, Scale
from survey.core.sections import Section
from survey.core.teams import LEAST_SUBJECTS, Team, lasting


@dataclass(frozen=True)
class Sentence:
    """What was rated: within one cycle, items with the same words and the same scale are one sentence."""

    section: Section
    origin: str
    text: str
    scale: Scale

    @property
    def more_is_worse(self) -> bool:
        """Whether the low end of the scale is the good one."""
        return self.section is Section.COMMON_STRUGGLES

    @property
    def favourable(self) -> str:
        """The answers that count as favourable, as people read them: "often or always"."""
        labels = self.scale.labels[::-1] if self.more_is_worse else self.scale.labels
        least = statistics.place(4, len(labels))
        return " or ".join(label.lower() for point, label in enumerate(labels, 1) if point >= least)


@dataclass(frozen=True)
class Review:
    """What one subject was reviewed on, and the cells that their report shows. A subject has one in a cycle."""

    subject: str
    questionnaire: Questionnaire
    cells: tuple[Cell, ...]

    @property
    def said(self) -> Iterator[tuple[Sentence, tuple[Cell, ...]]]:
        """Each sentence that an anonymous group was asked about, with the cells of such groups."""
        cells: dict[str, tuple[Cell, ...]] = {}
        for cell in self.cells:
            if cell.group.is_anonymous:
                cells[cell.item] = (*cells.get(cell.item, ()), cell)
        for item in self.questionnaire.items:
            if item.scale is not None and any(relationship.is_anonymous for relationship in item.asked):
                yield Sentence(item.section, item.origin, item.text, item.scale), cells.get(item.key, ())


class Kind(StrEnum):
    """The two figures of a line."""

    MEAN = "mean"
    FAVOURABLE = "favourable"


class Reason(StrEnum):
    """Why a figure is not shown."""

    TOO_FEW = "too few"  # fewer than five subjects have what it would rest on
    REST = "rest"  # beside the other figures it would be about one to four subjects


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
    """What is said of one sentence, and why what is missing is missing.

    The mean rests on every cell; on two points it says little, and there is none. The favourable share rests on
    the cells with a distribution.
    """

    sentence: Sentence
    figures: Mapping[Kind, Figure]
    missing: Mapping[Kind, Reason]


@dataclass(frozen=True)
class Node:
    """A team's view: a line for each sentence that was asked about its people, of whom `subjects` have a report."""

    team: Team
    subjects: int
    lines: tuple[Line, ...]


def build(
    tree: Team, reviews: Sequence[Review], *, known: Collection[str] = (), lost: AbstractSet[str] = frozenset()
) -> tuple[Node, ...]:
    """The nodes for somebody who reads the reports of the subjects in `known`, from the top down.

    `tree` is the part of the fixed tree that this person may see; `reviews` are those of its subjects, and may be
    more. `lost` are subjects of it whose cells are gone since: no figure is given that was not given before
    (`survey.core.teams.lasting`). Raises `BadInput` if the tree names a team or a subject twice: the rules rest on
    everybody having one place.
    """
    _check_tree(tree)
    subjects = frozenset(review.subject for review in reviews)
    teams = lasting(tree, subjects, known=known, lost=lost)
    lines: dict[str, list[Line]] = {team.key: [] for team in teams}
    for sentence, said in _by_sentence(reviews).items():
        footings = {kind: _footing(said, kind) for kind in _kinds(sentence)}
        shown = {
            kind: {team.key for team in lasting(tree, footing, known=known, lost=lost & said.keys())}
            for kind, footing in footings.items()
        }
        for team in teams:
            if team.subjects & said.keys():
                lines[team.key].append(_line(team, sentence, footings, shown))
    return tuple(Node(team, len(team.subjects & subjects), tuple(lines[team.key])) for team in teams)


def audit_union(nodes: Sequence[Node], reviews: Sequence[Review], *, known: Collection[str] = (), k: int) -> None:
    """Passes in silence, or raises `Unsafe`: the auditor over everything that one person may see together.

    That is these `nodes` and the reports of the subjects in `known`; `reviews` has all of both. Every figure of a
    node must be what published cells give. Then one linear system is checked for each sentence: no
    combination may rest on fewer than k raters, nor on fewer than five of the subjects whose reports stay closed.

    The tally knows no persons. Ratings of two subjects are two unknowns, and that is exact even where one person
    gave both. But whoever rated several subjects knows a rating in each of those reviews. Nobody can say in which,
    so the insider here knows one in every cell at once, more than any person can, and must still not be left with
    a single other rater.
    """
    everything = _by_sentence(reviews)
    lines: dict[Sentence, list[tuple[Team, Line]]] = {sentence: [] for sentence in everything}
    for node in nodes:
        for line in node.lines:
            lines.setdefault(line.sentence, []).append((node.team, line))
    for sentence, shown in lines.items():
        said = everything.get(sentence, {})
        people = count()
        raters = {
            (subject, cell): frozenset(islice(people, cell.n)) for subject, cells in said.items() for cell in cells
        }
        seen = [own for (subject, _), own in raters.items() if subject in known]
        for kind in Kind:
            footing = _footing(said, kind)
            teams = [_subjects(team, line, kind, footing) for team, line in shown if kind in line.figures]
            seen += [
                frozenset[int]().union(*(raters[subject, cell] for subject in members for cell in footing[subject]))
                for members in teams
            ]
            _check_subjects(teams, known, sentence)
        insider = frozenset(min(own) for own in raters.values())
        if auditor.smallest_isolated(seen, below=k) is not None:
            raise Unsafe(f"What is seen together of “{sentence.text}” would isolate fewer than {k} raters.")
        if auditor.smallest_isolated([own - insider for own in seen], below=2) is not None:
            raise Unsafe(f"One rater could isolate another in what is seen together of “{sentence.text}”.")


def _check_tree(tree: Team) -> None:
    teams = tree.tree
    for kind, times in (
        ("team", Counter(team.key for team in teams)),
        ("person", Counter(subject for team in teams for subject in team.members)),
    ):
        if twice := [key for key, number in times.items() if number > 1]:
            raise BadInput(f"The {kind} {twice[0]} stands twice in the tree of teams; each has one place.")


_Said = dict[str, tuple[Cell, ...]]
"""Cells by subject."""


def _by_sentence(reviews: Iterable[Review]) -> dict[Sentence, _Said]:
    """Who was asked about each sentence, with the cells there are."""
    found: dict[Sentence, _Said] = {}
    for review in reviews:
        for sentence, cells in review.said:
            said = found.setdefault(sentence, {})
            said[review.subject] = (*said.get(review.subject, ()), *cells)
    return found


def _kinds(sentence: Sentence) -> tuple[Kind, ...]:
    return tuple(Kind) if sentence.scale.points > 2 else (Kind.FAVOURABLE,)


def _footing(said: _Said, kind: Kind) -> _Said:
    """The cells on which a figure of this kind rests, by subject. Without those who have none."""
    if kind is Kind.MEAN:
        return {subject: cells for subject, cells in said.items() if cells}
    counted = {subject: tuple(cell for cell in cells if cell.counts) for subject, cells in said.items()}
    return {subject: cells for subject, cells in counted.items() if cells}


def _line(
    team: Team,
    sentence: Sentence,
    footings: Mapping[Kind, _Said],
    shown: Mapping[Kind, Collection[str]],
) -> Line:
    figures, missing = {}, {}
    for kind, footing in footings.items():
        if team.key in shown[kind]:
            figures[kind] = _figure(kind, footing, team, sentence)
        else:
            is_few = len(team.subjects & footing.keys()) < LEAST_SUBJECTS
            missing[kind] = Reason.TOO_FEW if is_few else Reason.REST
    return Line(sentence, figures, missing)


def _figure(kind: Kind, footing: _Said, team: Team, sentence: Sentence) -> Figure:
    subjects = team.subjects & footing.keys()
    cells = [cell for subject in subjects for cell in footing[subject]]
    points = sentence.scale.points
    n = sum(cell.n for cell in cells)
    if kind is Kind.FAVOURABLE:
        counts = [sum(column) for column in zip(*(cell.counts for cell in cells if cell.counts), strict=True)]
        share = statistics.favourable(counts, more_is_worse=sentence.more_is_worse)
        assert share is not None  # noqa: S101 - a distribution has enough ratings for a share
        return Figure(share.share, n, len(subjects))
    # A band reaches half a point inward from its end of the scale.
    middles = {Band.LOW: 1.25, Band.HIGH: points - 0.25}
    total = sum(cell.n * middles[cell.band] if cell.band else cell.total or 0 for cell in cells)
    return Figure(total / n, n, len(subjects), margin=0.25 * sum(cell.n for cell in cells if cell.band) / n)


def _subjects(team: Team, line: Line, kind: Kind, footing: _Said) -> frozenset[str]:
    """The subjects on whom this figure rests. Raises `Unsafe` if it is another figure than they give."""
    subjects = team.subjects & footing.keys()
    if not subjects or line.figures[kind] != _figure(kind, footing, team, line.sentence):
        raise Unsafe(f"The figure for “{line.sentence.text}” in {team.key} is not that of its reports.")
    return subjects


def _check_subjects(teams: Sequence[frozenset[str]], known: Collection[str], sentence: Sentence) -> None:
    """Raises `Unsafe` if sums and differences of these figures are about one to four closed reports."""
    numbers = {subject: number for number, subject in enumerate(sorted(frozenset[str]().union(*teams)))}
    closed = [frozenset(numbers[subject] for subject in members if subject not in known) for members in teams]
    if auditor.smallest_isolated(closed, below=LEAST_SUBJECTS) is not None:
        raise Unsafe(f"What is seen together of “{sentence.text}” is about fewer than {LEAST_SUBJECTS} people.")
