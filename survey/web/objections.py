"""Reviews that were set apart, because the auditor objected or counting failed: tried again, or given up."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from survey import context
from survey.context import needs
from survey.core.access import Action
from survey.core.errors import NotFound
from survey.services import cycles, tally

pages = Blueprint("objections", __name__, url_prefix="/rounds/<uuid:cycle_id>/reviews/<uuid:review_id>/objection")


@pages.post("/again")
@needs(Action.SETTLE_OBJECTION)
def count_again(cycle_id: uuid.UUID, review_id: uuid.UUID) -> ResponseReturnValue:
    """Has the review counted once more."""
    context.permit(Action.SETTLE_OBJECTION)
    _subject(cycle_id, review_id)
    with context.transaction() as session:
        tally.try_again(session, review_id)
    context.wake("tasks.tally.sweep")
    flash("It is being counted again. If the auditor objects once more, it will stand here again.", "done")
    return _back(cycle_id)


@pages.route("/abandon", methods=["GET", "POST"])
@needs(Action.SETTLE_OBJECTION)
def abandon(cycle_id: uuid.UUID, review_id: uuid.UUID) -> ResponseReturnValue:
    """Publishes nothing for the review, after a question."""
    person = context.permit(Action.SETTLE_OBJECTION)
    form = FlaskForm()
    subject = _subject(cycle_id, review_id)
    if form.validate_on_submit():
        with context.transaction() as session:
            tally.abandon(session, review_id, actor_id=person.id, now=context.now())
        context.wake("tasks.tally.sweep")
        flash(f"Nothing is published about {subject}. The answers are deleted, unread.", "done")
        return _back(cycle_id)
    return render_template(
        "cycles/confirm.html",
        title=f"Publish nothing about {subject}?",
        lines=[
            f"All answers about {subject} are deleted, unread, also their own and their manager's. There will be no "
            "report, and they are told so when the round is released.",
            "Then the round can be finished and its key destroyed. This cannot be undone.",
        ],
        action_label="Delete the answers",
        back_href=url_for("cycles.cycle", cycle_id=cycle_id),
        form=form,
        warnings=[],
        is_danger=True,
    )


def _subject(cycle_id: uuid.UUID, review_id: uuid.UUID) -> str:
    """About whom the review is. Raises `NotFound` where it is not of this round."""
    with context.reading() as session:
        review = cycles.review(session, review_id)
        if review.cycle_id != cycle_id:
            raise NotFound("There is no such review.")
        return review.subject.name


def _back(cycle_id: uuid.UUID) -> ResponseReturnValue:
    return redirect(url_for("cycles.cycle", cycle_id=cycle_id), 303)
