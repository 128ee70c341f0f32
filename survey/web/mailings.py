"""Reminders that somebody wants no more of, or wants sent now, and mail that did not arrive."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField

from survey import context
from survey.context import needs, public
from survey.core.access import Action
from survey.core.errors import NotFound
from survey.services import cycles, mailings

pages = Blueprint("mailings", __name__)


class StopForm(FlaskForm):
    """A tick that no robot sets which follows links and presses buttons. Its secret is in the address."""

    class Meta:
        """Without a token: whoever has the secret may, and a scanner would begin a session."""

        csrf = False

    is_meant = BooleanField("I want no more reminders of these rounds")


@pages.route("/stop/<token>", methods=["GET", "POST"])
@public
def stop(token: str) -> ResponseReturnValue:
    """A button of a mail program, or a tick here, stops the reminders. The same page for every secret."""
    form = StopForm()
    is_meant = request.method == "POST" and (_is_one_click() or form.is_meant.data)
    if is_meant:
        with context.transaction() as session:
            mailings.stop(session, token)
    page = render_template("mailings/stop.html", form=form, is_stopped=is_meant, is_refused=form.is_submitted())
    return page, 422 if form.is_submitted() and not is_meant else 200


def _is_one_click() -> bool:
    """Whether a mail program asks for it (RFC 8058): that is all which its button sends, and no page of ours does."""
    return request.form.get("List-Unsubscribe", "").strip().lower() == "one-click"


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
