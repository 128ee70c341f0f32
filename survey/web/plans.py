"""The plan after a report: chosen beside what it answers to, changed, shared with one's manager, or forgotten."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import DateField, TextAreaField
from wtforms.validators import Optional

from survey import context
from survey.context import needs
from survey.core import days, sentences
from survey.core import plans as rules
from survey.core.access import Action, Standing
from survey.core.editions import Edition
from survey.core.errors import BadInput, NotAllowed, NotFound
from survey.core.plans import Plan, Step
from survey.core.reports import Chapter
from survey.core.rows import Row
from survey.services import plans, reports

pages = Blueprint("plans", __name__, url_prefix="/plans")


class PlanForm(FlaskForm):
    """When to look at the plan again; the steps stand in fields of their own."""

    check_in_on = DateField(
        "Day of the check-in",
        [Optional()],
        description="You get one mail that morning. Leave it empty for no reminder.",
    )


class NoteForm(FlaskForm):
    """How it went."""

    note = TextAreaField("How did it go?", render_kw={"rows": 5, "maxlength": rules.LONGEST_NOTE})


@dataclass(frozen=True)
class Choice:
    """A habit that can be chosen: `value` is what its box sends."""

    value: str
    step: Step
    is_chosen: bool


@dataclass(frozen=True)
class Block:
    """A gap of a page, or a page without one, with what could be done about it."""

    key: str
    chapter: Chapter
    row: Row | None
    about: str
    habits: tuple[Choice, ...]
    own: str


@pages.get("/<uuid:review_id>")
@needs(Action.READ_PLAN)
def plan(review_id: uuid.UUID) -> ResponseReturnValue:
    """The plan, for its subject and for whom they shared it with. A subject without one is led to making it."""
    with context.reading() as session:
        found = plans.of(session, review_id)
        if found is None:
            _own_report(session, review_id)
            return redirect(url_for("plans.choose", review_id=review_id), 303)
        standing = _permit(Action.READ_PLAN, plans.standing(session, found, context.signed_in().id))
        is_own = Standing.OWN in standing
        manager = _manager(session, found) if is_own else ""
    return _page(found, NoteForm(note=found.note), is_own=is_own, manager=manager)


@pages.route("/<uuid:review_id>/choose", methods=["GET", "POST"])
@needs(Action.CHANGE_PLAN)
def choose(review_id: uuid.UUID) -> ResponseReturnValue:
    """Habits, and steps of one's own, next to each gap; and the day of the check-in."""
    form = PlanForm()
    with context.reading() as session:
        edition = _own_report(session, review_id)
        found = plans.of(session, review_id)
    blocks = list(_blocks(edition, Sent() if form.is_submitted() else Kept(found)))
    problem = ""
    if not form.is_submitted():
        today = days.local_day(context.now(), context.zone())
        form.check_in_on.data = found.check_in_on if found else today + rules.DEFAULT
    elif form.validate():
        try:
            with context.transaction() as session:
                plans.save(
                    session,
                    review_id,
                    _chosen(blocks),
                    form.check_in_on.data,
                    home=context.installation().pace.home,
                    now=context.now(),
                )
        except BadInput as error:
            problem = str(error)
        else:
            flash("Your plan is kept. Nobody else sees it unless you share it.", "done")
            return redirect(url_for("plans.plan", review_id=review_id), 303)
    return (
        render_template(
            "plans/choose.html",
            edition=edition,
            blocks=blocks,
            form=form,
            problem=problem,
            has_plan=found is not None,
            most=rules.MOST,
            longest=rules.LONGEST,
        ),
        422 if form.is_submitted() else 200,
    )


@pages.post("/<uuid:review_id>/note")
@needs(Action.CHANGE_PLAN)
def note(review_id: uuid.UUID) -> ResponseReturnValue:
    """Keeps how it went."""
    form = NoteForm()
    try:
        with context.transaction() as session:
            found = _own_plan(session, review_id)
            manager = _manager(session, found)
            plans.note(session, review_id, form.note.data or "")
    except BadInput as error:
        form.note.errors = [str(error)]
        return _page(found, form, is_own=True, manager=manager), 422
    flash("Your note is kept.", "done")
    return redirect(url_for("plans.plan", review_id=review_id), 303)


@pages.post("/<uuid:review_id>/share")
@needs(Action.CHANGE_PLAN)
def share(review_id: uuid.UUID) -> ResponseReturnValue:
    """Lets the manager read the plan."""
    try:
        with context.transaction() as session:
            _own_plan(session, review_id)
            plans.share(session, review_id)
    except BadInput as error:
        flash(str(error), "problem")
    else:
        flash("Your manager can read this plan now.", "done")
    return redirect(url_for("plans.plan", review_id=review_id), 303)


