"""Signing in by a mailed link, the start page, and what every page knows about who is looking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField
from wtforms.validators import InputRequired, Length

from survey import context
from survey.context import needs, public
from survey.core import access
from survey.core.access import Action, Role
from survey.core.errors import LinkClosed
from survey.services import people

pages = Blueprint("accounts", __name__)


class AddressForm(FlaskForm):
    """Where the link is mailed to."""

    address = EmailField(
        "Your e-mail address",
        [InputRequired("Please enter your e-mail address."), Length(max=320)],
        render_kw={"autocomplete": "email", "autofocus": True},
    )
    next = HiddenField()


@dataclass(frozen=True)
class Account:
    """Who is looking, as templates know them."""

    name: str
    role_label: str


@dataclass(frozen=True)
class Entry:
    """An entry of the navigation."""

    label: str
    href: str
    is_current: bool


@pages.get("/sign-in")
@public
def sign_in() -> ResponseReturnValue:
    """The form that asks for a link."""
    return render_template("accounts/sign_in.html", form=AddressForm(next=_relative(request.args.get("next"))))


@pages.post("/sign-in")
@public
def ask_sign_in() -> ResponseReturnValue:
    """Mails a link to a known address; the answer is the same for an unknown one."""
    form = AddressForm()
    if not form.validate_on_submit():
        return render_template("accounts/sign_in.html", form=form), 400
    with context.transaction() as rows:
        people.ask_sign_in(rows, form.address.data or "", now=context.now())
    context.wake("tasks.outbox.sweep")
    session["next"] = _relative(form.next.data)
    return render_template("accounts/sent.html")


@pages.get("/sign-in/<token>")
@public
def confirm(token: str) -> ResponseReturnValue:
    """A button. Mail scanners follow links; so the link alone signs nobody in."""
    return render_template("accounts/confirm.html", form=FlaskForm())


@pages.post("/sign-in/<token>")
@public
def enter(token: str) -> ResponseReturnValue:
    """Signs the browser in and uses the link up."""
    try:
        with context.transaction() as rows:
            secret = people.sign_in(rows, token, now=context.now())
    except LinkClosed as error:
        form = AddressForm()
        form.address.errors = [str(error)]
        return render_template("accounts/sign_in.html", form=form), 410
    target = _relative(session.get("next"))
    session.clear()
    session[context.SIGN_IN] = secret
    return redirect(target, 303)


@pages.post("/sign-out")
@public
def sign_out() -> ResponseReturnValue:
    """Forgets the sign-in of this browser, on both sides."""
    secret = session.get(context.SIGN_IN)
    session.clear()
    if isinstance(secret, str):
        with context.transaction() as rows:
            people.sign_out(rows, secret)
    return redirect(url_for("accounts.sign_in"), 303)


@pages.get("/")
@needs(Action.SEE_HOME)
def home() -> ResponseReturnValue:
    """Where people land: the rounds for those who run them, the reports for the others."""
    person = context.permit(Action.SEE_HOME)
    if access.is_allowed(Action.LIST_CYCLES, Role(person.role)):
        return redirect(url_for("cycles.index"), 303)
    return redirect(url_for("reports.index"), 303)


@pages.app_context_processor
def about_the_reader() -> dict[str, Any]:
    """What templates know about who is looking. Pages for raters ask nothing of it."""
    if request.blueprint == "responses":
        return {"account": None, "nav": [], "company": context.installation().company}
    person = context.account()
    if person is None:
        return {"account": None, "nav": [], "company": context.installation().company}
    role = Role(person.role)
    entries = [
        (Action.LIST_CYCLES, "Rounds", "cycles.index"),
        (Action.SEE_HOME, "Reports", "reports.index"),
        (Action.SEE_PAGES, "Pages", "competencies.index"),
        (Action.SEE_PEOPLE, "People", "people.index"),
        (Action.SEE_AUDIT, "Log", "audit.index"),
    ]
    return {
        "account": Account(person.name, role.label),
        "nav": [
            Entry(label, url_for(endpoint), (request.blueprint or "") == endpoint.split(".")[0])
            for action, label, endpoint in entries
            if access.is_allowed(action, role)
        ],
        "company": context.installation().company,
    }


def _relative(target: str | None) -> str:
    """The target if it is a path on this site, and the start page otherwise."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")) or "\\" in target:
        return "/"
    return target if target.isprintable() else "/"
