"""Teams: the tree of a cycle, as it was when the cycle opened, and of which teams a figure may be shown (R6)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

LEAST_SUBJECTS = 5
"""R6: how many subjects a figure needs, and how many must lie between two figures that differ."""

MOST_LOST = 3
"""Beside so many erased reports it can be worked out which figures were shown before them. It takes 3 to that power."""

EVERYBODY = ""
"""The key of the team in which everybody stands, whoever they report to."""


@dataclass(frozen=True)
class Team:
    """The subjects who report to one manager, by key, and the teams below. `key` is the manager's, or `EVERYBODY`."""

    key: str
    members: frozenset[str]
    teams: tuple[Team, ...] = ()

    @cached_property
    def subjects(self) -> frozenset[str]:
        """Everybody in it and below it."""
        return self.members.union(*(team.subjects for team in self.teams))

    @property
    def tree(self) -> tuple[Team, ...]:
        """The team and all teams below it, from the top down."""
        return (self, *(below for team in self.teams for below in team.tree))


def path(person: str, reports_to: Mapping[str, str | None]) -> tuple[str, ...]:
    """The managers above a person, from the top down.

    Where people report to each other in a circle, the first of them by key counts as reporting to nobody. So
    whoever is asked about, everybody has one place.
    """
    walked, manager = [person], reports_to.get(person)
    while manager is not None and manager not in walked:
        walked.append(manager)
        manager = reports_to.get(manager)
    if manager is not None:
        circle = walked[walked.index(manager) :]
        walked = walked[: walked.index(min(circle)) + 1]
    return tuple(reversed(walked[1:]))


def grow(paths: Mapping[str, Sequence[str]], *, top: str = EVERYBODY) -> Team:
    """The tree of these subjects, or the part of it below one manager; `paths` has what `path` gave for each.

    A team whose people all stand in a single team below it takes that one's place: both would say the same.
    """
    if top != EVERYBODY:
        paths = {subject: above[above.index(top) + 1 :] for subject, above in paths.items() if top in above}
    parts: dict[str, dict[str, Sequence[str]]] = {}
    for subject, above in paths.items():
        if above:
            parts.setdefault(above[0], {})[subject] = above[1:]
    members = frozenset(subject for subject, above in paths.items() if not above)
    teams = tuple(_renamed(grow(parts[key]), key) for key in sorted(parts))
    if not members and len(teams) == 1:
        return _renamed(teams[0], top)
    return Team(top, members, teams)


def publishable(tree: Team, subjects: Collection[str], *, known: Collection[str] = ()) -> tuple[Team, ...]:
    """The teams of which a figure that rests on these `subjects` may be shown, from the top down.

    R6 for each part and its parent is not enough: the parent less all parts that are shown must leave nobody or
    five, too. Where it would leave fewer, the smallest part is not shown (of equal ones the last by key), but the
    teams below it stand in its place, until it does. What two of these teams do not share is made of such rests; so
    whatever is added and subtracted is about nobody, or about five people and more.
    `known` are subjects whose reports the reader has: of the others, too, nobody must be left, or five.
    """
    everybody = frozenset(subjects)
    strangers = everybody.difference(known)
    if not _is_enough(tree.subjects, everybody, strangers):
        return ()
    return (tree, *_parts(tree, everybody, strangers))


def lasting(
    tree: Team, subjects: Collection[str], *, known: Collection[str] = (), lost: Collection[str]
) -> tuple[Team, ...]:
    """The teams of `publishable` that can still be shown once the reports of the subjects in `lost` are erased.

    The reader may remember what was shown before. So nothing may be added to it: whoever is lost stands in none of
    these teams, and each of them was shown before. Whether somebody who is lost had a figure then, and whether the
    reader had their report, is not known any more; a team must have been shown in each of these cases.
    """
    if not lost:
        return publishable(tree, subjects, known=known)
    left, others = frozenset(subjects).difference(lost), frozenset(known).difference(lost)
    shown = {team.key for team in tree.tree if team.subjects.isdisjoint(lost)}
    for case in product(("without a figure", "read", "not read"), repeat=len(lost)):
        there = {one for one, was in zip(lost, case, strict=True) if was != "without a figure"}
        read = {one for one, was in zip(lost, case, strict=True) if was == "read"}
        shown &= {team.key for team in publishable(tree, left | there, known=others | read)}
    return tuple(team for team in tree.tree if team.key in shown)


def _parts(team: Team, everybody: frozenset[str], strangers: frozenset[str]) -> list[Team]:
    """What is shown below a team that is shown."""
    shown = _candidates(team, everybody, strangers)
    while shown:
        rest = team.subjects.difference(*(part.subjects for part in shown))
        if not rest & everybody or _is_enough(rest, everybody, strangers):
            break
        shown.sort(key=lambda part: (-len(part.subjects & everybody), part.key))
        shown += _candidates(shown.pop(), everybody, strangers)
    return [below for part in shown for below in (part, *_parts(part, everybody, strangers))]


def _candidates(team: Team, everybody: frozenset[str], strangers: frozenset[str]) -> list[Team]:
    """The teams below, each large enough by itself; in place of one that is not, those below it."""
    return [
        one
        for part in team.teams
        for one in (
            [part] if _is_enough(part.subjects, everybody, strangers) else _candidates(part, everybody, strangers)
        )
    ]


def _is_enough(team: frozenset[str], everybody: frozenset[str], strangers: frozenset[str]) -> bool:
    return len(team & everybody) >= LEAST_SUBJECTS and not 0 < len(team & strangers) < LEAST_SUBJECTS


def _renamed(team: Team, key: str) -> Team:
    return Team(key, team.members, team.teams)
