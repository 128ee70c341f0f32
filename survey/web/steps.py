"""Steps of a round: each says what it will do, asks once, and takes it."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import DateField
from wtforms.validators import InputRequired

from survey import context
from survey.context import needs
from survey.core import cycles as rules
from survey.core.access import Action
from survey.core.cycles import Warning
from survey.core.errors import BadInput
from survey.services import cycles, nominations

pages = Blueprint("steps", __name__, url_prefix="/rounds")


class EndForm(FlaskForm):
    """Another end."""

    closes_on = DateField("Last day to answer", [InputRequired("Please choose a day.")])


@pages.route("/<uuid:cycle_id>/reviews/<uuid:review_id>/remove", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def remove_review(cycle_id: uuid.UUID, review_id: uuid.UUID) -> ResponseReturnValue:
    """Takes a person out of a draft."""
    form = FlaskForm()
    with context.transaction() as session:
        context.runnable(session, cycle_id)
        review = cycles.review(session, review_id)
        context.runnable(session, review.cycle_id)
        name = review.subject.name
        if form.validate_on_submit():
            cycles.remove_review(session, review_id)
            flash(f"{name} is not in this round any more.", "done")
            return _back(cycle_id)
    return _confirm(
        f"Take {name} out of this round?",
        ["Nobody has been asked anything yet. The choice of raters is forgotten."],
        "Take out",
        cycle_id,
        form,
    )


@pages.route("/<uuid:cycle_id>/open", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def open_(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """What will happen and what will go wrong; then the invitations go out."""
    form = FlaskForm()
    if form.validate_on_submit():
        with context.transaction() as session:
            context.runnable(session, cycle_id)
            cycles.open_(
                session, cycle_id, context.installation().keyring, pace=context.installation().pace, now=context.now()
            )
        context.wake("tasks.outbox.sweep")
        flash("The round is open. The invitations are on their way.", "done")
        return _back(cycle_id)
    with context.reading() as session:
        row = context.runnable(session, cycle_id)
        load = nominations.load(session, cycle_id)
        warnings = cycles.warnings(session, cycle_id)
        name = row.name
    lines = [
        f"{len(load)} people are asked, each with one mail.",
        "From then on pages, raters, questions and the minimum are fixed. Only the end can be moved.",
    ]
    return _confirm(f"Open “{name}”?", lines, "Open and send invitations", cycle_id, form, warnings=warnings)


@pages.route("/<uuid:cycle_id>/end", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def move_end(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Another last day to answer, for a draft or an open round."""
    form = EndForm()
    if form.validate_on_submit() and form.closes_on.data:
        try:
            with context.transaction() as session:
                context.runnable(session, cycle_id)
                cycles.move_end(
                    session,
                    cycle_id,
                    rules.end_of(form.closes_on.data),
                    pace=context.installation().pace,
                    now=context.now(),
                )
        except BadInput as error:
            form.closes_on.errors = [str(error)]
        else:
            flash("The end has been moved, and the reminders with it.", "done")
            return _back(cycle_id)
    with context.reading() as session:
        row = context.runnable(session, cycle_id)
        if not form.is_submitted():
            form.closes_on.data = rules.last_day(row.closes_at)
    return render_template("cycles/end.html", form=form, cycle=row), 422 if form.is_submitted() else 200


@pages.route("/<uuid:cycle_id>/close", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def close(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Ends the round now."""
    form = FlaskForm()
    if form.validate_on_submit():
        with context.transaction() as session:
            context.runnable(session, cycle_id)
            cycles.close(session, cycle_id, now=context.now())
        context.wake("tasks.tally.sweep")
        flash("The round is closed. The answers are being counted.", "done")
        return _back(cycle_id)
    with context.reading() as session:
        context.runnable(session, cycle_id)
        counts = cycles.progress(session, cycle_id).values()
    waiting = sum(count.invited - count.answered for count in counts)
    lines = [
        f"{waiting} answers have not come in; those people can no longer answer.",
        "The answers are counted once, and the key that could open them is destroyed. This cannot be undone.",
    ]
    return _confirm("Close this round now?", lines, "Close and count", cycle_id, form, is_danger=True)


@pages.route("/<uuid:cycle_id>/release", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def release(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Lets people read their reports."""
    form = FlaskForm()
    if form.validate_on_submit():
        with context.transaction() as session:
            context.runnable(session, cycle_id)
            cycles.release(session, cycle_id, now=context.now())
        context.wake("tasks.outbox.sweep")
        flash("The reports are released, and everybody under review gets a mail.", "done")
        return _back(cycle_id)
    with context.reading() as session:
        row = context.runnable(session, cycle_id)
        subjects = len(row.reviews)
    lines = [
        f"{subjects} people get a mail and can read their report; so can their managers.",
        "A report that has been released cannot be taken back.",
    ]
    return _confirm("Release the reports?", lines, "Release", cycle_id, form)


@pages.route("/<uuid:cycle_id>/delete", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def delete(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Throws a draft away."""
    form = FlaskForm()
    if form.validate_on_submit():
        with context.transaction() as session:
            context.runnable(session, cycle_id)
            cycles.delete_draft(session, cycle_id)
        flash("The draft is gone.", "done")
        return redirect(url_for("cycles.index"), 303)
    with context.reading() as session:
        name = context.runnable(session, cycle_id).name
    return _confirm(
        f"Delete the draft “{name}”?", ["Nobody has been asked anything yet."], "Delete", cycle_id, form, is_danger=True
    )


def _back(cycle_id: uuid.UUID) -> ResponseReturnValue:
    return redirect(url_for("cycles.cycle", cycle_id=cycle_id), 303)


def _confirm(
    title: str,
    lines: list[str],
    action_label: str,
    cycle_id: uuid.UUID,
    form: FlaskForm,
    *,
    warnings: list[Warning] | None = None,
    is_danger: bool = False,
) -> str:
    return render_template(
        "cycles/confirm.html",
        title=title,
        lines=lines,
        action_label=action_label,
        back_href=url_for("cycles.cycle", cycle_id=cycle_id),
        form=form,
        warnings=warnings or [],
        is_danger=is_danger,
    )
