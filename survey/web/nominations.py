"""Choosing the raters of one review."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from survey import context
from survey.context import needs
from survey.core.access import Action
from survey.core.cycles import Phase, require
from survey.core.errors import BadInput
from survey.core.relationships import Relationship
from survey.services import cycles, nominations, people

pages = Blueprint("nominations", __name__, url_prefix="/reviews")

CHOICES = [(kind.value, kind.label.capitalize()) for kind in Relationship if kind is not Relationship.SELF]


@pages.route("/<uuid:review_id>/raters", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def choose(review_id: uuid.UUID) -> ResponseReturnValue:
    """Everybody, each with a relationship or none."""
    form = FlaskForm()
    problem = None
    with context.reading() as session:
        review = cycles.review(session, review_id)
        context.runnable(session, review.cycle_id)
        require(Phase(review.cycle.phase), Phase.DRAFT, Phase.NOMINATING)
        everybody = people.everybody(session)
        chosen = nominations.of(session, review_id)
        load = nominations.load(session, review.cycle_id)
        subject = review.subject
    if form.is_submitted():
        chosen = _chosen(subject.id)
        try:
            if not form.validate():
                raise BadInput("The page was open for too long. Please send it once more.")
            with context.transaction() as session:
                nominations.choose(session, review_id, chosen)
        except BadInput as error:
            problem = str(error)
        else:
            flash(f"{len(chosen)} raters are chosen for {subject.name}.", "done")
            return redirect(url_for("cycles.cycle", cycle_id=review.cycle_id), 303)
    return (
        render_template(
            "nominations/choose.html",
            form=form,
            subject=subject,
            cycle_id=review.cycle_id,
            review_id=review_id,
            people=[one for one in everybody if one.id != subject.id],
            chosen=chosen,
            load=load,
            choices=CHOICES,
            has_self=subject.id in chosen,
            problem=problem,
        ),
        422 if problem else 200,
    )


def _chosen(subject_id: uuid.UUID) -> dict[uuid.UUID, Relationship]:
    """The relationships in the form, by person. Unknown words and people that are none are left out."""
    chosen: dict[uuid.UUID, Relationship] = {}
    if request.form.get("self"):
        chosen[subject_id] = Relationship.SELF
    for name, value in request.form.items():
        kind, _, person_id = name.partition("-")
        if kind == "rater" and value in {choice for choice, _ in CHOICES}:
            try:
                chosen[uuid.UUID(person_id)] = Relationship(value)
            except ValueError:
                continue
    return chosen
