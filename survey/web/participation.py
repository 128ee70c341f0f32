"""Who is asked while a round is open: one more, one in place of another, one less; and about whom."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import BooleanField, RadioField, SearchField, SelectField, SelectMultipleField, StringField
from wtforms.widgets import CheckboxInput, ListWidget

from survey import context
from survey.context import needs
from survey.core.access import Action, Role
from survey.core.cycles import Phase, require
from survey.core.errors import BadInput, NotFound
from survey.core.participation import require_notice
from survey.core.relationships import Relationship
from survey.services import competencies, cycles, nominations, participation, people, tally
from survey.store.cycles import Cycle, Review

pages = Blueprint("participation", __name__, url_prefix="/rounds")

CALLED = [kind for kind in Relationship if kind not in {Relationship.SELF, Relationship.OUTSIDE}]
"""What a launcher can ask somebody as. Who is an outside rater is no choice of theirs."""

OUTBOX = "tasks.outbox.sweep"

WHAT_STAYS = (
    "They are not asked any more, and their link opens nothing.",
    "If they have answered, their answer stays sealed among the others: nobody can tell which one it is, so nobody can "
    "take it out. If more have answered in the end than are asked, as many answers are left out, drawn by lot. "
    "No page says whether this was so.",
)


class AskForm(FlaskForm):
    """Whom to ask, as what, and in whose place."""

    q = SearchField("Somebody who is not in the list")
    rater = RadioField("Ask", validate_choice=False)
    address = StringField(
        "Or somebody of another company",
        description="Their address, as in “Kim Larsen <kim@partner.example>”. They are an outside rater, and wait for "
        "the word of the person under review or of people operations, other than yours.",
    )
    instead_of = SelectField("In place of")
    relationship = SelectField(
        "As",
        choices={kind.value: kind.label.capitalize() for kind in CALLED},
        default=Relationship.PEER.value,
        description="Whoever takes somebody’s place is asked as what that one was asked, and whoever was asked before "
        "as what they were.",
    )


class WithdrawForm(FlaskForm):
    """Who is not to be asked any more."""

    rater = SelectField("Withdraw")
    is_sure = BooleanField("Do not ask them any more")


class Ticks(SelectMultipleField):
    """A list of boxes to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class AddForm(FlaskForm):
    """Who else is under review, on which pages, and who is asked about them."""

    subject = SelectField("Person")
    page_ids = Ticks("Reviewed on")
    raters = Ticks("Asked about them", validate_choice=False)


@dataclass(frozen=True)
class Suggested:
    """Somebody who may be asked about a person who comes into the round, and as what."""

    id: uuid.UUID
    name: str
    relationship: Relationship


@pages.get("/<uuid:cycle_id>/reviews/<uuid:review_id>/raters")
@needs(Action.RUN_CYCLE)
def raters(cycle_id: uuid.UUID, review_id: uuid.UUID) -> ResponseReturnValue:
    """Who is asked about somebody, and what can be changed about it."""
    with context.reading() as session:
        review, row = _open_review(session, cycle_id, review_id)
        return render_template(
            "participation/raters.html",
            cycle=row,
            review_id=review_id,
            subject=review.subject.name,
            asked=participation.raters(session, review_id),
            manager=participation.manager(session, review_id),
        )


