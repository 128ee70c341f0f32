"""Comments before their release: looked through by people operations, and withheld after a question."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy.exc import OperationalError
from wtforms import HiddenField, RadioField, TextAreaField
from wtforms.validators import InputRequired, Length

from survey import context
from survey.context import needs
from survey.core.access import Action
from survey.core.comments import LONGEST_EXPLANATION, Reason
from survey.core.errors import BadInput, NotFound
from survey.services import comments
from survey.store import base

pages = Blueprint("comments", __name__, url_prefix="/rounds")


class ReasonForm(FlaskForm):
    """Why a comment is withheld. It is named in the form, so that no address and no log ever holds its key."""

    comment = HiddenField()
    reason = RadioField(
        "Why",
        [InputRequired("Please choose a reason.")],
        choices={reason.value: reason.label for reason in Reason},
    )
    explanation = TextAreaField(
        "In your own words",
        [Length(max=LONGEST_EXPLANATION, message=f"Please be brief: at most {LONGEST_EXPLANATION} characters.")],
        description="This stays in the audit log for good. Describe what is wrong; do not quote the comment, and do "
        "not guess who wrote it.",
    )


@pages.get("/<uuid:cycle_id>/comments")
@needs(Action.WITHHOLD_COMMENTS)
def index(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """What was written about each person, question by question. That it was read is recorded."""
    reader = context.permit(Action.WITHHOLD_COMMENTS)
    page = request.args.get("page", 1, type=int)
    with context.transaction() as session:
        reading = comments.read(session, cycle_id, reader_id=reader.id, page=page, now=context.now())
    return render_template("comments/index.html", cycle_id=cycle_id, reading=reading, form=FlaskForm())


@pages.post("/<uuid:cycle_id>/comments/ask")
@needs(Action.WITHHOLD_COMMENTS)
def ask(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """One comment, and the question why it is to be withheld."""
    return _question(cycle_id, ReasonForm(formdata=None), _key(request.form.get("comment")))


@pages.post("/<uuid:cycle_id>/comments/withhold")
@needs(Action.WITHHOLD_COMMENTS)
def withhold(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Deletes the comment, if there is a reason."""
    actor = context.permit(Action.WITHHOLD_COMMENTS)
    form = ReasonForm()
    comment_id = _key(form.comment.data)
    if not form.validate_on_submit():
        return _question(cycle_id, form, comment_id), 422
    try:
        with context.transaction() as session:
            comments.withhold(
                session,
                cycle_id,
                comment_id,
                reason=Reason(form.reason.data),
                explanation=form.explanation.data or "",
                actor_id=actor.id,
                now=context.now(),
            )
    except BadInput as error:
        form.explanation.errors = [str(error)]
        return _question(cycle_id, form, comment_id), 422
    flash(f"The comment is withheld. {_cleaned()}", "done")
    return redirect(url_for("comments.index", cycle_id=cycle_id), 303)


def _question(cycle_id: uuid.UUID, form: ReasonForm, comment_id: uuid.UUID) -> str:
    reader = context.permit(Action.WITHHOLD_COMMENTS)
    with context.transaction() as session:
        chosen = comments.choose(session, cycle_id, comment_id, reader_id=reader.id)
    form.comment.data = str(chosen.id)
    return render_template("comments/withhold.html", cycle_id=cycle_id, chosen=chosen, form=form)


def _key(text: str | None) -> uuid.UUID:
    try:
        return uuid.UUID(text or "")
    except ValueError:
        raise NotFound("There is no such comment.") from None


def _cleaned() -> str:
    """Empties the files of the database of the text, and says how that went."""
    try:
        base.forget_comments(context.installation().engine)
    except OperationalError:
        # It is withheld all the same; what is left lies where only an operator could look.
        return "The database was too busy to overwrite its text at once; withholding another one does so as well."
    return "Its text is deleted."
