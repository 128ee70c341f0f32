"""The attacker of A10: keeps everything that one person may read, and adds and subtracts it.

Works from what the pages' own services gave and from the raters' own account of what they answered; uses none of the
program's auditor.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations

from sqlalchemy import select

from survey import context
from survey.core.nodes import Kind
from survey.core.relationships import Relationship
from survey.services import cycles, reports, teams
from survey.store.cycles import Review
from survey.store.reports import Cell
from tests.organisation import Organisation

Rating = tuple[str, str]
"""Who rated whom, by first name: one unknown of each sentence."""


@dataclass(frozen=True)
class Seen:
    """What one person sees of one sentence in one kind of figure: the ratings behind every figure of a report that
    they read, and behind every figure of a team, with the subjects it is about.
    """

    reports: tuple[frozenset[Rating], ...]
    teams: tuple[frozenset[Rating], ...]
    subjects: tuple[frozenset[str], ...]


def findings(made: Organisation, name: str, k: int) -> set[str]:
    """What this person gets out: "raters" under k, "one rater" with the help of another, "subjects" under five."""
    found = set()
    read = _read(made, name)
    for seen in look(made, name):
        rows = [*seen.reports, *seen.teams]
        if isolated(rows, k):
            found.add("raters")
        closed = [about - read for about in seen.subjects]
        if isolated(closed, 5):
            found.add("subjects")
        for insider in {rater for row in rows for rater, _ in row}:
            if isolated([frozenset(rating for rating in row if rating[0] != insider) for row in rows], 2):
                found.add("one rater")
    return found


def look(made: Organisation, name: str) -> Iterator[Seen]:
    """Everything that this person may read, figure by figure."""
    names = made.names()
    cells, texts = _published(made)
    read = _read(made, name)
    with context.reading() as session:
        try:
            view = teams.view(session, made.cycle_id, made.ids[name])
        except teams.NotFound:
            nodes = ()
        else:
            nodes = view.nodes
    lines = {}
    for node in nodes:
        for line in node.lines:
            for kind in line.figures:
                about = frozenset(names[uuid.UUID(key)] for key in node.team.subjects)
                lines.setdefault((line.sentence.text, kind), []).append(about)
    for text in sorted(texts):
        for kind in Kind:
            behind = {
                subject: [ratings for ratings in own if kind is Kind.MEAN or len(ratings) >= 6]
                for (subject, sentence), own in cells.items()
                if sentence == text
            }
            behind = {subject: own for subject, own in behind.items() if own}
            about = [members & behind.keys() for members in lines.get((text, kind), [])]
            yield Seen(
                tuple(ratings for subject in read & behind.keys() for ratings in behind[subject]),
                tuple(
                    frozenset[Rating]().union(*(one for subject in each for one in behind[subject])) for each in about
                ),
                tuple(about),
            )


def isolated(rows: Sequence[frozenset], below: int) -> Collection | None:
    """A set of fewer than `below` on which a sum or difference of these rows rests alone, by exact elimination."""
    alike: dict[tuple[bool, ...], set] = {}
    for one in frozenset().union(*rows):
        alike.setdefault(tuple(one in row for row in rows), set()).add(one)
    small = [pattern for pattern, ones in alike.items() if len(ones) < below]
    for size in range(1, below):
        for chosen in combinations(small, size):
            if sum(len(alike[pattern]) for pattern in chosen) >= below:
                continue
            # Factors that make everything else vanish, and not these.
            others = [pattern for pattern in alike if pattern not in chosen]
            for factors in _vanishing(others, len(rows)):
                if any(sum(f for f, there in zip(factors, p, strict=True) if there) for p in chosen):
                    return set().union(*(alike[pattern] for pattern in chosen))
    return None


def _vanishing(patterns: Sequence[tuple[bool, ...]], width: int) -> list[list[Fraction]]:
    """A basis of all factors with which each of these columns sums to nothing."""
    pivots: dict[int, list[Fraction]] = {}
    for pattern in patterns:
        row = [Fraction(int(there)) for there in pattern]
        for column, pivot in pivots.items():
            if row[column]:
                row = [value - row[column] * other for value, other in zip(row, pivot, strict=True)]
        column = next((index for index, value in enumerate(row) if value), None)
        if column is None:
            continue
        row = [value / row[column] for value in row]
        for known, pivot in pivots.items():
            if pivot[column]:
                pivots[known] = [value - pivot[column] * other for value, other in zip(pivot, row, strict=True)]
        pivots[column] = row
    return [
        [
            Fraction(1) if index == free else -pivots[index][free] if index in pivots else Fraction(0)
            for index in range(width)
        ]
        for free in range(width)
        if free not in pivots
    ]


def _read(made: Organisation, name: str) -> frozenset[str]:
    """Whose reports this person can open, tried one by one as the page does."""
    with context.reading() as session:
        theirs = [*reports.own(session, made.ids[name]), *reports.lent(session, made.ids[name])]
        listed = {one.review_id for one in theirs}
        opened = {
            subject
            for subject, review in made.reviews.items()
            if reports.standing(session, reports.read(session, review), made.ids[name])
        }
    assert {made.reviews[subject] for subject in opened} == listed
    return frozenset(opened)


@cache
def _published(made: Organisation) -> tuple[dict[tuple[str, str], list[frozenset[Rating]]], set[str]]:
    """The ratings behind every published anonymous cell, by subject and sentence, as the raters remember them."""
    subjects = {review: name for name, review in made.reviews.items()}
    found: dict[tuple[str, str], list[frozenset[Rating]]] = {}
    with context.reading() as session:
        texts = {
            row.id: {item.key: item.text for item in cycles.questionnaire(row).items}
            for row in session.scalars(select(Review))
        }
        rows = session.execute(select(Cell.review_id, Cell.item, Cell.group, Cell.n)).all()
    shown: dict[uuid.UUID, set[str]] = {}
    for review, _, group, _ in rows:
        shown.setdefault(review, set()).add(group)
    for review, item, group, n in rows:
        kinds = {Relationship(group)} if group != "pooled" else set(Relationship) - set(map(_kind, shown[review]))
        ratings = frozenset(
            (rater, subjects[review])
            for rater, kind, answers in made.said[subjects[review]]
            if kind in kinds and answers.ratings.get(item) is not None
        )
        assert len(ratings) == n
        found.setdefault((subjects[review], texts[review][item]), []).append(ratings)
    return found, {text for _, text in found}


def _kind(group: str) -> Relationship | None:
    return None if group == "pooled" else Relationship(group)