@pages.post("/<uuid:review_id>/withdraw")
@needs(Action.CHANGE_PLAN)
def withdraw(review_id: uuid.UUID) -> ResponseReturnValue:
    """Lets nobody else read the plan any more."""
    with context.transaction() as session:
        _own_plan(session, review_id)
        plans.withdraw(session, review_id)
    flash("Nobody but you can read this plan now.", "done")
    return redirect(url_for("plans.plan", review_id=review_id), 303)


@pages.route("/<uuid:review_id>/forget", methods=["GET", "POST"])
@needs(Action.CHANGE_PLAN)
def forget(review_id: uuid.UUID) -> ResponseReturnValue:
    """Deletes the plan."""
    form = FlaskForm()
    with context.transaction() as session:
        _own_plan(session, review_id)
        if form.validate_on_submit():
            plans.forget(session, review_id)
            flash("The plan is gone, and its reminder with it.", "done")
            return redirect(url_for("reports.read", review_id=review_id), 303)
    return render_template(
        "confirm.html",
        title="Delete this plan?",
        lines=["Its steps, your note and the reminder are deleted. The report stays, and you can plan anew."],
        action_label="Delete the plan",
        back_href=url_for("plans.plan", review_id=review_id),
        form=form,
        is_danger=True,
    )


def _page(found: Plan, form: NoteForm, *, is_own: bool, manager: str) -> str:
    today = days.local_day(context.now(), context.zone())
    return render_template(
        "plans/plan.html",
        plan=found,
        form=form,
        is_own=is_own,
        manager=manager,
        is_due=found.check_in_on is not None and found.check_in_on <= today,
    )


def _manager(session: Session, found: Plan) -> str:
    """With whom the plan can be shared, by name; empty where there is nobody."""
    manager = plans.manager(session, found.subject_id)
    return manager.name if manager else ""


def _own_report(session: Session, review_id: uuid.UUID) -> Edition:
    """The report of whoever is signed in. For everybody else there is nothing to plan."""
    edition = reports.read(session, review_id)
    _permit(Action.CHANGE_PLAN, reports.standing(session, edition, context.signed_in().id))
    return edition.copy(is_own=True)


def _own_plan(session: Session, review_id: uuid.UUID) -> Plan:
    found = plans.of(session, review_id)
    if found is None:
        raise NotFound(plans.MISSING)
    _permit(Action.CHANGE_PLAN, plans.standing(session, found, context.signed_in().id))
    return found


def _permit(action: Action, standing: frozenset[Standing]) -> frozenset[Standing]:
    """The standing, if it is enough. To others a plan does not exist."""
    try:
        context.permit(action, *standing)
    except NotAllowed:
        raise NotFound(plans.MISSING) from None
    return standing


class Kept:
    """What a form shows of a plan that was kept before."""

    def __init__(self, found: Plan | None) -> None:
        self.steps: Sequence[Step] = found.steps if found else ()

    def is_chosen(self, value: str, step: Step) -> bool:
        """Whether the box of this habit is ticked."""
        return step in self.steps

    def own(self, key: str, page: str, sentence: str) -> str:
        """One's own step in this block."""
        texts = (step.text for step in self.steps if step.is_own and (step.page, step.sentence) == (page, sentence))
        return next(texts, "")


class Sent:
    """What a form shows of what was just sent."""

    def is_chosen(self, value: str, step: Step) -> bool:
        """Whether the box of this habit is ticked."""
        return value in request.form.getlist("habit")

    def own(self, key: str, page: str, sentence: str) -> str:
        """One's own step in this block."""
        return request.form.get(f"own-{key}", "")


def _blocks(edition: Edition, shown: Kept | Sent) -> Iterator[Block]:
    for number, chapter in enumerate(edition.report.chapters):
        for place, row in enumerate(sentences.gaps(edition.report, chapter) or (None,)):
            key = f"{number}.{place}"
            sentence = row.text if row else ""
            steps = [Step(habit, chapter.title, sentence) for habit in chapter.habits]
            values = [f"{key}.{index}" for index in range(len(steps))]
            yield Block(
                key,
                chapter,
                row,
                sentences.both(row, None) if row and row.lead else "",
                tuple(
                    Choice(value, step, shown.is_chosen(value, step)) for value, step in zip(values, steps, strict=True)
                ),
                shown.own(key, chapter.title, sentence),
            )


def _chosen(blocks: Sequence[Block]) -> list[Step]:
    chosen = []
    for block in blocks:
        chosen += [choice.step for choice in block.habits if choice.is_chosen]
        sentence = block.row.text if block.row else ""
        chosen.append(Step(block.own, block.chapter.title, sentence, is_own=True))
    return chosen
