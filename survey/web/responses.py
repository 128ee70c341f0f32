"""Answering: from the mailed link to the thanks. Needs no account, no JavaScript, and tells nobody when."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from flask_wtf.csrf import validate_csrf
from sqlalchemy.orm import Session
from wtforms import BooleanField, StringField
from wtforms.validators import DataRequired, ValidationError

from survey import context
from survey.context import public
from survey.core import codes, statements
from survey.core.days import End
from survey.core.errors import CLOSED, BadInput, Incomplete, LinkClosed
from survey.core.relationships import Relationship
from survey.services import mailings, responses, sign_ins
from survey.services.mailings import Reminding
from survey.services.responses import Asked, Waiting
from survey.web import visits
from survey.web.questionnaires import answers_in, as_fields, filled_in, show

pages = Blueprint("responses", __name__)
pages.after_request(visits.set_cookies)


class DeclineForm(FlaskForm):
    """A tick that no robot sets which follows links and presses buttons."""

    is_meant = BooleanField(validators=[DataRequired("Please tick the box first: declining cannot be taken back.")])


class TickForm(FlaskForm):
    """The same tick for the reminders of a round: what a button does by itself, a robot does too."""

    is_meant = BooleanField()


class CodeForm(FlaskForm):
    """The code that another device showed."""

    code = StringField("The code from the other device", [DataRequired("Please enter the code.")])


@dataclass(frozen=True)
class Round:
    """A round in the rater's list: who waits, until when, and what was said about its reminders."""

    id: uuid.UUID
    name: str
    end: End
    days_left: int
    waiting: tuple[Waiting, ...]
    reminding: Reminding

    @property
    def minutes(self) -> int:
        """Estimated minutes for everybody who waits."""
        return sum(colleague.minutes for colleague in self.waiting)


@pages.get("/r/<token>")
@public
def start(token: str) -> ResponseReturnValue:
    """What the link is about, and a button. Following the link, by whomever, changes nothing."""
    return _start_page(token)


@pages.post("/r/<token>")
@public
def enter(token: str) -> ResponseReturnValue:
    """Moves the token from the address into a cookie, so that no address of a page holds it.

    A browser that has a newer link of the same rater keeps that one: the form in its other tab can still be sent.
    """
    reader_id, held = _reader(), visits.held()
    with context.looking() as rows:
        waiting = responses.waiting(rows, token, reader_id=reader_id)
        before = _waiting_behind(rows, held, reader_id)
    asked, asked_before = ({one.invitation_id for one in each} for each in (waiting, before))
    if held and asked <= asked_before:
        return redirect(_first(before), 303)
    visits.follow(token, is_same_rater=asked_before <= asked)
    return redirect(_first(waiting), 303)


@pages.get("/feedback")
@public
def index() -> ResponseReturnValue:
    """The colleagues who still wait for an answer, round by round."""
    return _list_page()


@pages.post("/feedback/later")
@public
def later() -> ResponseReturnValue:
    """No mail about a round before a day that the rater chose, from the list."""
    try:
        _put_off(visits.token())
    except BadInput as error:
        flash(str(error), "problem")
        return _list_page(), 400
    return redirect(url_for("responses.index"), 303)


@pages.post("/r/<token>/later")
@public
def later_from_mail(token: str) -> ResponseReturnValue:
    """The same, from the page that the mailed link opens."""
    try:
        _put_off(token)
    except BadInput as error:
        flash(str(error), "problem")
        return _start_page(token), 400
    return redirect(url_for("responses.start", token=token), 303)


@pages.route("/feedback/<uuid:invitation_id>", methods=["GET", "POST"])
@public
def answer(invitation_id: uuid.UUID) -> ResponseReturnValue:
    """The form; sent with gaps it comes back with every answer kept. Sent twice, it was sent."""
    try:
        return _answer(invitation_id)
    except LinkClosed:
        if request.method == "POST" and visits.has_sent(_form_sent()):
            return redirect(url_for("responses.thanks"), 303)
        raise


def _answer(invitation_id: uuid.UUID) -> ResponseReturnValue:
    reader_id = _reader()
    with context.looking() as rows:
        asked = responses.asked(rows, visits.token(), invitation_id, reader_id=reader_id)
        secret = visits.draft_secret()
        draft = responses.draft(rows, invitation_id, draft_secret=secret) if secret else None
    if request.method == "GET":
        return show(asked, as_fields(draft) if draft else {})
    filled = filled_in(asked.questionnaire)
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError:
        problem = "Your browser’s session has ended meanwhile. Please send it once more."
        return show(asked, filled, problem=problem), 422
    if request.form.get("fingerprint") != asked.questionnaire.fingerprint:
        problem = "This page was of an older form. Please look through it and send it again."
        return show(asked, filled, problem=problem), 422
    action = request.form.get("action", "")
    if action in _KEPT_BY:
        return _KEPT_BY[action](asked, filled, has_draft=draft is not None)
    return _submit(asked, filled)


