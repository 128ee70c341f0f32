"""Steps of a round: each says what it will do, asks once, and takes it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import DateField
from wtforms.validators import InputRequired

from survey import context
from survey.context import needs
from survey.core import days
from survey.core.access import Action
from survey.core.cycles import Warning
from survey.core.errors import BadInput, NotFound
from survey.core.mailings import about_reminders, about_the_opening
from survey.core.releases import held_until
from survey.services import custody, cycles, drafts, nominations, openings, participation, releases
from survey.services.cycles import Moved

pages = Blueprint("steps", __name__, url_prefix="/rounds")

OUTBOX, TALLY, OPENING = "tasks.outbox.sweep", "tasks.tally.sweep", "tasks.cycles.go_on_opening"
"""Who is woken by a step: whoever sends mail, whoever counts, or whoever opens large rounds."""


class EndForm(FlaskForm):
    """Another end."""

    closes_on = DateField("Last day to answer", [InputRequired("Please choose a day.")])


@pages.route("/<uuid:cycle_id>/reviews/<uuid:review_id>/remove", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def remove_review(cycle_id: uuid.UUID, review_id: uuid.UUID) -> ResponseReturnValue:
    """Takes a person out of a draft."""
    form = FlaskForm()
    with context.transaction() as session:
        review = cycles.review(session, review_id)
        if context.runnable(session, review.cycle_id).id != cycle_id:
            raise NotFound("There is no such review.")
        name = review.subject.name
        if form.validate_on_submit():
            drafts.remove_review(session, review_id)
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
        parts = context.installation()
        with context.transaction() as session:
            row = context.runnable(session, cycle_id)
            actor_id = context.signed_in().id
            is_open = cycles.open_(
                session, cycle_id, parts.keyring, pace=parts.pace, actor_id=actor_id, now=context.now()
            )
            closes_at = row.closes_at
        if is_open:
            context.wake(OUTBOX)
            flash(f"The round is open. {_said_of_the_invitations(closes_at)}", "done")
        else:
            context.wake(OPENING)
        return _back(cycle_id)
    with context.reading() as session:
        row = context.runnable(session, cycle_id)
        load = nominations.load(session, cycle_id)
        warnings = drafts.warnings(session, cycle_id, days_off=context.installation().pace.days_off)
        name = row.name
    lines = [
        f"{len(load)} people are asked, each with one mail.",
        "From then on pages, raters, questions and the minimum are fixed. Only the end can be moved.",
    ]
    return _confirm(f"Open “{name}”?", lines, "Open and send invitations", cycle_id, form, warnings=warnings)


@pages.route("/<uuid:cycle_id>/stop-opening", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def stop_opening(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Takes back that the round is to be opened, as long as it is not."""
    form = FlaskForm()
    if form.validate_on_submit():
        with context.transaction() as session:
            context.runnable(session, cycle_id)
            openings.take_back(session, cycle_id)
        flash("The round is not opened. Nobody has been asked anything.", "done")
        return _back(cycle_id)
    with context.reading() as session:
        name = context.runnable(session, cycle_id).name
    lines = [
        "Nobody has been asked anything yet. People, raters and questions stay as they are, and can be changed again.",
        "The round then waits until you open it by hand. Once it is open, it cannot be stopped any more.",
    ]
    return _confirm(f"Stop opening “{name}”?", lines, "Stop", cycle_id, form)