@pages.route("/<uuid:cycle_id>/reviews/<uuid:review_id>/ask", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def ask(cycle_id: uuid.UUID, review_id: uuid.UUID) -> ResponseReturnValue:
    """One more rater, or one in place of another; with time enough to answer."""
    form = AskForm()
    with context.reading() as session:
        review, row = _open_review(session, cycle_id, review_id)
        require_notice(row.closes_at, context.now())
        subject = review.subject.name
        asked = participation.raters(session, review_id)
        there = {one.id for one in asked}
        found = nominations.candidates(session, review_id, {}, search=(form.q.data or "").strip()[:80])
        offered = [one for one in found if one.id not in there]
    form.rater.choices = [(str(one.id), _named(one)) for one in offered]
    replaceable = {str(one.id): one.name for one in asked if one.relationship is not Relationship.SELF}
    form.instead_of.choices = {"": "nobody, in addition"} | replaceable
    if not form.is_submitted():
        form.instead_of.data = request.args.get("instead_of", "")
        form.rater.data = request.args.get("rater")
    problem = ""
    if form.is_submitted() and request.form.get("action") != "find":
        try:
            if not form.validate() or not _says_whom(form):
                raise BadInput("Choose whom to ask, or type one address.")
            with context.transaction() as session:
                context.runnable(session, cycle_id)
                is_asked = _ask(session, review_id, form)
        except BadInput as error:
            problem = str(error)
        else:
            context.wake(OUTBOX)
            flash(_said(subject, is_asked=is_asked), "done")
            return _back_to(cycle_id, review_id)
    return (
        render_template(
            "participation/ask.html",
            form=form,
            cycle=row,
            review_id=review_id,
            subject=subject,
            problem=problem,
            offered=offered,
        ),
        422 if problem else 200,
    )


@pages.route("/<uuid:cycle_id>/reviews/<uuid:review_id>/withdraw", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def withdraw(cycle_id: uuid.UUID, review_id: uuid.UUID) -> ResponseReturnValue:
    """One rater less, with nobody in their place. It looks the same whether or not they have answered."""
    form = WithdrawForm()
    with context.reading() as session:
        review, row = _open_review(session, cycle_id, review_id)
        require_notice(row.closes_at, context.now())
        subject = review.subject.name
        asked = participation.raters(session, review_id)
    form.rater.choices = {str(one.id): one.name for one in asked if one.relationship is not Relationship.SELF}
    if not form.is_submitted():
        form.rater.data = request.args.get("rater")
    problem = ""
    if form.is_submitted():
        try:
            if not form.validate() or not form.is_sure.data:
                raise BadInput("Choose whom to withdraw, and tick that you want it.")
            with context.transaction() as session:
                context.runnable(session, cycle_id)
                actor_id, rater = context.signed_in().id, uuid.UUID(form.rater.data)
                participation.withdraw_rater(session, review_id, rater, actor_id=actor_id, now=context.now())
        except BadInput as error:
            problem = str(error)
        else:
            flash(f"{form.rater.choices[form.rater.data]} is not asked about {subject} any more.", "done")
            return _back_to(cycle_id, review_id)
    return (
        render_template(
            "participation/withdraw.html",
            form=form,
            cycle=row,
            review_id=review_id,
            subject=subject,
            problem=problem,
            lines=WHAT_STAYS,
        ),
        422 if problem else 200,
    )


@pages.route("/<uuid:cycle_id>/add-person", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def add_person(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """One more person under review: who, on which pages, and asked about by whom."""
    form = AddForm()
    with context.reading() as session:
        row = context.runnable(session, cycle_id)
        require(Phase(row.phase), Phase.OPEN)
        require_notice(row.closes_at, context.now())
        there = {review.subject_id for review in row.reviews}
        form.subject.choices = {"": "Choose somebody"} | _who_may_be_reviewed(session, but=there)
        form.page_ids.choices = {
            str(one.id): f"{one.competency.name}, level {one.level}" if one.level else one.competency.name
            for one in competencies.newest(session)
        }
        suggested = _suggested(session, form.subject.data or "")
    form.raters.choices = [(str(one.id), f"{one.name}, as {_asked_as(one.relationship)}") for one in suggested]
    is_look = request.form.get("action") == "look"
    if is_look:
        form.raters.data = [str(one.id) for one in suggested]
    problem = ""
    if form.is_submitted() and not is_look:
        try:
            if not form.validate() or not form.subject.data:
                raise BadInput("Choose a person, and at least one page.")
            with context.transaction() as session:
                context.runnable(session, cycle_id)
                _put_under_review(session, cycle_id, form, suggested)
        except BadInput as error:
            problem = str(error)
        else:
            context.wake(OUTBOX)
            flash(
                f"{form.subject.choices[form.subject.data]} is under review. The invitations are on their way.", "done"
            )
            return redirect(url_for("cycles.cycle", cycle_id=cycle_id), 303)
    return (
        render_template(
            "participation/add_person.html", form=form, cycle=row, problem=problem, has_raters=bool(suggested)
        ),
        422 if problem else 200,
    )


@pages.route("/<uuid:cycle_id>/reviews/<uuid:review_id>/take-out", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def take_out(cycle_id: uuid.UUID, review_id: uuid.UUID) -> ResponseReturnValue:
    """One person less under review. Whatever was answered about them is deleted unopened."""
    form = FlaskForm()
    with context.reading() as session:
        review, row = _open_review(session, cycle_id, review_id)
        require_notice(row.closes_at, context.now())
        subject = review.subject.name
    if form.validate_on_submit():
        with context.transaction() as session:
            context.runnable(session, cycle_id)
            participation.take_out(session, review_id, now=context.now())
            tally.delete_review(session, review_id, actor_id=context.signed_in().id, now=context.now())
        flash(f"{subject} is not in this round any more.", "done")
        return redirect(url_for("cycles.cycle", cycle_id=cycle_id), 303)
    return render_template(
        "confirm.html",
        title=f"Take {subject} out of “{row.name}”?",
        lines=[
            f"Nobody is asked about {subject} any more, and the links about them open nothing. There is no report.",
            "If somebody has answered, that is deleted unopened with everything else. This cannot be undone: you can "
            "put them under review again, and everybody is then asked anew.",
        ],
        action_label="Take out",
        back_href=url_for("participation.raters", cycle_id=cycle_id, review_id=review_id),
        form=form,
        is_danger=True,
    )


def _open_review(session: Session, cycle_id: uuid.UUID, review_id: uuid.UUID) -> tuple[Review, Cycle]:
    """The review and its round, which is open and is run by whoever is signed in."""
    review = cycles.review(session, review_id)
    row = context.runnable(session, review.cycle_id)
    if row.id != cycle_id:
        raise NotFound("There is no such review.")
    require(Phase(row.phase), Phase.OPEN)
    return review, row


def _named(one: nominations.Candidate) -> str:
    words = [one.name, one.team, "outside rater" if one.is_outside else ""]
    return ", ".join(word for word in words if word)


def _asked_as(kind: Relationship) -> str:
    return "self" if kind is Relationship.SELF else kind.label


def _says_whom(form: AskForm) -> bool:
    """Whether it names one person: one of the list, or by an address."""
    is_listed = form.rater.data in {value for value, _ in form.rater.choices}
    return is_listed != bool((form.address.data or "").strip())


def _ask(session: Session, review_id: uuid.UUID, form: AskForm) -> bool:
    actor_id, pace, now = context.signed_in().id, context.installation().pace, context.now()
    rater = _typed(session, form.address.data or "") or uuid.UUID(form.rater.data)
    if form.instead_of.data:
        replaced = uuid.UUID(form.instead_of.data)
        return participation.replace_rater(session, review_id, replaced, rater, actor_id=actor_id, pace=pace, now=now)
    relationship = Relationship(form.relationship.data)
    return participation.add_rater(session, review_id, rater, relationship, actor_id=actor_id, pace=pace, now=now)


def _typed(session: Session, address: str) -> uuid.UUID | None:
    if not address.strip():
        return None
    found = nominations.invite_external(session, address[:400])
    if len(found) != 1:
        raise BadInput("Type one address.")
    return found[0]


def _said(subject: str, *, is_asked: bool) -> str:
    if is_asked:
        return f"The invitation is on its way. {subject}’s other raters are not told."
    return f"They wait for somebody’s word. {subject} and people operations get a mail that asks for it."


def _who_may_be_reviewed(session: Session, *, but: set[uuid.UUID]) -> dict[str, str]:
    """Everybody for people operations, everybody below for a manager; not those who are there."""
    account = context.signed_in()
    is_operator = account.role == Role.PEOPLE_OPERATIONS
    rows = people.everybody(session) if is_operator else people.below(session, account.id)
    return {str(one.id): one.name for one in rows if one.id not in but and not one.is_external}


def _suggested(session: Session, subject: str) -> list[Suggested]:
    """Raters as the organisation chart has them, for the person in the form; nobody where there is none."""
    try:
        row = people.get(session, uuid.UUID(subject))
    except (ValueError, NotFound):
        return []
    chart = nominations.suggest(session, row)
    names = people.named(session, chart)
    return sorted(
        (Suggested(rater, names[rater], kind) for rater, kind in chart.items()), key=lambda one: one.name.casefold()
    )


def _put_under_review(session: Session, cycle_id: uuid.UUID, form: AddForm, suggested: list[Suggested]) -> None:
    kinds: Mapping[str, Suggested] = {str(one.id): one for one in suggested}
    ticked = [kinds[value] for value in form.raters.data or [] if value in kinds]
    participation.add_review(
        session,
        cycle_id,
        uuid.UUID(form.subject.data),
        [uuid.UUID(value) for value in form.page_ids.data or []],
        {one.id: one.relationship for one in ticked},
        actor_id=context.signed_in().id,
        pace=context.installation().pace,
        now=context.now(),
    )


def _back_to(cycle_id: uuid.UUID, review_id: uuid.UUID) -> ResponseReturnValue:
    return redirect(url_for("participation.raters", cycle_id=cycle_id, review_id=review_id), 303)