@pages.route("/feedback/<uuid:invitation_id>/decline", methods=["GET", "POST"])
@public
def decline(invitation_id: uuid.UUID) -> ResponseReturnValue:
    """One question back, no reason asked. Without the tick nothing happens."""
    reader_id = _reader()
    # First whether the link opens anything: a form begins a session, and links that open nothing look the same.
    with context.looking() as rows:
        asked = responses.asked(rows, visits.token(), invitation_id, reader_id=reader_id)
    form = DeclineForm()
    if form.validate_on_submit():
        secret = visits.draft_secret()
        with context.transaction() as rows:
            responses.decline(rows, visits.token(), invitation_id, draft_secret=secret, reader_id=reader_id)
        flash("Thank you for telling us. You will not be asked about this person again in this round.", "done")
        return redirect(url_for("responses.thanks"), 303)
    is_self = asked.relationship is Relationship.SELF
    form.is_meant.label.text = "I do not want to assess myself" if is_self else f"I can’t review {asked.subject}"
    return render_template("responses/decline.html", asked=asked, form=form), 422 if form.is_submitted() else 200


@pages.route("/feedback/resume", methods=["GET", "POST"])
@public
def resume() -> ResponseReturnValue:
    """Takes the code of another device, and goes on here with what was saved there."""
    token, reader_id = visits.token(), _reader()
    with context.looking() as rows:
        waiting = responses.waiting(rows, token, reader_id=reader_id)
    form = CodeForm()
    if form.validate_on_submit():
        try:
            secret, own = codes.read(form.code.data or ""), visits.draft_secret()
            with context.transaction() as rows:
                responses.resume(rows, token, secret=secret, own=own, reader_id=reader_id)
        except BadInput as error:
            form.code.errors = [str(error)]
        else:
            flash("Here is what you saved on the other device. It has not been sent.", "done")
            visits.keep_secret(secret)
            return redirect(_first(waiting), 303)
    return render_template(
        "responses/resume.html", form=form, back=_first(waiting)
    ), 422 if form.is_submitted() else 200


@pages.get("/feedback/thanks")
@public
def thanks() -> ResponseReturnValue:
    """The end, or the way to the next colleague."""
    reader_id = _reader()
    try:
        with context.looking() as rows:
            waiting = responses.waiting(rows, visits.token(), reader_id=reader_id)
    except LinkClosed:
        waiting = ()
    if not waiting:
        visits.end()
    return render_template("responses/thanks.html", waiting=waiting)


@pages.post("/feedback/stay")
@public
def stay() -> ResponseReturnValue:
    """This browser keeps the rater for longer than an hour, because they asked for it."""
    reader_id = _reader()
    with context.looking() as rows:
        responses.waiting(rows, visits.token(), reader_id=reader_id)
    visits.stay()
    flash("You are kept here. Leave this computer when you have done, if somebody else uses it too.", "done")
    return redirect(url_for("responses.index"), 303)


@pages.post("/feedback/leave")
@public
def leave() -> ResponseReturnValue:
    """This browser forgets the rater, at once and whatever their link still opens."""
    return _leave()


def _leave() -> ResponseReturnValue:
    """Forgets the rater in this browser, and says how to come back; a sign-in ends too."""
    reader_id, secret, account = _reader(), visits.draft_secret(), session.get(context.SIGN_IN)
    with context.looking() as rows:
        waiting = _waiting_behind(rows, visits.held(), reader_id)
        has_draft = secret is not None and any(
            responses.draft(rows, one.invitation_id, draft_secret=secret) for one in waiting
        )
    visits.forget()
    session.clear()
    if isinstance(account, str):
        with context.transaction() as rows:
            sign_ins.end(rows, account)
    code = codes.spell(secret) if secret and has_draft else ""
    return render_template("responses/left.html", code=code, is_asked=bool(waiting), was_signed_in=bool(account))


@pages.context_processor
def about_the_visit() -> dict[str, bool]:
    """Whether this browser was asked to keep its rater."""
    return {"is_kept": visits.is_kept()}


def _start_page(token: str) -> str:
    rounds = _rounds(token)
    k = min(colleague.k for part in rounds for colleague in part.waiting)
    return render_template(
        "responses/start.html", rounds=rounds, promise=statements.promise(k), form=FlaskForm(), token=token
    )


def _list_page() -> str:
    return render_template("responses/index.html", rounds=_rounds(visits.token()), form=FlaskForm())


def _rounds(token: str) -> list[Round]:
    """What this link still asks, by round. Raises `LinkClosed` when that is nothing."""
    now, pace, reader_id = context.now(), context.installation().pace, _reader()
    with context.looking() as rows:
        waiting = responses.waiting(rows, token, reader_id=reader_id)
        reminding = mailings.reminding(rows, token, pace=pace, now=now)
    found = []
    for cycle_id, group in groupby(waiting, lambda colleague: colleague.cycle_id):
        theirs = tuple(group)
        end = theirs[0].end(pace.home)
        found.append(Round(cycle_id, theirs[0].cycle, end, end.days_left(now), theirs, reminding[cycle_id]))
    return found


