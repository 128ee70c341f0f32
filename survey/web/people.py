"""Who there is."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import EmailField, SelectField, StringField
from wtforms.validators import InputRequired, Length

from survey import context
from survey.context import needs
from survey.core.access import Action, Role
from survey.core.errors import BadInput
from survey.services import people

pages = Blueprint("people", __name__, url_prefix="/people")


class PersonForm(FlaskForm):
    """One more person."""

    name = StringField("Name", [InputRequired("Please enter a name."), Length(max=200)])
    address = EmailField("E-mail address", [InputRequired("Please enter an address."), Length(max=320)])
    role = SelectField("Account", choices={role.value: role.label for role in reversed(Role)})
    manager = SelectField("Reports to")


@pages.route("", methods=["GET", "POST"])
@needs(Action.SEE_PEOPLE)
def index() -> ResponseReturnValue:
    """The list, with a form for one more."""
    context.permit(Action.SEE_PEOPLE)
    form = PersonForm()
    with context.reading() as session:
        everybody = people.everybody(session)
    form.manager.choices = {"": "Nobody"} | {str(person.id): person.name for person in everybody}
    if form.validate_on_submit():
        actor = context.permit(Action.CHANGE_PEOPLE)
        try:
            with context.transaction() as session:
                person = people.add(
                    session,
                    form.name.data or "",
                    form.address.data or "",
                    role=Role(form.role.data),
                    manager_id=uuid.UUID(form.manager.data) if form.manager.data else None,
                    actor_id=actor.id,
                    now=context.now(),
                )
        except BadInput as error:
            form.address.errors = [str(error)]
        else:
            flash(f"{person.name} is here now.", "done")
            return redirect(url_for("people.index"), 303)
    names = {person.id: person.name for person in everybody}
    return (
        render_template("people/index.html", people=everybody, names=names, form=form, role_of=Role),
        400 if form.is_submitted() else 200,
    )
