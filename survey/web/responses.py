"""Answering: from the mailed link to the thanks. Needs no account, no JavaScript, and tells nobody when."""

from __future__ import annotations

import base64
import binascii
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from flask_wtf.csrf import validate_csrf
from wtforms import BooleanField, StringField
from wtforms.validators import DataRequired, ValidationError

from survey import context
from survey.context import public
from survey.core import codes, statements
from survey.core.days import End
from survey.core.errors import CLOSED, BadInput, Incomplete, LinkClosed
from survey.core.relationships import Relationship
from survey.services import mailings, responses
from survey.services.mailings import Reminding
from survey.services.responses import Asked, Waiting
from survey.web.questionnaires import answers_in, as_fields, filled_in, show

pages = Blueprint("responses", __name__)

DRAFTS_LAST = timedelta(days=60)


class DeclineForm(FlaskForm):
    """A tick that no robot sets which follows links and presses buttons."""

    is_meant = BooleanField(validators=[DataRequired("Please tick the box first: declining cannot be taken back.")])


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
    rounds = _rounds(token)
    k = min(colleague.k for part in rounds for colleague in part.waiting)
    return render_template(
        "responses/start.html", rounds=rounds, promise=statements.promise(k), form=FlaskForm(), token=token
    )


@pages.post("/r/<token>")
@public
def enter(token: str) -> ResponseReturnValue:
    """Moves the token from the address into a cookie, so that no address of a page holds it."""
    reader_id = _reader()
    with context.looking() as session:
        waiting = responses.waiting(session, token, reader_id=reader_id)
    response = make_response(redirect(_first(waiting), 303))
    _set_cookie(response, _TOKEN, token)
    return response


@pages.get("/feedback")
@public
def index() -> ResponseReturnValue:
    """The colleagues who still wait for an answer, round by round."""
    return render_template("responses/index.html", rounds=_rounds(_token()), form=FlaskForm())


@pages.post("/feedback/later")
@public
def later() -> ResponseReturnValue:
    """No mail about a round before a day that the rater chose, from the list."""
    _put_off(_token())
    return redirect(url_for("responses.index"), 303)


@pages.post("/r/<token>/later")
@public
def later_from_mail(token: str) -> ResponseReturnValue:
    """The same, from the page that the mailed link opens."""
    _put_off(token)
    return redirect(url_for("responses.start", token=token), 303)


@pages.route("/feedback/<uuid:invitation_id>", methods=["GET", "POST"])
@public
def answer(invitation_id: uuid.UUID) -> ResponseReturnValue:
    """The form; sent with gaps it comes back with every answer kept."""
    reader_id = _reader()
    with context.looking() as session:
        asked = responses.asked(session, _token(), invitation_id, reader_id=reader_id)
        secret = _draft_secret()
        draft = responses.draft(session, invitation_id, draft_secret=secret) if secret else None
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
    action = request.form.get("action")
    if action in {"save", "code"}:
        return _save(asked, filled, has_draft=draft is not None, is_code_wanted=action == "code")
    return _submit(asked, filled)


@pages.route("/feedback/<uuid:invitation_id>/decline", methods=["GET", "POST"])
@public
def decline(invitation_id: uuid.UUID) -> ResponseReturnValue:
    """One question back, no reason asked. Without the tick nothing happens."""
    reader_id = _reader()
    # First whether the link opens anything: a form begins a session, and links that open nothing look the same.
    with context.looking() as session:
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
    with context.looking() as session:
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
        with context.looking() as session:
            waiting = responses.waiting(session, _token(), reader_id=reader_id)
    except LinkClosed:
        waiting = ()
    response = make_response(render_template("responses/thanks.html", waiting=waiting))
    if not waiting:
        response.delete_cookie(_cookie(_TOKEN), **_attributes())
    return response


def _rounds(token: str) -> list[Round]:
    """What this link still asks, by round. Raises `LinkClosed` when that is nothing."""
    now, pace, reader_id = context.now(), context.installation().pace, _reader()
    with context.looking() as session:
        waiting = responses.waiting(session, token, reader_id=reader_id)
        reminding = mailings.reminding(session, token, pace=pace, now=now)
    found = []
    for cycle_id, group in groupby(waiting, lambda colleague: colleague.cycle_id):
        theirs = tuple(group)
        end = theirs[0].end(pace.home)
        found.append(Round(cycle_id, theirs[0].cycle, end, end.days_left(now), theirs, reminding[cycle_id]))
    return found


def _put_off(token: str) -> None:
    """Does what one of the buttons beside a round says about its reminders. Raises `LinkClosed`, `BadInput`."""
    wish, reader_id = request.form.get("when", ""), _reader()
    with context.looking() as session:
        # To whoever may not open the link it does not do this either.
        responses.waiting(session, token, reader_id=reader_id)
    try:
        cycle_id = uuid.UUID(request.form.get("round", ""))
        day = None if wish in {"never", "planned"} else date.fromisoformat(request.form.get("day", ""))
    except ValueError:
        raise BadInput("Please choose a day on which we may remind you.") from None
    with context.transaction() as session:
        if wish == "planned":
            mailings.wake(session, token, cycle_id)
        else:
            mailings.snooze(session, token, cycle_id, day, pace=context.installation().pace, now=context.now())


def _submit(asked: Asked, filled: Mapping[str, str]) -> ResponseReturnValue:
    answers = answers_in(asked.questionnaire, filled)
    try:
        with context.one_step() as session:
            responses.submit(session, asked, answers, draft_secret=_draft_secret())
    except Incomplete as error:
        return show(asked, filled, problem=str(error), gaps=error.gaps), 422
    except BadInput as error:
        return show(asked, filled, problem=str(error)), 422
    return redirect(url_for("responses.thanks"), 303)


def _save(asked: Asked, filled: Mapping[str, str], *, has_draft: bool, is_code_wanted: bool) -> ResponseReturnValue:
    answers = answers_in(asked.questionnaire, filled)
    if not has_draft and not answers.ratings and not answers.comments:
        return show(asked, filled, problem="Nothing is filled in yet, so there is nothing to save."), 422
    reader_id = _reader()
    secret = _draft_secret() or secrets.token_bytes(codes.SECRET_SIZE)
    try:
        with context.transaction() as session:
            responses.save_draft(
                session, _token(), asked.invitation_id, answers, draft_secret=secret, reader_id=reader_id
            )
    except BadInput as error:
        return show(asked, filled, problem=str(error)), 422
    code = codes.spell(secret) if is_code_wanted else ""
    response = make_response(show(asked, filled, is_saved=True, code=code))
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
    response.set_cookie(_cookie(name), value, max_age=max_age, **_attributes())


def _attributes() -> dict[str, Any]:
    return {"path": "/", "secure": context.installation().secure, "httponly": True, "samesite": "Lax"}
