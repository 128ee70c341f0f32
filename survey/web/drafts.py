"""Setting a round up: one page per decision, each kept as it is made, in any order; then what would go wrong."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import DateField, IntegerField, RadioField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.validators import InputRequired, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from survey import context
from survey.context import needs
from survey.core import cycles as rules
from survey.core import days, greetings, names, questionnaires, releases
from survey.core.access import Action, Role
from survey.core.competencies import Section
from survey.core.cycles import Phase
from survey.core.errors import BadInput
from survey.core.questionnaires import Questionnaire
from survey.core.relationships import Relationship
from survey.services import competencies, custody, cycles, drafts, nominations, people
from survey.store.cycles import Cycle

pages = Blueprint("drafts", __name__, url_prefix="/rounds")

PARTS = {
    "people": "People",
    "raters": "Raters",
    "questions": "Questions",
    "dates": "Dates",
    "words": "Words",
}
"""The parts of the set-up, in the order in which a launcher is led through them."""


LEVELS = range(1, 8)


class Checkboxes(SelectMultipleField):
    """Several choices, each with a box of its own: no key needs to be held down."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class PeopleForm(FlaskForm):
    """More people under review."""

    subjects = Checkboxes("People")
    competencies = Checkboxes("Reviewed on")
    level = SelectField(
        "On the page of",
        choices={"": "their own level"} | {str(level): f"level {level}" for level in LEVELS},
        description="Choose a level for people whose own is not known here, or who grow into another one.",
    )


class RulesForm(FlaskForm):
    """The smallest group that is ever shown."""

    minimum = SelectField(
        "Smallest group that is ever shown",
        choices={str(k): f"{k} people" + (" (weak protection)" if k < 4 else "") for k in rules.MINIMA},
        description="Fixed when the round opens. Each figure needs as many people who observed that very behavior.",
    )


class QuestionsForm(FlaskForm):
    """What is asked besides the two sections that always are, and in which words the scale is labelled."""

    blocks = Checkboxes(
        "Also ask about",
        choices={
            section.value: section.heading
            for section in questionnaires.BLOCKS
            if section not in questionnaires.ALWAYS_ON
        },
        description="Success Indicators and Seek Feedback are always asked.",
    )
    label_1 = StringField("1, the least")
    label_2 = StringField("2")
    label_3 = StringField("3")
    label_4 = StringField("4")
    label_5 = StringField("5, the most")
    opt_out = StringField("The way out", description="For who cannot say. It is never counted as a number.")


class DatesForm(FlaskForm):
    """From when until when."""

    opens_on = DateField(
        "Day of opening", [Optional()], description="Leave it empty to open the round by hand, whenever you like."
    )
    closes_on = DateField("Last day to answer", [InputRequired("Please choose the last day to answer.")])
    reminders = Checkboxes(
        "Remind those who have not finished",
        choices={slot: words.capitalize() for slot, words in rules.SLOTS.items()},
        description="At most one mail per person and working day, over all rounds.",
    )
    release = RadioField(
        "When the reports are released, who reads them",
        choices={
            "both": "Engineers and their managers at once",
            "managers": "Managers first, to prepare the conversation",
        },
        validate_choice=False,
    )
    manager_days = IntegerField(
        "Engineers so many days later",
        [Optional()],
        description="Only where managers are first. You can always let the engineers read earlier, by hand.",
        render_kw={"min": releases.DAYS[0], "max": releases.DAYS[-1], "inputmode": "numeric"},
    )


class WordsForm(FlaskForm):
    """The launcher's own words in the invitation."""

    greeting = TextAreaField("Your own words above the invitation", render_kw={"rows": 6})


@dataclass(frozen=True)
class Candidate:
    """Somebody who may be put under review."""

    id: uuid.UUID
    name: str
    team: str
    level: int | None


