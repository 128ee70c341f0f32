"""Choosing the raters of one review: as a launcher, for oneself, or for those who report to one."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session

from survey import context
from survey.context import needs
from survey.core import days
from survey.core import nominations as rules
from survey.core.access import Action, Standing
from survey.core.cycles import Phase, require
from survey.core.errors import BadInput, IllegalStep
from survey.core.nominations import Choice
from survey.core.relationships import COLLEAGUES, Relationship
from survey.services import cycles, nominations, vouching
from survey.store.cycles import Cycle

pages = Blueprint("nominations", __name__)

LONGEST_ADDRESSES = 4_000
"""Characters of addresses of other companies that are taken at once."""

CHOICES = [(kind.value, kind.label.capitalize()) for kind in (Relationship.MANAGER, *COLLEAGUES)]
FOR_ONESELF = [(kind.value, kind.label.capitalize()) for kind in COLLEAGUES]
OUTSIDE = [(Relationship.OUTSIDE.value, Relationship.OUTSIDE.label.capitalize())]
"""All that people of other companies can be asked as."""


@pages.get("/nominations")
@needs(Action.SEE_HOME)
def index() -> ResponseReturnValue:
    """The choices that wait for whoever is signed in: their own, and those of their reports."""
    person = context.permit(Action.SEE_HOME)
    with context.reading() as session:
        own, team = nominations.waiting_for(session, person.id)
        outside = vouching.waiting_for(session, person)
    return render_template("nominations/index.html", own=own, team=team, outside=outside, zone=context.zone())


@pages.route("/reviews/<uuid:review_id>/raters", methods=["GET", "POST"])
@needs(Action.CHOOSE_RATERS)
def choose(review_id: uuid.UUID) -> ResponseReturnValue:
    """Those suggested, chosen and found, each with a relationship or none."""
    person = context.signed_in()
    form = FlaskForm()
    problem = ""
    with context.reading() as session:
        review = cycles.review(session, review_id)
        phase = Phase(review.cycle.phase)
        standing = nominations.standing(session, review_id, person.id)
        context.permit(Action.CHOOSE_RATERS, *standing)
        require(phase, Phase.DRAFT, Phase.NOMINATING)
        is_own = Standing.OWN in standing and Standing.LAUNCHED not in standing
        if phase is Phase.DRAFT and is_own:
            raise IllegalStep("This round is being prepared. You get a mail when it is your turn to choose.")
        subject, cycle = review.subject, review.cycle
        chosen = _chosen(subject.id) if form.is_submitted() else nominations.of(session, review_id)
        search = request.values.get("q", "").strip()[:80]
        people = nominations.candidates(session, review_id, chosen, search=search)
        load = nominations.load(session, cycle.id, [one.id for one in people])
        awaiting_word = nominations.awaiting(session, review_id)
    is_search = request.form.get("action") == "find"
    if form.is_submitted() and not is_search:
        try:
            if not form.validate():
                raise BadInput("The page was open for too long. Please send it once more.")
            with context.transaction() as session:
                awaiting = _keep(session, review_id, chosen, is_own=is_own)
        except BadInput as error:
            problem = str(error)
        else:
            if awaiting:
                context.wake("tasks.outbox.sweep")
            flash(_said(len(chosen), subject.name, phase, is_own=is_own), "done")
            return redirect(_back(cycle.id, phase, standing), 303)
    return (
        render_template(
            "nominations/choose.html",
            form=form,
            subject=subject,
            cycle=cycle,
            phase=phase,
            choice=Choice(review.choice),
            until=_until(cycle),
            people=people,
            chosen=chosen,
            load=load,
            choices=FOR_ONESELF if is_own else CHOICES,
            outside=OUTSIDE,
            awaiting=awaiting_word,
            has_self=subject.id in chosen,
            is_own=is_own,
            advice=rules.advice({str(rater): kind for rater, kind in chosen.items()}, cycle.minimum),
            search=search,
            addresses=request.form.get("addresses", ""),
            back_href=_back(cycle.id, phase, standing),
            problem=problem,
        ),
        422 if problem else 200,
    )


def _keep(session: Session, review_id: uuid.UUID, chosen: dict[uuid.UUID, Relationship], *, is_own: bool) -> int:
    """How many of other companies newly await somebody's word."""
    addresses = request.form.get("addresses", "")
    if len(addresses) > LONGEST_ADDRESSES:
        raise BadInput(f"These addresses have {len(addresses):,} characters; {LONGEST_ADDRESSES:,} fit. Enter fewer.")
    if is_own:
        nominations.propose(session, review_id, chosen, addresses=addresses, now=context.now())
        return 0
    actor_id = context.signed_in().id
    return nominations.approve(session, review_id, chosen, addresses=addresses, actor_id=actor_id, now=context.now())


def _said(count: int, name: str, phase: Phase, *, is_own: bool) -> str:
    if is_own:
        return "Thank you. Your manager looks at your proposal; until then you can change it."
    if phase is Phase.NOMINATING:
        return f"The raters of {name} are approved."
    return f"{count} raters are chosen for {name}."


def _until(cycle: Cycle) -> str:
    """When the choice is taken as approved, as whoever is signed in counts days."""
    if cycle.opens_at is None:
        return ""
    return days.day_of(rules.approves_itself_at(cycle.opens_at), cycle.zone, context.zone())


def _back(cycle_id: uuid.UUID, phase: Phase, standing: frozenset[Standing]) -> str:
    """Where whoever chose came from: the list of what waits for them, or the set-up of the round."""
    if phase is Phase.NOMINATING and standing & {Standing.OWN, Standing.MANAGES}:
        return url_for("nominations.index")
    return url_for("drafts.raters", cycle_id=cycle_id)


def _chosen(subject_id: uuid.UUID) -> dict[uuid.UUID, Relationship]:
    """The relationships in the form, by person. Unknown words and people that are none are left out."""
    chosen: dict[uuid.UUID, Relationship] = {}
    if request.form.get("self"):
        chosen[subject_id] = Relationship.SELF
    for name, value in request.form.items():
        kind, _, person_id = name.partition("-")
        if kind == "rater" and value in {choice for choice, _ in CHOICES + OUTSIDE}:
            try:
                chosen[uuid.UUID(person_id)] = Relationship(value)
            except ValueError:
                continue
    return chosen
