"""Rounds: drafted, opened, watched in counts, closed, released."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import DateField, SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from survey import context
from survey.context import needs
from survey.core import access, questionnaires, statements
from survey.core import cycles as rules
from survey.core.access import Action, Role
from survey.core.competencies import Section
from survey.core.cycles import Phase
from survey.core.errors import BadInput
from survey.core.relationships import Relationship
from survey.services import competencies, cycles, nominations, people
from survey.services.cycles import Progress
from survey.services.responses import Asked
from survey.store.cycles import Cycle, Review
from survey.store.people import Person
from survey.web.questionnaires import form_for, show

pages = Blueprint("cycles", __name__, url_prefix="/rounds")


class Checkboxes(SelectMultipleField):
    """Several choices, each with a box of its own: no key needs to be held down."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class CycleForm(FlaskForm):
    """What a round needs to begin with."""

    name = StringField(
        "Name of the round",
        [InputRequired("Please give the round a name."), Length(max=200)],
        description="Raters read it in their invitation.",
    )
    closes_on = DateField("Last day to answer", [InputRequired("Please choose the last day to answer.")])
    minimum = SelectField(
        "Smallest group that is ever shown",
        choices={str(k): f"{k} people" + (" (weak protection)" if k < 4 else "") for k in rules.MINIMA},
        default=str(rules.DEFAULT_MINIMUM),
        description="Fixed when the round opens.",
    )
    blocks = Checkboxes(
        "Also ask about",
        choices={
            section.value: section.heading
            for section in questionnaires.BLOCKS
            if section not in questionnaires.ALWAYS_ON
        },
        description="Success Indicators and Seek Feedback are always asked.",
    )


class ReviewForm(FlaskForm):
    """One more person under review."""

    subject = SelectField("Person")
    page_ids = Checkboxes("Reviewed on")


@dataclass(frozen=True)
class Card:
    """A round in the list."""

    id: uuid.UUID
    name: str
    phase: Phase
    closes_at: datetime
    subjects: int
    progress: Progress


@dataclass(frozen=True)
class Line:
    """A review in its round."""

    id: uuid.UUID
    subject: str
    pages: tuple[str, ...]
    raters: str
    minutes: int
    progress: Progress | None


@pages.get("")
@needs(Action.LIST_CYCLES)
def index() -> ResponseReturnValue:
    """The rounds: all of them for people operations, one's own for a manager."""
    person = context.permit(Action.LIST_CYCLES)
    with context.reading() as session:
        rows = (
            cycles.everything(session)
            if person.role == Role.PEOPLE_OPERATIONS
            else cycles.launched_by(session, person.id)
        )
        cards = [_card(session, row) for row in rows]
    return render_template("cycles/index.html", cards=cards)


@pages.route("/new", methods=["GET", "POST"])
@needs(Action.MAKE_CYCLES)
def new() -> ResponseReturnValue:
    """The form for a new round."""
    person = context.permit(Action.MAKE_CYCLES)
    form = CycleForm()
    if not form.is_submitted():
        form.closes_on.data = (context.now() + rules.DEFAULT_DURATION).date()
        form.blocks.data = [section.value for section in questionnaires.ON_BY_DEFAULT]
    if form.validate_on_submit():
        try:
            with context.transaction() as session:
                cycle = cycles.draft(
                    session,
                    form.name.data or "",
                    launcher_id=person.id,
                    minimum=int(form.minimum.data),
                    closes_at=rules.end_of(form.closes_on.data or context.now().date()),
                    blocks=[Section(value) for value in form.blocks.data or []],
                    now=context.now(),
                )
        except BadInput as error:
            form.closes_on.errors = [str(error)]
        else:
            return redirect(url_for("cycles.cycle", cycle_id=cycle.id), 303)
    return render_template("cycles/new.html", form=form), 400 if form.is_submitted() else 200