@pages.get("/<uuid:cycle_id>/setup")
@needs(Action.RUN_CYCLE)
def overview(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Everything that was decided, what would go wrong with it, and the way on."""
    with context.reading() as session:
        row = _draft(session, cycle_id)
        lines = drafts.lines(session, cycle_id)
        return render_template(
            "drafts/overview.html",
            cycle=row,
            phase=Phase(row.phase),
            parts=PARTS,
            lines=lines,
            warnings=drafts.warnings(session, cycle_id, days_off=context.installation().pace.days_off),
            last_day=row.last_day,
            minutes=_minutes(session, row),
            blocks=[Section(block).heading for block in row.blocks],
            asked=len(nominations.load(session, cycle_id)),
            custody=custody.of(session, cycle_id),
        )


@pages.route("/<uuid:cycle_id>/setup/people", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def people_(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Whom the round is about."""
    form = PeopleForm()
    with context.reading() as session:
        row = _draft(session, cycle_id)
        lines = drafts.lines(session, cycle_id)
        there = {review.subject_id for review in row.reviews}
        candidates = [one for one in _candidates(session) if one.id not in there]
        form.competencies.choices = {
            str(one.competency.id): one.competency.name for one in competencies.newest(session)
        }
    teams = sorted({one.team for one in candidates if one.team}, key=names.in_order)
    wanted = {name: request.args.get(name, "").strip() for name in ("q", "team", "level")}
    shown = [one for one in candidates if _fits(one, wanted)]
    form.subjects.choices = {str(one.id): one.name for one in (candidates if form.is_submitted() else shown)}
    problem = ""
    if form.validate_on_submit():
        chosen = [str(one.id) for one in shown] if request.form.get("all") else form.subjects.data or []
        try:
            with context.transaction() as session:
                context.runnable(session, cycle_id)
                added = drafts.add_people(
                    session,
                    cycle_id,
                    [uuid.UUID(value) for value in chosen],
                    [uuid.UUID(value) for value in form.competencies.data or []],
                    level=int(form.level.data) if form.level.data else None,
                )
        except BadInput as error:
            problem = str(error)
        else:
            _tell(added)
            return redirect(url_for("drafts.people_", cycle_id=cycle_id), 303)
    return (
        render_template(
            "drafts/people.html",
            cycle=row,
            parts=PARTS,
            part="people",
            form=form,
            lines=lines,
            shown=shown,
            teams=teams,
            wanted=wanted,
            is_anybody_left=bool(candidates),
            problem=problem,
        ),
        422 if form.is_submitted() else 200,
    )


@pages.route("/<uuid:cycle_id>/setup/raters", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def raters(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """The minimum, and for each person who is asked about them."""
    form = RulesForm()
    with context.reading() as session:
        row = _draft(session, cycle_id)
        lines = drafts.lines(session, cycle_id)
    if not form.is_submitted():
        form.minimum.data = str(row.minimum)
    if form.validate_on_submit():
        with context.transaction() as session:
            context.runnable(session, cycle_id)
            drafts.set_rules(session, cycle_id, minimum=int(form.minimum.data))
        return _onward(cycle_id, "raters")
    return _page("raters", row, form, lines=lines)


@pages.route("/<uuid:cycle_id>/setup/questions", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def questions(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """The blocks with the minutes that they take, and the words of the scale."""
    form = QuestionsForm()
    fields = [form.label_1, form.label_2, form.label_3, form.label_4, form.label_5]
    with context.reading() as session:
        row = _draft(session, cycle_id)
        minutes = _minutes(session, row)
    if not form.is_submitted():
        scale = cycles.frequency(row)
        form.blocks.data = list(row.blocks)
        for field, label in zip(fields, scale.labels, strict=True):
            field.data = label
        form.opt_out.data = scale.opt_out
    problem = ""
    if form.validate_on_submit():
        try:
            with context.transaction() as session:
                context.runnable(session, cycle_id)
                drafts.set_questions(
                    session,
                    cycle_id,
                    blocks=[Section(value) for value in form.blocks.data or []],
                    labels=[field.data or "" for field in fields],
                    opt_out=form.opt_out.data or "",
                )
        except BadInput as error:
            problem = str(error)
        else:
            return _onward(cycle_id, "questions")
    return _page("questions", row, form, problem=problem, labels=fields, minutes=minutes)


@pages.route("/<uuid:cycle_id>/setup/dates", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def dates(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """From when until when, and the reminders."""
    form, home = DatesForm(), context.installation().pace.home
    with context.reading() as session:
        row = _draft(session, cycle_id)
    if not form.is_submitted():
        form.opens_on.data = days.local_day(row.opens_at, row.zone) if row.opens_at else None
        form.closes_on.data = row.last_day
        form.reminders.data = list(rules.SLOTS if row.reminders is None else row.reminders)
        form.release.data = "managers" if row.manager_days else "both"
        form.manager_days.data = row.manager_days or releases.DEFAULT_DAYS
    if form.validate_on_submit() and form.closes_on.data:
        try:
            manager_days = releases.check_days(form.manager_days.data) if form.release.data == "managers" else 0
        except BadInput as error:
            form.manager_days.errors = [str(error)]
            return _page("dates", row, form)
        try:
            with context.transaction() as session:
                context.runnable(session, cycle_id)
                drafts.set_dates(
                    session,
                    cycle_id,
                    opens_at=_morning(form.opens_on.data, home),
                    closes_at=days.end_of(form.closes_on.data, home),
                    reminders=form.reminders.data or [],
                    manager_days=manager_days,
                    zone=home,
                    now=context.now(),
                )
        except BadInput as error:
            form.closes_on.errors = [str(error)]
        else:
            return _onward(cycle_id, "dates")
    return _page("dates", row, form)


@pages.route("/<uuid:cycle_id>/setup/words", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def words(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """The launcher's own words, beside what the mail will say."""
    form = WordsForm()
    with context.reading() as session:
        row = _draft(session, cycle_id)
    if not form.is_submitted():
        form.greeting.data = row.greeting
    if form.validate_on_submit():
        try:
            with context.transaction() as session:
                context.runnable(session, cycle_id)
                drafts.set_greeting(session, cycle_id, form.greeting.data or "")
        except BadInput as error:
            form.greeting.errors = [str(error)]
        else:
            if request.form.get("action") == "look":
                return redirect(url_for("drafts.words", cycle_id=cycle_id), 303)
            return _onward(cycle_id, "words")
    day = row.last_day
    sample = {
        "{name}": "Ana",
        "{round}": row.name,
        "{last day}": days.without_year(day),
        "{company}": context.installation().company,
    }
    return _page("words", row, form, placeholders=greetings.PLACEHOLDERS, sample=greetings.fill(row.greeting, sample))


@pages.post("/<uuid:cycle_id>/setup/name")
@needs(Action.RUN_CYCLE)
def rename(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Another name for the round."""
    with context.transaction() as session:
        context.runnable(session, cycle_id)
        drafts.rename(session, cycle_id, request.form.get("name", ""))
    flash("The round has its new name.", "done")
    return redirect(url_for("drafts.overview", cycle_id=cycle_id), 303)


def _draft(session: Session, cycle_id: uuid.UUID) -> Cycle:
    row = context.runnable(session, cycle_id)
    rules.require(Phase(row.phase), Phase.DRAFT, Phase.NOMINATING)
    return row


def _page(part: str, row: Cycle, form: FlaskForm, *, problem: str = "", **more: object) -> ResponseReturnValue:
    return (
        render_template(f"drafts/{part}.html", cycle=row, parts=PARTS, part=part, form=form, problem=problem, **more),
        422 if form.is_submitted() else 200,
    )


def _onward(cycle_id: uuid.UUID, part: str) -> ResponseReturnValue:
    """To the next part, or to the overview after the last one, or when the launcher came from there."""
    names = list(PARTS)
    following = names[names.index(part) + 1 :]
    if request.form.get("action") == "back" or not following:
        return redirect(url_for("drafts.overview", cycle_id=cycle_id), 303)
    return redirect(url_for(f"drafts.{following[0]}", cycle_id=cycle_id), 303)


def _tell(added: drafts.Added) -> None:
    if added.count:
        one = added.count == 1
        flash(
            f"{added.count} {'person is' if one else 'people are'} in, with raters from the organisation chart.", "done"
        )
    if added.without_page:
        names = ", ".join(added.without_page)
        flash(f"Not added, because there is no page for their level, or their level is not known: {names}.", "problem")


def _candidates(session: Session) -> list[Candidate]:
    """Whom this account may put under review: everybody, or everybody below."""
    person = context.signed_in()
    rows = people.everybody(session) if person.role == Role.PEOPLE_OPERATIONS else people.below(session, person.id)
    return [Candidate(one.id, one.name, one.team, one.level) for one in rows if not one.is_external]


def _fits(one: Candidate, wanted: dict[str, str]) -> bool:
    return (
        names.fits(wanted["q"], one.name)
        and wanted["team"] in {"", one.team}
        and wanted["level"] in {"", str(one.level or "")}
    )


def _minutes(session: Session, row: Cycle) -> dict[str, int]:
    """The longest that each relationship takes, over all reviews."""
    asked: dict[tuple[uuid.UUID, ...], Questionnaire] = {}
    for review in row.reviews:
        asked.setdefault(tuple(entry.page_id for entry in review.pages), cycles.questionnaire(review))
    return {
        kind.value: max((questionnaire.for_rater(kind).minutes for questionnaire in asked.values()), default=0)
        for kind in Relationship
    }


def _morning(day: date | None, home: tzinfo) -> datetime | None:
    """Eight in the morning of this day, where the company is."""
    return days.at_hour(day, time(8), home) if day else None
