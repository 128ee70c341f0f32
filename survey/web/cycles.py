"""Rounds: begun, listed, and watched in counts."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import SelectField, StringField
from wtforms.validators import InputRequired, Length

from survey import context
from survey.context import needs
from survey.core.access import Action, Role
from survey.core.competencies import Section
from survey.core.cycles import Phase
from survey.core.days import End
from survey.core.errors import BadInput
from survey.core.participation import Outlook, Participation
from survey.services import clocks, custody, cycles, drafts, openings, participation, tally
from survey.store.cycles import Cycle
from survey.store.people import Person

pages = Blueprint("cycles", __name__, url_prefix="/rounds")

FEW = 10
"""Up to so many reviews can be looked over without help."""

AT_ONCE = 100
"""Reviews on one page of a round."""


class NameForm(FlaskForm):
    """A new round: its name, and what it begins with."""

    name = StringField(
        "Name of the round",
        [InputRequired("Please give the round a name."), Length(max=200)],
        description="Raters read it in their invitation.",
    )
    source = SelectField("Begin with", validate_choice=False)


@dataclass(frozen=True)
class Card:
    """A round in the list."""

    id: uuid.UUID
    name: str
    phase: Phase
    last_day: date
    subjects: int
    is_cancelled: bool
    invited: int
    answered: int


@dataclass(frozen=True)
class Line:
    """A review in its round."""

    id: uuid.UUID
    subject: str
    pages: tuple[str, ...]
    participation: Participation


@dataclass(frozen=True)
class Part:
    """Some of the reviews of a round: all of them, or those with one outlook."""

    outlook: Outlook | None
    reviews: int

    @property
    def label(self) -> str:
        """What these are."""
        return self.outlook.label.capitalize() if self.outlook else "All"


@dataclass(frozen=True)
class Listing:
    """The reviews that a page of a round shows: of one part, so many at a time, by name."""

    parts: tuple[Part, ...]
    chosen: Outlook | None
    lines: Sequence[Line]
    number: int
    total: int

    @property
    def first(self) -> int:
        """The place of the first of them, from one on."""
        return (self.number - 1) * AT_ONCE + 1

    @property
    def here(self) -> dict[str, object]:
        """What leads back here, in an address."""
        return ({"show": self.chosen} if self.chosen else {}) | ({"page": self.number} if self.number > 1 else {})

    @property
    def has_more(self) -> bool:
        """Whether a page follows."""
        return self.number * AT_ONCE < self.total


@pages.get("")
@needs(Action.LIST_CYCLES)
def index() -> ResponseReturnValue:
    """The rounds: all of them for people operations, one's own for a manager."""
    person = context.permit(Action.LIST_CYCLES)
    with context.reading() as session:
        rows = _own(session, person)
        totals = participation.totals(session, [row.id for row in rows])
        subjects = cycles.subjects(session, [row.id for row in rows])
        cards = [
            Card(
                row.id,
                row.name,
                Phase(row.phase),
                row.last_day,
                subjects.get(row.id, 0),
                row.is_cancelled,
                *totals.get(row.id, (0, 0)),
            )
            for row in rows
        ]
        is_held = person.role == Role.PEOPLE_OPERATIONS and clocks.is_held(session)
    return render_template("cycles/index.html", cards=cards, is_held=is_held)


@pages.route("/new", methods=["GET", "POST"])
@needs(Action.MAKE_CYCLES)
def new() -> ResponseReturnValue:
    """A name, and an earlier round to copy if one likes."""
    person = context.permit(Action.MAKE_CYCLES)
    form = NameForm()
    with context.reading() as session:
        earlier = {str(row.id): f"A copy of “{row.name}”" for row in _own(session, person)}
    form.source.choices = {"": "Nothing"} | earlier
    if form.validate_on_submit():
        try:
            with context.transaction() as session:
                cycle = (
                    drafts.copy(
                        session,
                        uuid.UUID(form.source.data),
                        form.name.data or "",
                        launcher_id=person.id,
                        zone=context.installation().pace.home,
                        now=context.now(),
                    )
                    if form.source.data in earlier
                    else drafts.make(
                        session,
                        form.name.data or "",
                        launcher_id=person.id,
                        zone=context.installation().pace.home,
                        now=context.now(),
                    )
                )
        except BadInput as error:
            form.name.errors = [str(error)]
        else:
            return redirect(url_for("drafts.people_", cycle_id=cycle.id), 303)
    return render_template("drafts/new.html", form=form), 422 if form.is_submitted() else 200


@pages.get("/<uuid:cycle_id>")
@needs(Action.RUN_CYCLE)
def cycle(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """The round as it stands, with what can be done next. Before it is open, it has pages of its own."""
    with context.reading() as session:
        row = context.runnable(session, cycle_id)
        phase = Phase(row.phase)
        if phase in {Phase.DRAFT, Phase.NOMINATING}:
            return redirect(url_for("drafts.overview", cycle_id=cycle_id), 303)
        if phase is Phase.OPENING:
            opened, total = openings.progress(session, cycle_id)
            return render_template(
                "cycles/opening.html",
                cycle=row,
                phase=phase,
                opened=opened,
                total=total,
                last_day=row.last_day,
            )
        done, total = cycles.counted(session, cycle_id)
        return render_template(
            "cycles/cycle.html",
            cycle=row,
            phase=phase,
            listing=_listing(_lines(session, row), is_open=phase is Phase.OPEN),
            undelivered=cycles.undelivered(session, cycle_id),
            last_day=row.last_day,
            end=_end(row),
            blocks=[Section(block).heading for block in row.blocks],
            counted=done,
            total=total,
            custody=custody.of(session, cycle_id),
            objected=tally.objected(session, cycle_id),
            settles_objections=context.may(Action.SETTLE_OBJECTION),
            may_withhold=context.may(Action.WITHHOLD_COMMENTS),
            sees_instrument=context.may(Action.SEE_INSTRUMENT),
        )


def _lines(session: Session, row: Cycle) -> list[Line]:
    going = participation.of(session, row.id, now=context.now())
    return [
        Line(review_id, subject, pages, going[review_id])
        for review_id, subject, pages in cycles.listed(session, row.id)
    ]


def _listing(lines: Sequence[Line], *, is_open: bool) -> Listing:
    """What the address asks for: a part by its outlook, where there are several in a round that is open; a page."""
    outlooks = Counter(line.participation.outlook for line in lines)
    parts: tuple[Part, ...] = ()
    if is_open and len(outlooks) > 1 and len(lines) > FEW:
        there = [outlook for outlook in Outlook if outlook in outlooks]
        parts = (Part(None, len(lines)), *(Part(outlook, outlooks[outlook]) for outlook in there))
    chosen = next((part.outlook for part in parts if part.outlook == request.args.get("show")), None)
    asked = [line for line in lines if chosen in {None, line.participation.outlook}]
    last = max(1, -(-len(asked) // AT_ONCE))
    number = min(max(1, request.args.get("page", 1, type=int)), last)
    return Listing(parts, chosen, asked[(number - 1) * AT_ONCE : number * AT_ONCE], number, len(asked))


def _end(row: Cycle) -> End:
    """The end of a round, as whoever is signed in counts days."""
    return End(row.closes_at, row.zone, context.zone())


def _own(session: Session, person: Person) -> Sequence[Cycle]:
    is_everybodys = person.role == Role.PEOPLE_OPERATIONS
    return cycles.everything(session) if is_everybodys else cycles.launched_by(session, person.id)
