"""A clock that may have jumped: what waits for a word, and the button that says it."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from survey import context
from survey.context import needs
from survey.core.access import Action
from survey.services import clocks

pages = Blueprint("clocks", __name__)


@pages.get("/clock")
@needs(Action.ACCEPT_CLOCK)
def clock() -> ResponseReturnValue:
    """The time as the program has it, when it last looked, and what it would do if the time is right."""
    context.permit(Action.ACCEPT_CLOCK)
    now = context.now()
    with context.reading() as session:
        held = clocks.held(session, now, context.kept())
    return render_template("clocks/clock.html", held=held, now=now, zone=context.zone(), form=FlaskForm())


@pages.post("/clock")
@needs(Action.ACCEPT_CLOCK)
def accept() -> ResponseReturnValue:
    """Takes the time as right: whatever waits is done by the next sweeps."""
    account = context.permit(Action.ACCEPT_CLOCK)
    with context.transaction() as session:
        was_held = clocks.accept(session, context.clock_reading(), actor_id=account.id)
    if was_held:
        for task in ("tasks.cycles.close_due", "tasks.retention.delete_due", "tasks.outbox.sweep"):
            context.wake(task)
    said = "The time is taken as right. What waited is done within minutes." if was_held else "Nothing waits for that."
    flash(said, "done")
    return redirect(url_for("clocks.clock"), 303)
