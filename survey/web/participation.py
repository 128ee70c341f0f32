"""Who else is asked while a round is open: one more, or one in place of another."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import RadioField, SearchField, SelectField

from survey import context
from survey.context import needs
from survey.core.access import Action
from survey.core.cycles import Phase, require
from survey.core.errors import BadInput, NotFound
from survey.core.participation import require_notice
from survey.core.relationships import Relationship
from survey.services import cycles, nominations, participation

pages = Blueprint("participation", __name__, url_prefix="/rounds")


class AskForm(FlaskForm):
    """Whom to ask, as what, and in whose place."""

    q = SearchField("Somebody who is not in the list")
    rater = RadioField("Ask", validate_choice=False)
    instead_of = SelectField("In place of")
    relationship = SelectField(
        "As",
        choices={kind.value: kind.label.capitalize() for kind in Relationship if kind is not Relationship.SELF},
        default=Relationship.PEER.value,
        description="Whoever takes somebody’s place is asked as what that one was asked.",
    )


@pages.route("/<uuid:cycle_id>/reviews/<uuid:review_id>/ask", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def ask(cycle_id: uuid.UUID, review_id: uuid.UUID) -> ResponseReturnValue:
    """One more rater, or one in place of another; with time enough to answer."""
    form = AskForm()
    with context.reading() as session:
        review = cycles.review(session, review_id)
        row = context.runnable(session, review.cycle_id)
        if row.id != cycle_id:
            raise NotFound("There is no such review.")
        require(Phase(row.phase), Phase.OPEN)
        require_notice(row.closes_at, context.now())
        subject = review.subject.name
        asked = participation.raters(session, review_id)
        there = {person_id for person_id, _, _ in asked}
        found = nominations.candidates(session, review_id, {}, search=(form.q.data or "").strip()[:80])
        offered = [one for one in found if one.id not in there]
    form.rater.choices = [(str(one.id), f"{one.name}, {one.team}" if one.team else one.name) for one in offered]
    replaceable = {str(person_id): name for person_id, name, kind in asked if kind is not Relationship.SELF}
    form.instead_of.choices = {"": "nobody, in addition"} | replaceable
    problem = ""
    if form.is_submitted() and request.form.get("action") != "find":
        try:
            if not form.validate() or form.rater.data not in {value for value, _ in form.rater.choices}:
                raise BadInput("Choose whom to ask.")
            with context.transaction() as session:
                context.runnable(session, cycle_id)
                _ask(session, review_id, form)
        except BadInput as error:
            problem = str(error)
        else:
            context.wake("tasks.outbox.sweep")
            flash(f"The invitation is on its way. {subject}’s other raters are not told.", "done")
            return redirect(url_for("cycles.cycle", cycle_id=cycle_id), 303)
    return (
        render_template(
            "participation/ask.html", form=form, cycle=row, subject=subject, problem=problem, offered=offered
        ),
        422 if problem else 200,
    )


def _ask(session: Session, review_id: uuid.UUID, form: AskForm) -> None:
    rater, pace, now = uuid.UUID(form.rater.data), context.installation().pace, context.now()
    if form.instead_of.data:
        replaced = uuid.UUID(form.instead_of.data)
        participation.replace_rater(session, review_id, replaced, rater, pace=pace, now=now)
    else:
        relationship = Relationship(form.relationship.data)
        participation.add_rater(session, review_id, rater, relationship, pace=pace, now=now)
