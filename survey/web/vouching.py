"""The word for people of other companies: of whoever is under review, or of people operations."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from survey import context
from survey.context import needs
from survey.core.access import Action
from survey.services import cycles, nominations, vouching

pages = Blueprint("vouching", __name__)


@pages.route("/reviews/<uuid:review_id>/outside", methods=["GET", "POST"])
@needs(Action.VOUCH)
def vouch(review_id: uuid.UUID) -> ResponseReturnValue:
    """Who awaits the word of whoever is signed in; each can be given or refused. Saying nothing is no yes."""
    person = context.signed_in()
    form = FlaskForm()
    with context.reading() as session:
        review = cycles.review(session, review_id)
        context.permit(Action.VOUCH, *nominations.standing(session, review_id, person.id))
        subject, cycle = review.subject, review.cycle
        awaiting = vouching.awaiting(session, review_id, person)
        others = vouching.others(session, review_id, person)
    said = {str(one.id): request.form.get(f"word-{one.id}", "") for one in awaiting}
    problem = ""
    if form.is_submitted():
        if not form.validate():
            problem = "The page was open for too long. Please send it once more."
        elif not set(said.values()) & {"yes", "no"}:
            problem = "Choose yes or no for at least one of them."
        else:
            _settle(review_id, said)
            flash("Thank you. Your answers are kept.", "done")
            return redirect(url_for("vouching.vouch", review_id=review_id), 303)
    return (
        render_template(
            "vouching/vouch.html",
            form=form,
            subject=subject,
            cycle=cycle,
            awaiting=awaiting,
            others=others,
            said=said,
            is_own=subject.id == person.id,
            problem=problem,
        ),
        422 if problem else 200,
    )


def _settle(review_id: uuid.UUID, said: dict[str, str]) -> None:
    person, pace, now = context.signed_in(), context.installation().pace, context.now()
    with context.transaction() as session:
        for rater, word in said.items():
            if word == "yes":
                vouching.give(session, review_id, uuid.UUID(rater), person, pace=pace, now=now)
            elif word == "no":
                vouching.refuse(session, review_id, uuid.UUID(rater), person)
    context.wake("tasks.outbox.sweep")
