"""Answering: from the mailed link to the thanks. Needs no account, no JavaScript, and tells nobody when."""

from __future__ import annotations

import base64
import binascii
import secrets
import uuid
from collections.abc import Sequence
from datetime import timedelta

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField, StringField
from wtforms.validators import DataRequired

from survey import context
from survey.context import public
from survey.core import codes, statements
from survey.core.errors import BadInput, Incomplete, LinkClosed
from survey.core.relationships import Relationship
from survey.core.responses import Answers
from survey.services import responses
from survey.services.responses import CLOSED, Asked, Waiting
from survey.web.questionnaires import AnswerForm, answers_in, as_fields, form_for, show

pages = Blueprint("responses", __name__)

DRAFTS_LAST = timedelta(days=60)


class DeclineForm(FlaskForm):
    """A tick that no robot sets which follows links and presses buttons."""

    is_meant = BooleanField(validators=[DataRequired("Please tick the box first: declining cannot be taken back.")])


class CodeForm(FlaskForm):
    """The code that another device showed."""

    code = StringField("The code from the other device", [DataRequired("Please enter the code.")])


@pages.get("/r/<token>")
@public
def start(token: str) -> ResponseReturnValue:
    """What the link is about, and a button. Following the link, by whomever, changes nothing."""
    reader_id = _reader()
    with context.reading() as session:
        waiting = responses.waiting(session, token, reader_id=reader_id)
    k = min(colleague.k for colleague in waiting)
    return render_template(
        "responses/start.html", waiting=waiting, promise=statements.promise(k), form=FlaskForm(), token=token
    )


@pages.post("/r/<token>")
@public
def enter(token: str) -> ResponseReturnValue:
    """Moves the token from the address into a cookie, so that no address of a page holds it."""
    reader_id = _reader()
    with context.reading() as session:
        waiting = responses.waiting(session, token, reader_id=reader_id)
    response = make_response(redirect(_first(waiting), 303))
    _set_cookie(response, _TOKEN, token)
    return response


@pages.get("/feedback")
@public
def index() -> ResponseReturnValue:
    """The colleagues who still wait for an answer."""
    reader_id = _reader()
    with context.reading() as session:
        waiting = responses.waiting(session, _token(), reader_id=reader_id)
    return render_template("responses/index.html", waiting=waiting)


@pages.route("/feedback/<uuid:invitation_id>", methods=["GET", "POST"])
@public
def answer(invitation_id: uuid.UUID) -> ResponseReturnValue:
    """The form; sent with gaps it comes back with every answer kept."""
    reader_id = _reader()
    with context.reading() as session:
        asked = responses.asked(session, _token(), invitation_id, reader_id=reader_id)
        secret = _draft_secret()
        draft = responses.draft(session, invitation_id, draft_secret=secret) if secret else None
    form_class = form_for(asked.questionnaire)
    if request.method == "GET":
        form = form_class(formdata=None, data=as_fields(draft) if draft else None)
        return show(asked, form)
    form = form_class()
    fingerprint = form.fingerprint.data
    if not form.csrf_token.validate(form):
        return show(asked, form, problem="Your browser’s session has ended meanwhile. Please send it once more."), 422
    if fingerprint != asked.questionnaire.fingerprint:
        return show(
            asked, form, problem="This page was of an older form. Please look through it and send it again."
        ), 422
    answers = answers_in(asked.questionnaire, form)
    action = request.form.get("action")
    if action in {"save", "code"}:
        return _save(asked, form, answers, has_draft=draft is not None, is_code_wanted=action == "code")
    return _submit(asked, form, answers)


@pages.route("/feedback/<uuid:invitation_id>/decline", methods=["GET", "POST"])
@public
def decline(invitation_id: uuid.UUID) -> ResponseReturnValue:
    """One question back, no reason asked. Without the tick nothing happens."""
    reader_id = _reader()
    # First whether the link opens anything: a form begins a session, and links that open nothing look the same.
    with context.reading() as session:
        asked = responses.asked(session, _token(), invitation_id, reader_id=reader_id)
    form = DeclineForm()
    if form.validate_on_submit():
        with context.transaction() as session:
            responses.decline(session, _token(), invitation_id, draft_secret=_draft_secret(), reader_id=reader_id)
        flash("Thank you for telling us. You will not be asked about this person again in this round.", "done")
        return redirect(url_for("responses.thanks"), 303)
    is_self = asked.relationship is Relationship.SELF
    form.is_meant.label.text = "I do not want to assess myself" if is_self else f"I can’t review {asked.subject}"
    return render_template("responses/decline.html", asked=asked, form=form), 422 if form.is_submitted() else 200


