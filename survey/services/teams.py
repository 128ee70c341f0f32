"""Team views: what a manager or people operations may read about a team. Made of published cells, nothing else."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import String, and_, cast, or_, select
from sqlalchemy.orm import Session

from survey.core import days, disclosure, nodes, releases, teams, values
from survey.core import readers as rules
from survey.core.access import Role, Standing
from survey.core.audit import Event
from survey.core.disclosure import OF_NO_COLLEAGUES, Band, Group
from survey.core.errors import NotFound
from survey.core.nodes import Node
from survey.core.questionnaires import Questionnaire
from survey.core.readers import Word
from survey.core.teams import Team
from survey.store import audit, people, readers
from survey.store.cycles import Cycle, Review
from survey.store.people import Person
from survey.store.reports import Cell, Report

# Not before the subjects have their reports: what one reader sees beside the figures must not grow afterwards.
READABLE = and_(Cycle.phase.in_(releases.READABLE), Cycle.held_until.is_(None))

MISSING = "There are no such team figures, or they have not been released yet."
ERASED = (
    "A report of this team has been erased. Beside the figures from before, new ones would tell about that one "
    "person, so none are shown any more."
)
ERASED_TOO_OFTEN = (
    f"More than {teams.MOST_LOST} reports have been erased. Which figures could be shown beside those from before "
    "cannot be told any more, so none are."
)


@dataclass(frozen=True)
class View:
    """What one person may see of a cycle's teams.

    `nodes` are in the order of the tree. `names` has the managers by the keys of their teams; of a manager who is
    not known any more there is none. `tree` is this person's part of it; `withheld` counts the teams in it of which
    nothing may be shown, and `erased` those of them in which a report was erased.
    """

    cycle: str
    closed_on: date
    k: int
    tree: Team
    nodes: tuple[Node, ...]
    names: Mapping[str, str]
    withheld: int
    erased: int


@dataclass(frozen=True)
class Listed:
    """A cycle in a list."""

    cycle_id: uuid.UUID
    cycle: str
    closed_on: date


def view(session: Session, cycle_id: uuid.UUID, person_id: uuid.UUID) -> View:
    """The teams for this person: the whole tree for people operations, for others the part below them.

    Everything that they may read beside it, or could once, counts as known: their own report, and those that they are
    a reader of. Raises `NotFound` before the release, for whom there is no team, and where reports were erased and no
    figure is left that can be shown beside those from before. Raises `Unsafe` when the auditor objects to what would
    be seen together.
    """
    is_shown = (READABLE, readers.is_confirmed(person_id))
    cycle = session.scalar(select(Cycle).where(Cycle.id == cycle_id, *is_shown))
    person = session.get(Person, person_id)
    if cycle is None or person is None:
        raise NotFound(MISSING)
    tree = teams.grow(_paths(session, cycle_id), top=_top(person))
    if not tree.subjects:
        raise NotFound(MISSING)
    lost = tree.subjects & _erased(session, cycle_id)
    if len(lost) > teams.MOST_LOST:
        raise NotFound(ERASED_TOO_OFTEN)
    known = {str(one) for one in _known(session, cycle_id, person_id)}
    reviews = _reviews(session, cycle_id, tree.subjects | known)
    built = nodes.build(tree, reviews, known=known, lost=lost)
    if lost and not built:
        raise NotFound(ERASED)
    nodes.audit_union(built, reviews, known=known, k=cycle.minimum)
    names = people.names(session, [uuid.UUID(node.team.key) for node in built if node.team.key])
    return View(
        cycle.name,
        cycle.last_day,
        cycle.minimum,
        tree,
        built,
        {str(manager): name for manager, name in names.items()},
        len(tree.tree) - len(built),
        sum(not team.subjects.isdisjoint(lost) for team in tree.tree),
    )


def standing(session: Session, cycle_id: uuid.UUID, person_id: uuid.UUID) -> frozenset[Standing]:
    """How this person stands to the teams of a cycle.

    A manager is whoever stood above a subject when the cycle opened, and at the release, and still does.
    """
    found = (
        select(Review.subject_id)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .where(
            Review.cycle_id == cycle_id,
            readers.stands(person_id, [Word.SETTLED]),
            readers.is_confirmed(person_id),
        )
    )
    settled = set(session.scalars(found))
    is_manager = settled and not settled.isdisjoint(people.everybody_below(session, person_id))
    return frozenset({Standing.MANAGES}) if is_manager else frozenset()


def readable(session: Session, person_id: uuid.UUID) -> Sequence[Listed]:
    """The cycles of which this person may see teams, the one that ended last first."""
    person = session.get(Person, person_id)
    rows = session.execute(
        select(Cycle.id, Cycle.name, Cycle.closes_at, Cycle.time_zone).where(READABLE).order_by(Cycle.closes_at.desc())
    )
    return [
        Listed(row.id, row.name, days.last_day(row.closes_at, ZoneInfo(row.time_zone)))
        for row in rows
        if person and (_top(person) == teams.EVERYBODY or standing(session, row.id, person_id))
    ]


def object_to(session: Session, cycle_id: uuid.UUID, *, now: datetime) -> None:
    """Writes into the audit log that the auditor refused what somebody was about to see."""
    audit.record(session, Event.AUDITOR_OBJECTED, actor_id=None, about=cycle_id, now=now, detail={"to": "team figures"})


def _top(person: Person) -> str:
    """Where this person's part of the tree begins."""
    return teams.EVERYBODY if person.role == Role.PEOPLE_OPERATIONS else str(person.id)


