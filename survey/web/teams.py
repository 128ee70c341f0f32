"""Team figures: what the reports of a team say together, without a name of anybody under review."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from survey import context
from survey.context import needs
from survey.core import names
from survey.core.access import Action, Role
from survey.core.errors import NotAllowed, NotFound, Unsafe
from survey.core.nodes import Kind, Line, Node, Reason
from survey.core.sections import Section
from survey.core.teams import Team
from survey.delivery import bars
from survey.services import teams
from survey.services.teams import View

pages = Blueprint("teams", __name__, url_prefix="/teams")

WHY = {
    Reason.TOO_FEW: "Fewer than five people have enough answers.",
    Reason.REST: "Beside the larger team it would tell about fewer than five people.",
}


@dataclass(frozen=True)
class Row:
    """A sentence with its figures; where one is missing, the reason stands in its place."""

    text: str
    origin: str
    points: int
    favourable: str
    figures: dict[str, object]
    why: dict[str, str]

    @property
    def is_shown(self) -> bool:
        """Whether there is any figure."""
        return bool(self.figures)


@dataclass(frozen=True)
class Panel:
    """A team with its rows by section."""

    title: str
    subjects: int
    sections: dict[str, list[Row]]

    @property
    def hidden(self) -> int:
        """How many sentences have no figure at all."""
        return sum(not row.is_shown for rows in self.sections.values() for row in rows)


@pages.get("")
@needs(Action.LIST_TEAMS)
def index() -> ResponseReturnValue:
    """The rounds of which this account may see teams."""
    person = context.permit(Action.LIST_TEAMS)
    with context.reading() as session:
        listed = teams.readable(session, person.id)
    return render_template("teams/index.html", listed=listed)


@pages.get("/<uuid:cycle_id>")
@needs(Action.SEE_TEAM)
def team(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """The teams of a round, for people operations and for those who manage one. To others they do not exist."""
    person = context.signed_in()
    try:
        with context.reading() as session:
            context.permit(Action.SEE_TEAM, *teams.standing(session, cycle_id, person.id))
            view = teams.view(session, cycle_id, person.id)
    except NotAllowed:
        raise NotFound(teams.MISSING) from None
    except Unsafe:
        with context.transaction() as session:
            teams.object_to(session, cycle_id, now=context.now())
        return render_template("teams/refused.html"), 503
    is_whole = person.role == Role.PEOPLE_OPERATIONS
    return render_template(
        "teams/team.html", view=view, panels=list(_panels(view, is_whole)), is_whole=is_whole, bar=bars.share
    )


def _panels(view: View, is_whole: bool) -> Iterator[Panel]:
    """The teams from the top down; beside each other by the manager's name, so that nothing looks like a rank."""
    shown = {node.team.key: node for node in view.nodes}
    for team in _in_order(view.tree, view):
        if team.key in shown:
            top = "Everybody in this round" if is_whole else "Everybody who reports to you"
            yield _panel(shown[team.key], top if team is view.tree else _named(team, view))


def _in_order(team: Team, view: View) -> Iterator[Team]:
    yield team
    for part in sorted(team.teams, key=lambda part: (*names.in_order(_named(part, view)), part.key)):
        yield from _in_order(part, view)


def _named(team: Team, view: View) -> str:
    name = view.names.get(team.key)
    return f"Team of {name}" if name else "A team whose manager is not here any more"


def _panel(node: Node, title: str) -> Panel:
    sections: dict[str, list[Row]] = {section.heading: [] for section in Section}
    for line in node.lines:
        sections[line.sentence.section.heading].append(_row(line))
    return Panel(title, node.subjects, {heading: rows for heading, rows in sections.items() if rows})


def _row(line: Line) -> Row:
    sentence = line.sentence
    return Row(
        sentence.text,
        sentence.origin,
        sentence.scale.points,
        sentence.favourable,
        {kind.value: figure for kind, figure in line.figures.items()},
        {kind.value: WHY[line.missing[kind]] for kind in Kind if kind in line.missing},
    )