@pages.route("/feedback/resume", methods=["GET", "POST"])
@public
def resume() -> ResponseReturnValue:
    """Takes the code of another device, and goes on here with what was saved there."""
    token, reader_id = _token(), _reader()
    with context.reading() as session:
        waiting = responses.waiting(session, token, reader_id=reader_id)
    form = CodeForm()
    if form.validate_on_submit():
        try:
            secret = codes.read(form.code.data or "")
            with context.transaction() as session:
                responses.resume(session, token, secret=secret, own=_draft_secret(), reader_id=reader_id)
        except BadInput as error:
            form.code.errors = [str(error)]
        else:
            flash("Here is what you saved on the other device. It has not been sent.", "done")
            response = make_response(redirect(_first(waiting), 303))
            _keep_secret(response, secret)
            return response
    return render_template(
        "responses/resume.html", form=form, back=_first(waiting)
    ), 422 if form.is_submitted() else 200


@pages.get("/feedback/thanks")
@public
def thanks() -> ResponseReturnValue:
    """The end, or the way to the next colleague."""
    reader_id = _reader()
    try:
        with context.reading() as session:
            is_more = bool(responses.waiting(session, _token(), reader_id=reader_id))
    except LinkClosed:
        is_more = False
    response = make_response(render_template("responses/thanks.html", is_more=is_more))
    if not is_more:
        _set_cookie(response, _TOKEN, "", max_age=timedelta(0))
    return response


def _submit(asked: Asked, form: AnswerForm, answers: Answers) -> ResponseReturnValue:
    reader_id = _reader()
    try:
        with context.transaction() as session:
            responses.submit(
                session,
                _token(),
                asked.invitation_id,
                answers,
                draft_secret=_draft_secret(),
                reader_id=reader_id,
            )
    except Incomplete as error:
        return show(asked, form, problem=str(error), gaps=error.gaps), 422
    except BadInput as error:
        return show(asked, form, problem=str(error)), 422
    return redirect(url_for("responses.thanks"), 303)


def _save(
    asked: Asked, form: AnswerForm, answers: Answers, *, has_draft: bool, is_code_wanted: bool
) -> ResponseReturnValue:
    if not has_draft and not answers.ratings and not answers.comments:
        return show(asked, form, problem="Nothing is filled in yet, so there is nothing to save."), 422
    reader_id = _reader()
    secret = _draft_secret() or secrets.token_bytes(codes.SECRET_SIZE)
    try:
        with context.transaction() as session:
            responses.save_draft(
                session, _token(), asked.invitation_id, answers, draft_secret=secret, reader_id=reader_id
            )
    except BadInput as error:
        return show(asked, form, problem=str(error)), 422
    code = codes.spell(secret) if is_code_wanted else ""
    response = make_response(show(asked, form, is_saved=True, code=code))
    _keep_secret(response, secret)
    return response


def _first(waiting: Sequence[Waiting]) -> str:
    """Where a rater goes on: the form of the one person who is left, or the list."""
    if len(waiting) == 1:
        return url_for("responses.answer", invitation_id=waiting[0].invitation_id)
    return url_for("responses.index")


def _reader() -> uuid.UUID | None:
    """Who is signed in in this browser, if anybody: a link about oneself is not opened to them."""
    person = context.account()
    return person.id if person else None


_TOKEN = "rater"  # noqa: S105 - the name of a cookie
_DRAFT = "draft"


def _token() -> str:
    token = request.cookies.get(_cookie(_TOKEN))
    if not token:
        raise LinkClosed(CLOSED)
    return token


def _draft_secret() -> bytes | None:
    try:
        secret = base64.urlsafe_b64decode(request.cookies.get(_cookie(_DRAFT), ""))
    except (binascii.Error, ValueError):
        return None
    return secret if len(secret) == codes.SECRET_SIZE else None


def _keep_secret(response: Response, secret: bytes) -> None:
    _set_cookie(response, _DRAFT, base64.urlsafe_b64encode(secret).decode(), max_age=DRAFTS_LAST)


def _cookie(name: str) -> str:
    return f"__Host-{name}" if context.installation().secure else name


def _set_cookie(response: Response, name: str, value: str, *, max_age: timedelta | None = None) -> None:
    response.set_cookie(
        _cookie(name),
        value,
        max_age=max_age,
        path="/",
        secure=context.installation().secure,
        httponly=True,
        samesite="Lax",
    )