def _known(session: Session, cycle_id: uuid.UUID, person_id: uuid.UUID) -> set[uuid.UUID]:
    """Whose reports of this cycle this person may read, or could until the subject took them back."""
    is_theirs = or_(Review.subject_id == person_id, readers.stands(person_id, rules.HAVE_READ))
    return set(session.scalars(select(Review.subject_id).where(Review.cycle_id == cycle_id, is_theirs)))


def _paths(session: Session, cycle_id: uuid.UUID) -> dict[str, list[str]]:
    """The managers above each subject when the cycle opened."""
    rows = session.execute(select(Review.subject_id, Review.managers).where(Review.cycle_id == cycle_id))
    return {str(subject): managers or [] for subject, managers in rows}


def _erased(session: Session, cycle_id: uuid.UUID) -> set[str]:
    """The subjects whose report was written at the tally and is there no more."""
    rows = session.scalars(
        select(Review.subject_id)
        .outerjoin(Report, Report.review_id == Review.id)
        .where(
            Review.cycle_id == cycle_id,
            Review.is_tallied,
            Review.is_objected.is_(False),
            Report.review_id.is_(None),
        )
    )
    return {str(subject) for subject in rows}


def _reviews(session: Session, cycle_id: uuid.UUID, subjects: Collection[str]) -> list[nodes.Review]:
    """What these subjects were reviewed on, with the cells of their reports that rest on anonymous groups."""
    # As text: most subjects are asked about on the same pages, and each questionnaire is read once.
    rows = [
        (review_id, str(subject_id), text)
        for review_id, subject_id, text in session.execute(
            select(Review.id, Review.subject_id, cast(Review.questionnaire, String)).where(Review.cycle_id == cycle_id)
        )
        if str(subject_id) in subjects
    ]
    loaded = {text: values.load(Questionnaire, json.loads(text)) for text in {text for *_, text in rows}}
    cells = _cells(session, [review_id for review_id, *_ in rows])
    return [nodes.Review(subject, loaded[text], tuple(cells[review_id])) for review_id, subject, text in rows]


def _cells(session: Session, review_ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, list[disclosure.Cell]]:
    found: dict[uuid.UUID, list[disclosure.Cell]] = defaultdict(list)
    for review_id, item, group, n, total, counts, band in session.execute(
        select(Cell.review_id, Cell.item, Cell.group, Cell.n, Cell.total, Cell.counts, Cell.band).where(
            Cell.review_id.in_(review_ids), Cell.group.not_in(OF_NO_COLLEAGUES)
        )
    ):
        found[review_id].append(
            disclosure.Cell(
                item,
                Group(group),
                n,
                total,
                None if counts is None else tuple(counts),
                None if band is None else Band(band),
            )
        )
    return found
