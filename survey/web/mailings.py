"""Reminders that somebody wants no more of, or wants sent now, and mail that did not arrive."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from survey import context
from survey.context import needs, public
from survey.core.access import Action
from survey.core.errors import NotFound
from survey.services import cycles, mailings

pages = Blueprint("mailings", __name__)


@pages.route("/stop/<token>", methods=["GET", "POST"])
@public
def stop(token: str) -> ResponseReturnValue:
    """A button; pressed here or in a mail program it stops the reminders. The same page for every secret."""
    if request.method == "POST":
        with context.transaction() as session:
            mailings.stop(session, token)
    return render_template("mailings/stop.html", token=token, is_stopped=request.method == "POST")


@pages.post("/rounds/<uuid:cycle_id>/mail")
@needs(Action.RUN_CYCLE)
def send_again(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Mails once more whoever's address refused our mail."""
    with context.transaction() as session:
        context.runnable(session, cycle_id)
        count = mailings.send_again(session, cycle_id, now=context.now())
    context.wake("tasks.outbox.sweep")
    flash(_mailed_again(count), "done")
    return redirect(url_for("cycles.cycle", cycle_id=cycle_id), 303)


def _mailed_again(count: int) -> str:
    if count == 0:
        return "No address is marked as refused any more, so nobody is mailed again."
    if count == 1:
        return "The address counts as good again. If its owner has not finished, they are mailed in their office hours."
    return f"{count} addresses count as good again. Whoever has not finished is mailed in their office hours."


@pages.post("/rounds/<uuid:cycle_id>/reviews/<uuid:review_id>/remind")
@needs(Action.RUN_CYCLE)
def remind(cycle_id: uuid.UUID, review_id: uuid.UUID) -> ResponseReturnValue:
    """Reminds the raters of one review now, once a day. What it says does not depend on who is still asked."""
    with context.transaction() as session:
        review = cycles.review(session, review_id)
        if context.runnable(session, review.cycle_id).id != cycle_id:
            raise NotFound("There is no such review.")
        subject = review.subject.name
        brought = mailings.remind(
            session,
            review_id,
            pace=context.installation().pace,
            actor_id=context.signed_in().id,
            now=context.now(),
        )
    if brought.is_done:
        context.wake("tasks.outbox.sweep")
    flash(brought.said(subject, context.now(), context.zone()), "done")
    # Back to the part of the list that it was pressed in.
    here: dict[str, Any] = {name: request.args[name] for name in ("show", "page") if name in request.args}
    return redirect(url_for("cycles.cycle", cycle_id=cycle_id, **here), 303)