@pages.get("/<uuid:cycle_id>")
@needs(Action.RUN_CYCLE)
def cycle(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """The round as it stands, with what can be done next."""
    with context.reading() as session:
        row = context.runnable(session, cycle_id)
        phase = Phase(row.phase)
        is_draft = phase in {Phase.DRAFT, Phase.NOMINATING}
        return render_template(
            "cycles/cycle.html",
            cycle=row,
            phase=phase,
            is_draft=is_draft,
            lines=_lines(session, row),
            warnings=cycles.warnings(session, cycle_id) if is_draft else [],
            undelivered=cycles.undelivered(session, cycle_id),
            review_form=_review_form(session, row) if is_draft else None,
            last_day=rules.last_day(row.closes_at),
            csrf_form=FlaskForm(),
            blocks=[Section(block).heading for block in row.blocks],
            may_withhold=access.is_allowed(Action.WITHHOLD_COMMENTS, Role(context.signed_in().role)),
        )


@pages.post("/<uuid:cycle_id>/reviews")
@needs(Action.RUN_CYCLE)
def add_review(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Puts one more person under review, with the raters that the organisation chart suggests."""
    with context.transaction() as session:
        row = context.runnable(session, cycle_id)
        form = _review_form(session, row)
        if not form.validate_on_submit() or not form.page_ids.data:
            flash("Choose a person and at least one page.", "problem")
            return redirect(url_for("cycles.cycle", cycle_id=cycle_id), 303)
        review = cycles.add_review(
            session, cycle_id, uuid.UUID(form.subject.data), [uuid.UUID(page) for page in form.page_ids.data]
        )
        nominations.choose(session, review.id, nominations.suggest(session, review.subject))
    flash(f"{review.subject.name} is in. Please look at the raters, suggested from the organisation chart.", "done")
    return redirect(url_for("nominations.choose", review_id=review.id), 303)


@pages.get("/<uuid:cycle_id>/reviews/<uuid:review_id>/preview")
@needs(Action.RUN_CYCLE)
def preview(cycle_id: uuid.UUID, review_id: uuid.UUID) -> ResponseReturnValue:
    """The survey exactly as a peer will see it; it cannot be sent."""
    relationship = Relationship.SELF if request.args.get("as") == Relationship.SELF else Relationship.PEER
    with context.reading() as session:
        review = cycles.review(session, review_id)
        row = context.runnable(session, review.cycle_id)
        asked = _as_asked(row, review, relationship, nominations.of(session, review_id))
    return show(asked, form_for(asked.questionnaire)(formdata=None), is_preview=True)


def _card(session: Session, row: Cycle) -> Card:
    counts = cycles.progress(session, row.id).values()
    return Card(
        row.id,
        row.name,
        Phase(row.phase),
        row.closes_at,
        len(row.reviews),
        Progress(sum(count.invited for count in counts), sum(count.answered for count in counts)),
    )


def _lines(session: Session, row: Cycle) -> list[Line]:
    progress = cycles.progress(session, row.id)
    lines = [
        Line(
            review.id,
            review.subject.name,
            tuple(entry.page.title for entry in review.pages),
            _raters(Counter(nominations.of(session, review.id).values())),
            cycles.questionnaire(review).for_rater(Relationship.PEER).minutes,
            progress.get(review.id),
        )
        for review in row.reviews
    ]
    return sorted(lines, key=lambda line: line.subject)


def _raters(counts: Counter[Relationship]) -> str:
    names = [
        f"{counts[kind]} {kind.label if counts[kind] == 1 else kind.plural.lower()}"
        for kind in Relationship
        if counts[kind] and kind is not Relationship.SELF
    ]
    if counts[Relationship.SELF]:
        names.insert(0, "self")
    return ", ".join(names)


def _review_form(session: Session, row: Cycle) -> ReviewForm:
    form = ReviewForm()
    there = {review.subject_id for review in row.reviews}
    form.subject.choices = {str(person.id): person.name for person in _candidates(session) if person.id not in there}
    form.page_ids.choices = {str(page.id): page.title for page in competencies.newest(session)}
    return form


def _candidates(session: Session) -> list[Person]:
    """Whom this account may put under review: everybody, or everybody below."""
    person = context.signed_in()
    if person.role == Role.PEOPLE_OPERATIONS:
        return list(people.everybody(session))
    return list(people.below(session, person.id))


def _as_asked(row: Cycle, review: Review, relationship: Relationship, raters: dict[uuid.UUID, Relationship]) -> Asked:
    questionnaire = cycles.questionnaire(review).for_rater(relationship)
    return Asked(
        review.id,
        review.subject.name,
        relationship,
        row.name,
        row.closes_at,
        row.minimum,
        questionnaire,
        statements.of(
            relationship,
            subject=review.subject.name,
            invited=Counter(raters.values()),
            k=row.minimum,
            has_open_questions=any(item.is_open for item in questionnaire.items),
        ),
    )