@pages.route("/<uuid:cycle_id>/nominate", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def nominate(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Has everybody under review propose their raters; the round then opens by itself."""
    form = FlaskForm()
    if form.validate_on_submit():
        said = "Everybody under review gets a mail. You see here how far they are."
        with _taken(cycle_id, said, wakes=OUTBOX) as (session, _):
            nominations.start(session, cycle_id, now=context.now())
        return _back(cycle_id)
    with context.reading() as session:
        row = context.runnable(session, cycle_id)
        subjects, opens_at = len(row.reviews), row.opens_at
    lines = [
        f"{subjects} people get a mail and propose who is asked about them; their managers approve or change it.",
        "Whatever stands two days before the opening is taken as approved, and everybody is told so. The round then "
        "opens by itself on its day.",
    ]
    if opens_at is None:
        lines.append("This round has no day of opening yet: choose one under Dates first, at least four days ahead.")
    return _confirm("Let people choose their raters?", lines, "Ask them", cycle_id, form)


@pages.route("/<uuid:cycle_id>/schedule", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def schedule(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Has the round open by itself, or takes that back."""
    form = FlaskForm()
    with context.transaction() as session:
        row = context.runnable(session, cycle_id)
        was_on, opens_at, name, zone = row.is_scheduled, row.opens_at, row.name, row.zone
        if form.validate_on_submit():
            drafts.schedule(session, cycle_id, is_on=not was_on)
            flash("The round opens by hand." if was_on else "The round opens by itself on its day.", "done")
            return _back(cycle_id)
    day = days.without_year(days.local_day(opens_at, zone)) if opens_at else "a day that you choose under Dates"
    if was_on:
        lines = [f"“{name}” would have opened on {day}. It then waits until somebody opens it."]
        return _confirm("Open this round by hand instead?", lines, "By hand", cycle_id, form)
    lines = [f"“{name}” opens on {day}, and the invitations go out. Until then everything can still be changed."]
    return _confirm("Have this round open by itself?", lines, "By itself", cycle_id, form)


@pages.route("/<uuid:cycle_id>/end", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def move_end(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Another last day to answer, for a draft or an open round."""
    form, pace = EndForm(), context.installation().pace
    if form.validate_on_submit() and form.closes_on.data:
        try:
            with context.transaction() as session:
                context.runnable(session, cycle_id)
                moved = cycles.move_end(
                    session,
                    cycle_id,
                    days.end_of(form.closes_on.data, pace.home),
                    pace=pace,
                    actor_id=context.signed_in().id,
                    now=context.now(),
                )
        except BadInput as error:
            form.closes_on.errors = [str(error)]
        else:
            flash(_said_of_the_end(moved, form.closes_on.data), "done")
            return _back(cycle_id)
    with context.reading() as session:
        row = context.runnable(session, cycle_id)
        if not form.is_submitted():
            form.closes_on.data = row.last_day
    return render_template("cycles/end.html", form=form, cycle=row), 422 if form.is_submitted() else 200


def _said_of_the_invitations(closes_at: datetime) -> str:
    """When the invitations of a round go out that is open from now on."""
    pace, now = context.installation().pace, context.now()
    moment = pace.may_go_at(now, pace.home, last_day=None, until=closes_at)
    return about_the_opening(moment, now, context.zone(), is_considerate=pace.is_considerate)


def _said_of_the_end(moved: Moved, last_day: date) -> str:
    """What was done, and which mails come of it."""
    if not moved.is_changed:
        return f"{days.in_words(last_day)} is the last day to answer already. Nothing was changed."
    said = f"The last day to answer is {days.in_words(last_day)} now."
    if not moved.is_open:
        return said
    if not moved.has_reminders:
        return f"{said} This round was set up without reminders, so nobody is told by mail."
    pace, now = context.installation().pace, context.now()
    due = [pace.may_go_at(max(moment, now), pace.home, last_day=None) for moment in moved.due]
    return f"{said} {about_reminders(due, now, pace.home)}"


@pages.route("/<uuid:cycle_id>/close", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def close(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Ends the round now."""
    form = FlaskForm()
    if form.validate_on_submit():
        with context.transaction() as session:
            context.runnable(session, cycle_id)
            cycles.close(session, cycle_id, actor_id=context.signed_in().id, now=context.now())
            is_waiting = custody.of(session, cycle_id).is_waiting
        context.wake(TALLY)
        if is_waiting:
            flash("The round is closed. Nobody can answer any more.", "done")
            return redirect(url_for("custody.unlock", cycle_id=cycle_id), 303)
        flash("The round is closed. The answers are being counted.", "done")
        return _back(cycle_id)
    with context.reading() as session:
        context.runnable(session, cycle_id)
        invited, answered = participation.totals(session, [cycle_id]).get(cycle_id, (0, 0))
        holder = custody.of(session, cycle_id).holder
    waiting = invited - answered
    lines = [
        f"{waiting} answers have not come in; those people can no longer answer.",
        "The answers are counted once, and the key that could open them is destroyed. This cannot be undone.",
    ]
    label = "Close and count"
    if holder.passphrases:
        lines.insert(1, "They are counted when the passphrase has been typed; the next page asks for it.")
        label = "Close"
    return _confirm("Close this round now?", lines, label, cycle_id, form, is_danger=True)


@pages.route("/<uuid:cycle_id>/cancel", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def cancel(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Ends the round without reports."""
    form = FlaskForm()
    if form.validate_on_submit():
        said = "The round is cancelled. Its answers are being deleted unopened."
        with _taken(cycle_id, said, wakes=TALLY) as (session, actor_id):
            cycles.cancel(session, cycle_id, actor_id=actor_id, now=context.now())
        return _back(cycle_id)
    with context.reading() as session:
        name = context.runnable(session, cycle_id).name
    lines = [
        "Nobody can answer any more, and no reminder goes out.",
        "What was answered is deleted unopened, and the key with it. There will be no report. This cannot be undone.",
    ]
    return _confirm(f"Cancel “{name}”?", lines, "Cancel the round", cycle_id, form, is_danger=True)


@pages.route("/<uuid:cycle_id>/release", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def release(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Lets people read their reports."""
    form = FlaskForm()
    if form.validate_on_submit():
        said = "The reports are released, and everybody who can read one now gets a mail."
        with _taken(cycle_id, said, wakes=OUTBOX) as (session, actor_id):
            cycles.release(session, cycle_id, actor_id=actor_id, now=context.now())
        return _back(cycle_id)
    with context.reading() as session:
        row = context.runnable(session, cycle_id)
        subjects, zone = len(row.reviews), row.zone
        until = held_until(context.now(), row.manager_days, zone)
        unmanaged = releases.unmanaged(session, cycle_id)
    lines = ["A report that has been released cannot be taken back, and no comment in it can be withheld any more."]
    if until is None:
        lines.insert(0, f"{subjects} people get a mail and can read their report; so can their managers.")
        return _confirm("Release the reports?", lines, "Release", cycle_id, form)
    lines.insert(
        0,
        "The managers get a mail and can read the reports now, to prepare the conversation. "
        f"{subjects} people under review can read theirs from {days.day_of(until, zone, context.zone())} on, or "
        "earlier if you release them by hand.",
    )
    if unmanaged:
        lines.append(f"{unmanaged} of them have no manager here who could read first: they can read theirs at once.")
    return _confirm("Release the reports to the managers?", lines, "Release to the managers", cycle_id, form)


@pages.route("/<uuid:cycle_id>/release-to-engineers", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def release_to_engineers(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Lets the people under review read their reports before their day."""
    form = FlaskForm()
    if form.validate_on_submit():
        said = "The engineers can read their reports now, and get a mail."
        with _taken(cycle_id, said, wakes=OUTBOX) as (session, actor_id):
            releases.to_subjects(session, cycle_id, actor_id=actor_id, now=context.now())
        return _back(cycle_id)
    with context.reading() as session:
        row = context.runnable(session, cycle_id)
        subjects, until, zone = len(row.reviews), row.held_until, row.zone
    day = f", and not on {days.day_of(until, zone, context.zone())}" if until else ""
    lines = [f"{subjects} people get a mail and can read their report now{day}. This cannot be taken back."]
    return _confirm("Release the reports to the engineers?", lines, "Release to the engineers", cycle_id, form)


@pages.route("/<uuid:cycle_id>/delete", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def delete(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Throws a draft away."""
    form = FlaskForm()
    if form.validate_on_submit():
        with context.transaction() as session:
            context.runnable(session, cycle_id)
            custody.forget(session, cycle_id, context.installation().keyring)
            drafts.discard(session, cycle_id)
        flash("The draft is gone.", "done")
        return redirect(url_for("cycles.index"), 303)
    with context.reading() as session:
        name = context.runnable(session, cycle_id).name
    return _confirm(
        f"Delete the draft “{name}”?", ["Nobody has been asked anything yet."], "Delete", cycle_id, form, is_danger=True
    )


@contextmanager
def _taken(cycle_id: uuid.UUID, said: str, *, wakes: str) -> Iterator[tuple[Session, uuid.UUID]]:
    """A transaction, and who acts, for a step of a round that they may run; then somebody is woken and `said` is shown.

    Raises as `context.runnable` does. Where the step raises, nothing is kept, and nothing said.
    """
    with context.transaction() as session:
        context.runnable(session, cycle_id)
        yield session, context.signed_in().id
    context.wake(wakes)
    flash(said, "done")


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