def _put_off(token: str) -> None:
    """Does what one of the buttons beside a round says about its reminders. Raises `LinkClosed`, `BadInput`."""
    wish, reader_id = request.form.get("when", ""), _reader()
    with context.looking() as rows:
        # To whoever may not open the link it does not do this either.
        waiting = responses.waiting(rows, token, reader_id=reader_id)
    needs_no_day = wish in {"never", "planned"}
    try:
        cycle_id = uuid.UUID(request.form.get("round", ""))
        day = None if needs_no_day else date.fromisoformat(request.form.get("day", ""))
    except ValueError:
        raise BadInput("Please choose a day on which we may remind you.") from None
    if cycle_id not in {one.cycle_id for one in waiting}:
        raise LinkClosed(CLOSED)
    if needs_no_day and not TickForm().is_meant.data:
        raise BadInput("Please tick the box first. Nothing was changed.")
    with context.transaction() as rows:
        if wish == "planned":
            mailings.wake(rows, token, cycle_id)
        else:
            mailings.snooze(rows, token, cycle_id, day, pace=context.installation().pace, now=context.now())


def _submit(asked: Asked, filled: Mapping[str, str]) -> ResponseReturnValue:
    answers = answers_in(asked.questionnaire, filled)
    try:
        with context.one_step() as rows:
            responses.submit(rows, asked, answers, draft_secret=visits.draft_secret())
    except Incomplete as error:
        return show(asked, filled, problem=str(error), gaps=error.gaps), 422
    except BadInput as error:
        return show(asked, filled, problem=str(error)), 422
    visits.note_sent(_form_sent())
    return redirect(url_for("responses.thanks"), 303)


def _save(asked: Asked, filled: Mapping[str, str], *, has_draft: bool) -> ResponseReturnValue:
    if not _is_worth_keeping(asked, filled, has_draft=has_draft):
        return show(asked, filled, problem="Nothing is filled in yet, so there is nothing to save."), 422
    return _kept(asked, filled) or show(asked, filled, is_saved=True)


def _save_with_code(asked: Asked, filled: Mapping[str, str], *, has_draft: bool) -> ResponseReturnValue:
    if not _is_worth_keeping(asked, filled, has_draft=has_draft):
        return _save(asked, filled, has_draft=has_draft)
    refused = _kept(asked, filled)
    secret = visits.draft_secret() or b""
    return refused or show(asked, filled, is_saved=True, code=codes.spell(secret))


def _save_and_stay(asked: Asked, filled: Mapping[str, str], *, has_draft: bool) -> ResponseReturnValue:
    refused = _kept(asked, filled) if _is_worth_keeping(asked, filled, has_draft=has_draft) else None
    if refused:
        return refused
    visits.stay()
    return show(asked, filled, is_saved=True)


def _save_and_leave(asked: Asked, filled: Mapping[str, str], *, has_draft: bool) -> ResponseReturnValue:
    refused = _kept(asked, filled) if _is_worth_keeping(asked, filled, has_draft=has_draft) else None
    return refused or _leave()


_KEPT_BY = {"save": _save, "code": _save_with_code, "stay": _save_and_stay, "leave": _save_and_leave}
"""What the buttons of a form do with what is filled in, but for sending it."""


def _is_worth_keeping(asked: Asked, filled: Mapping[str, str], *, has_draft: bool) -> bool:
    answers = answers_in(asked.questionnaire, filled)
    return has_draft or bool(answers.ratings or answers.comments)


def _kept(asked: Asked, filled: Mapping[str, str]) -> ResponseReturnValue | None:
    """Saves what is filled in; the value is the form with what is wrong, where it cannot be saved."""
    reader_id = _reader()
    secret = visits.draft_secret() or secrets.token_bytes(codes.SECRET_SIZE)
    answers = answers_in(asked.questionnaire, filled)
    try:
        with context.transaction() as rows:
            responses.save_draft(
                rows, visits.token(), asked.invitation_id, answers, draft_secret=secret, reader_id=reader_id
            )
    except BadInput as error:
        return show(asked, filled, problem=str(error)), 422
    visits.keep_secret(secret)
    return None


def _form_sent() -> str:
    """What tells this form from every other one, also from the same form in another tab."""
    return str(request.form.get("sheet") or request.form.get("csrf_token") or "")


def _waiting_behind(rows: Session, token: str | None, reader_id: uuid.UUID | None) -> Sequence[Waiting]:
    """The colleagues about whom this link still asks; none where it opens nothing."""
    if not token:
        return ()
    try:
        return responses.waiting(rows, token, reader_id=reader_id)
    except LinkClosed:
        return ()


def _first(waiting: Sequence[Waiting]) -> str:
    """Where a rater goes on: the form of the one person who is left, or the list."""
    if len(waiting) == 1:
        return url_for("responses.answer", invitation_id=waiting[0].invitation_id)
    return url_for("responses.index")


def _reader() -> uuid.UUID | None:
    """Who is signed in in this browser, if anybody: a link about oneself is not opened to them."""
    person = context.account()
    return person.id if person else None
