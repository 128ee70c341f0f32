"""Who there is: the list, one person, and what can be done to them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import EmailField, SelectField, StringField
from wtforms.validators import InputRequired, Optional

from survey import context
from survey.context import needs
from survey.core import access
from survey.core import people as rules
from survey.core.access import Action, Role
from survey.core.errors import BadInput
from survey.core.people import Profile
from survey.services import erasures, imports, people
from survey.services.people import Search
from survey.store import base
from survey.store.departures import Touched
from survey.store.people import Person

pages = Blueprint("people", __name__, url_prefix="/people")

AT_ONCE = 50
SUGGESTED = 200


class PersonForm(FlaskForm):
    """What is known of a person."""

    name = StringField("Name", [InputRequired("Please enter a name.")])
    address = EmailField(
        "E-mail address",
        [InputRequired("Please enter an address.")],
        description="In rounds that you set up, whoever has an address by your hand counts as an outside rater. "
        "Where they are asked already, they are withdrawn, and you can ask them again.",
    )
    role = SelectField("Account", choices={role.value: role.label for role in reversed(Role)})
    manager = StringField(
        "Reports to",
        [Optional()],
        description="The manager’s e-mail address.",
        render_kw={"list": "managers", "autocomplete": "off", "inputmode": "email"},
    )
    team = StringField("Team", [Optional()])
    level = StringField("Level", [Optional()], render_kw={"inputmode": "numeric"})
    time_zone = StringField(
        "Time zone", [Optional()], description="Such as Europe/Vienna. Empty: the one of this installation."
    )
    language = StringField("Language", [Optional()], description="A code such as en or de. Empty: English.")


@pages.get("")
@needs(Action.LIST_PEOPLE)
def index() -> ResponseReturnValue:
    """The list: everybody for people operations, those who report to one for a manager."""
    person = context.permit(Action.LIST_PEOPLE)
    may_change = access.is_allowed(Action.CHANGE_PEOPLE, Role(person.role))
    below = None if access.is_allowed(Action.SEE_PEOPLE, Role(person.role)) else person.id
    wanted = Search(
        words=request.args.get("q", "")[:200],
        team=request.args.get("team") or None,
        is_active=request.args.get("show") != "left" or not may_change,
        below=below,
    )
    number = max(1, request.args.get("page", 1, type=int))
    with context.reading() as session:
        rows, total = people.search(session, wanted, offset=min(number - 1, 10**6) * AT_ONCE, limit=AT_ONCE)
        teams = people.teams(session, below=below)
        undoable = imports.undoable(session, now=context.now()) if may_change else None
    return render_template(
        "people/index.html",
        rows=rows,
        total=total,
        wanted=wanted,
        teams=teams,
        may_change=may_change,
        undoable=undoable,
        first=(number - 1) * AT_ONCE + 1,
        earlier=_page_href(number - 1) if number > 1 else None,
        later=_page_href(number + 1) if number * AT_ONCE < total else None,
    )


@pages.get("/<uuid:person_id>")
@needs(Action.SEE_PEOPLE)
def person(person_id: uuid.UUID) -> ResponseReturnValue:
    """One person; for people operations with what can be done."""
    account = context.signed_in()
    with context.reading() as session:
        context.permit(Action.SEE_PEOPLE, *people.standing(session, person_id, account.id))
        row = people.get(session, person_id)
        known = people.profile(session, row)
    return render_template(
        "people/person.html",
        person=row,
        known=known,
        may_change=access.is_allowed(Action.CHANGE_PEOPLE, Role(account.role)),
        is_oneself=row.id == account.id,
    )


@pages.route("/new", methods=["GET", "POST"])
@needs(Action.CHANGE_PEOPLE)
def new() -> ResponseReturnValue:
    """The form for one more person."""
    account = context.permit(Action.CHANGE_PEOPLE)
    form = PersonForm()
    if known := _filled_in(form):
        try:
            with context.transaction() as session:
                row = people.enter(session, known, actor_id=account.id, now=context.now())
        except BadInput as error:
            form.form_errors = [str(error)]
        else:
            flash(f"{row.name} is here now.", "done")
            return redirect(url_for("people.index"), 303)
    return _form_page(form, "Add a person", "Add", url_for("people.index"))


@pages.route("/<uuid:person_id>/edit", methods=["GET", "POST"])
@needs(Action.CHANGE_PEOPLE)
def edit(person_id: uuid.UUID) -> ResponseReturnValue:
    """The form with what is known of a person."""
    account = context.permit(Action.CHANGE_PEOPLE)
    with context.reading() as session:
        before = people.profile(session, people.get(session, person_id))
    form = PersonForm(data=_as_fields(before))
    if known := _filled_in(form):
        try:
            with context.transaction() as session:
                row = people.change(session, person_id, known, actor_id=account.id, now=context.now())
        except BadInput as error:
            form.form_errors = [str(error)]
        else:
            flash(_saved(row, before), "done")
            return _to(person_id)
    return _form_page(form, before.name, "Save", url_for("people.person", person_id=person_id))


@pages.route("/<uuid:person_id>/deactivate", methods=["GET", "POST"])
@needs(Action.CHANGE_PEOPLE)
def deactivate(person_id: uuid.UUID) -> ResponseReturnValue:
    """What ends with an account; then it does."""
    account = context.permit(Action.CHANGE_PEOPLE)
    form = FlaskForm()
    if form.validate_on_submit():
        with context.transaction() as session:
            row = people.deactivate(session, person_id, actor_id=account.id, now=context.now())
        flash(f"{row.name} is deactivated.", "done")
        return _to(person_id)
    # Nothing here may depend on what this person has answered and what not.
    with context.reading() as session:
        touched = people.unfinished(session, person_id)
    return _confirm(
        person_id,
        "Deactivate {name}?",
        [
            "{name} is signed out, gets no more mail, and cannot be chosen for a round.",
            *_named(touched),
            "What {name} has answered in open rounds counts. What not stays open until the round closes, without "
            "links: if {name} comes back before, it is asked again. Nobody is told which was the case.",
            "A review about {name} that is running goes on. In rounds that are not open yet, {name} is not a rater any "
            "more.",
            "People who report to {name} stay where they are until you change it.",
        ],
        "Deactivate",
        form,
    )


@pages.route("/<uuid:person_id>/reactivate", methods=["GET", "POST"])
@needs(Action.CHANGE_PEOPLE)
def reactivate(person_id: uuid.UUID) -> ResponseReturnValue:
    """What begins again with an account; then it does."""
    account = context.permit(Action.CHANGE_PEOPLE)
    form = FlaskForm()
    if form.validate_on_submit():
        with context.transaction() as session:
            row = people.reactivate(session, person_id, actor_id=account.id, now=context.now())
        flash(f"{row.name} is here again.", "done")
        return _to(person_id)
    with context.reading() as session:
        touched = people.unfinished(session, person_id)
    lines = [
        "{name} can sign in and be chosen for rounds again.",
        *_named(touched),
        "Links from before stay closed. If an open round still asks {name} for something, {name} gets a new link.",
    ]
    return _confirm(person_id, "Bring {name} back?", lines, "Bring back", form, is_danger=False)


@pages.route("/<uuid:person_id>/erase", methods=["GET", "POST"])
@needs(Action.CHANGE_PEOPLE)
def erase(person_id: uuid.UUID) -> ResponseReturnValue:
    """Exactly what goes and what stays; then it goes."""
    account = context.permit(Action.CHANGE_PEOPLE)
    form = FlaskForm()
    if form.validate_on_submit():
        with context.transaction() as session:
            erasures.erase(session, person_id, actor_id=account.id, now=context.now())
        base.vacuum(context.installation().engine, erasures.touched())
        flash("The person was erased.", "done")
        return redirect(url_for("people.index"), 303)
    with context.reading() as session:
        erasure = erasures.consider(session, person_id, actor_id=account.id)
    return render_template(
        "people/erase.html",
        title=f"Erase {erasure.name}?",
        erasure=erasure,
        action_label="Erase for good",
        back_href=url_for("people.person", person_id=person_id),
        form=form,
        is_danger=True,
    )


def _page_href(number: int) -> str:
    kept: dict[str, Any] = {name: value for name in ("q", "team", "show") if (value := request.args.get(name))}
    return url_for("people.index", page=number, **kept)


def _to(person_id: uuid.UUID) -> ResponseReturnValue:
    return redirect(url_for("people.person", person_id=person_id), 303)


def _filled_in(form: PersonForm) -> Profile | None:
    """What was filled in, or None; what is wrong stands at its field then."""
    if not form.validate_on_submit():
        return None
    checks: dict[str, Callable[[str], Any]] = {
        "name": rules.check_name,
        "address": rules.check_address,
        "manager": lambda typed: rules.check_address(typed) if typed.strip() else None,
        "team": rules.check_team,
        "level": rules.check_level,
        "time_zone": lambda typed: rules.check_time_zone(typed, context.time_zones()),
        "language": rules.check_language,
    }
    values: dict[str, Any] = {}
    for name, check in checks.items():
        try:
            values[name] = check(form[name].data or "")
        except BadInput as error:
            form[name].errors = [str(error)]
    if len(values) < len(checks):
        return None
    return Profile(**values, role=Role(form.role.data))


def _as_fields(known: Profile) -> dict[str, str]:
    return {
        "name": known.name,
        "address": known.address,
        "role": known.role.value,
        "manager": known.manager or "",
        "team": known.team,
        "level": "" if known.level is None else str(known.level),
        "time_zone": known.time_zone or "",
        "language": known.language,
    }


def _saved(row: Person, before: Profile) -> str:
    """What was done, and who hears of it."""
    said = f"What is known of {row.name} was saved."
    if row.address == before.address:
        return said
    return (
        f"{said} Links and sign-ins of {before.address} have ended, and both addresses get a mail. Reports of rounds "
        "that opened before stay closed until that address, or an operator, confirms the new one."
    )


def _form_page(form: PersonForm, title: str, action_label: str, back_href: str) -> ResponseReturnValue:
    with context.reading() as session:
        managers = people.managers(session, limit=SUGGESTED)
        teams = people.teams(session, below=None)[:SUGGESTED]
    page = render_template(
        "people/edit.html",
        form=form,
        title=title,
        action_label=action_label,
        back_href=back_href,
        managers=managers,
        teams=teams,
    )
    return page, 400 if form.is_submitted() else 200


def _named(touched: Sequence[Touched]) -> list[str]:
    """The rounds that a person has a part in, by what was chosen: the same whether or not they have answered."""
    return [f"In “{one.cycle}”{'' if one.is_open else ' (not open yet)'}, {_part(one)}." for one in touched]


def _part(one: Touched) -> str:
    asked = "{name} is asked about one person" if one.about == 1 else f"{{name}} is asked about {one.about} people"
    parts = [asked] if one.about else []
    if one.under_review:
        parts.append("{name} is under review")
    return " and ".join(parts)


def _confirm(
    person_id: uuid.UUID, title: str, lines: list[str], action_label: str, form: FlaskForm, *, is_danger: bool = True
) -> ResponseReturnValue:
    with context.reading() as session:
        name = people.get(session, person_id).name
    return render_template(
        "confirm.html",
        title=title.replace("{name}", name),
        lines=[line.replace("{name}", name) for line in lines],
        action_label=action_label,
        back_href=url_for("people.person", person_id=person_id),
        form=form,
        is_danger=is_danger,
    )
