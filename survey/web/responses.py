"""Answering: from the mailed link to the thanks. Needs no account, no JavaScript, and tells nobody when."""

from __future__ import annotations

import base64
import binascii
import secrets
import uuid
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from survey import context
from survey.context import public
from survey.core import cycles as rules
from survey.core import statements
from survey.core.errors import CLOSED, BadInput, Incomplete, LinkClosed
from survey.core.responses import Answers
from survey.services import mailings, responses
from survey.services.mailings import Reminding
from survey.services.responses import Asked, Waiting
from survey.web.questionnaires import AnswerForm, answers_in, as_fields, form_for, show

pages = Blueprint("responses", __name__)

DRAFTS_LAST = timedelta(days=60)
DRAFT_SECRET_SIZE = 32


@dataclass(frozen=True)
class Round:
    """A round in the rater's list: who waits, until when, and what was said about its reminders."""

    id: uuid.UUID
    name: str
    last_day: date
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
    with context.reading() as session:
        waiting = responses.waiting(session, token)
    target = (
        url_for("responses.answer", invitation_id=waiting[0].invitation_id)
        if len(waiting) == 1
        else url_for("responses.index")
    )
    response = make_response(redirect(target, 303))
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
    with context.reading() as session:
        asked = responses.asked(session, _token(), invitation_id)
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
    if request.form.get("action") == "save":
        return _save(asked, form, answers)
    return _submit(asked, form, answers)


@pages.route("/feedback/<uuid:invitation_id>/decline", methods=["GET", "POST"])
@public
def decline(invitation_id: uuid.UUID) -> ResponseReturnValue:
    """One question back, no reason asked."""
    form = FlaskForm()
    if form.validate_on_submit():
        with context.transaction() as session:
            responses.decline(session, _token(), invitation_id, draft_secret=_draft_secret())
        flash("Thank you for telling us. You will not be asked about this person again in this round.", "done")
        return redirect(url_for("responses.thanks"), 303)
    with context.reading() as session:
        asked = responses.asked(session, _token(), invitation_id)
    return render_template("responses/decline.html", asked=asked, form=form)


@pages.get("/feedback/thanks")
@public
def thanks() -> ResponseReturnValue:
    """The end, or the way to the next colleague."""
    try:
        with context.reading() as session:
            waiting = responses.waiting(session, _token())
    except LinkClosed:
        waiting = ()
    response = make_response(render_template("responses/thanks.html", waiting=waiting))
    if not waiting:
        _set_cookie(response, _TOKEN, "", max_age=timedelta(0))
    return response


def _rounds(token: str) -> list[Round]:
    """What this link still asks, by round. Raises `LinkClosed` when that is nothing."""
    now, pace = context.now(), context.installation().pace
    with context.reading() as session:
        waiting = responses.waiting(session, token)
        reminding = mailings.reminding(session, token, pace=pace, now=now)
    found = []
    for cycle_id, group in groupby(waiting, lambda colleague: colleague.cycle_id):
        theirs = tuple(group)
        last_day = rules.last_day(theirs[0].closes_at)
        days_left = max(0, (last_day - now.date()).days)
        found.append(Round(cycle_id, theirs[0].cycle, last_day, days_left, theirs, reminding[cycle_id]))
    return found


def _put_off(token: str) -> None:
    """Does what one of the buttons beside a round says about its reminders. Raises `LinkClosed`, `BadInput`."""
    wish = request.form.get("when", "")
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


def _submit(asked: Asked, form: AnswerForm, answers: Answers) -> ResponseReturnValue:
    try:
        with context.transaction() as session:
            responses.submit(session, _token(), asked.invitation_id, answers, draft_secret=_draft_secret())
    except Incomplete as error:
        return show(asked, form, problem=str(error), gaps=error.gaps), 422
    except BadInput as error:
        return show(asked, form, problem=str(error)), 422
    return redirect(url_for("responses.thanks"), 303)


def _save(asked: Asked, form: AnswerForm, answers: Answers) -> ResponseReturnValue:
    secret = _draft_secret() or secrets.token_bytes(DRAFT_SECRET_SIZE)
    try:
        with context.transaction() as session:
            responses.save_draft(session, _token(), asked.invitation_id, answers, draft_secret=secret)
    except BadInput as error:
        return show(asked, form, problem=str(error)), 422
    response = make_response(show(asked, form, is_saved=True))
    _set_cookie(response, _DRAFT, base64.urlsafe_b64encode(secret).decode(), max_age=DRAFTS_LAST)
    return response


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
    return secret if len(secret) == DRAFT_SECRET_SIZE else None


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
