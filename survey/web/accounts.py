"""Signing in by a mailed link, one's own sign-ins, the start page, and what pages know about who is looking."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask, current_app, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_limiter import Limiter
from flask_wtf import FlaskForm
from wtforms import BooleanField, EmailField, HiddenField
from wtforms.validators import InputRequired, Length

from survey import context
from survey.context import needs, public
from survey.core import access, browsers
from survey.core.access import Action, Role
from survey.core.errors import LinkClosed
from survey.services import addresses, sign_ins

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
    return _asking(AddressForm(next=context.path_on_this_site(request.args.get("next"))))


@pages.post("/sign-in")
@public
def ask_sign_in() -> ResponseReturnValue:
    """Mails a link to a known address; the answer is the same for an unknown one."""
    form = AddressForm()
    if not form.validate_on_submit():
        return _asking(form), 400
    with context.transaction() as rows:
        sign_ins.ask(rows, form.address.data or "", now=context.now())
    context.wake("tasks.outbox.sweep")
    session["next"] = context.path_on_this_site(form.next.data)
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
            secret = sign_ins.enter(
                rows, token, browser=browsers.describe(request.user_agent.string), now=context.now()
            )
    except LinkClosed as error:
        form = AddressForm()
        form.address.errors = [str(error)]
        return _asking(form), 410
    return context.let_in(secret)


@pages.post("/sign-out")
@public
def sign_out() -> ResponseReturnValue:
    """Forgets the sign-in of this browser, on both sides."""
    secret = session.get(context.SIGN_IN)
    session.clear()
    if isinstance(secret, str):
        with context.transaction() as rows:
            sign_ins.end(rows, secret)
    return redirect(url_for("accounts.sign_in"), 303)


@pages.get("/account")
@needs(Action.SEE_HOME)
def account() -> ResponseReturnValue:
    """Where one is signed in, with a way to end each, and what others changed of one's manager and address."""
    person = context.permit(Action.SEE_HOME)
    with context.reading() as rows:
        listed = sign_ins.of(rows, person.id, secret=session[context.SIGN_IN], now=context.now())
        changed = addresses.listed(rows, person.id)
        waiting = addresses.waiting(rows, person.id)
    return render_template(
        "accounts/account.html",
        person=person,
        listed=listed,
        changed=changed,
        waiting=waiting,
        zone=context.zone(),
    )


class ConfirmForm(FlaskForm):
    """The word of whoever reads the old address. A scanner that presses every button ticks nothing."""

    is_mine = BooleanField("Yes, the new address is mine", [InputRequired("Please tick the box, or close this page.")])


@pages.route("/address/<token>", methods=["GET", "POST"])
@public
def confirm_address(token: str) -> ResponseReturnValue:
    """What the old address is asked; then the new one is confirmed."""
    form = ConfirmForm()
    if form.validate_on_submit():
        with context.transaction() as rows:
            addresses.confirm(rows, token, now=context.now())
        return render_template("accounts/address_confirmed.html")
    with context.reading() as rows:
        waiting = addresses.asked(rows, token)
    page = render_template("accounts/address.html", form=form, waiting=waiting, zone=context.zone())
    return page, 400 if form.is_submitted() else 200


@pages.post("/account/sign-ins")
@needs(Action.SEE_HOME)
def end_sign_ins() -> ResponseReturnValue:
    """Ends one of one's own sign-ins, or all but this one."""
    person = context.permit(Action.SEE_HOME)
    key = request.form.get("key", "")
    with context.transaction() as rows:
        if key:
            sign_ins.end_one(rows, person.id, key)
        else:
            sign_ins.end_others(rows, person.id, secret=session[context.SIGN_IN])
    flash("That sign-in has ended." if key else "You are signed in here, and nowhere else.", "done")
    return redirect(url_for("accounts.account"), 303)


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
        (Action.SEE_HOME, "Raters", "nominations.index"),
        (Action.LIST_TEAMS, "Teams", "teams.index"),
        (Action.SEE_PAGES, "Pages", "competencies.index"),
        (Action.LIST_PEOPLE, "People", "people.index"),
        (Action.SEE_AUDIT, "Log", "audit.index"),
    ]
    return {
        "account": Account(person.name, role.label),
        "nav": [
            Entry(label, url_for(endpoint), f"{request.path}/".startswith(f"{url_for(endpoint)}/"))
            for action, label, endpoint in entries
            if access.is_allowed(action, role)
        ],
        "company": context.installation().company,
    }


def _asking(form: AddressForm) -> str:
    has_company_accounts = current_app.extensions[context.COMPANY_ACCOUNTS] is not None
    return render_template("accounts/sign_in.html", form=form, has_company_accounts=has_company_accounts)


def limit(app: Flask, redis_url: str) -> None:
    """Counts how often a link is asked for: per address, and per place it is asked from. Only digests are counted.

    Without redis each process counts for itself. Pages for raters are not limited: a counter would be a clock.
    """
    limiter = Limiter(
        _asked_from,
        app=app,
        storage_uri=redis_url.replace("redis+socket:", "redis+unix:"),
        storage_options={"socket_timeout": 1, "socket_connect_timeout": 1},
        strategy="fixed-window",
        in_memory_fallback_enabled=True,
        default_limits=[],
        key_prefix="limit",
    )
    view: Any = app.view_functions["accounts.ask_sign_in"]
    for times, key in ((PER_ADDRESS, _asked_for), (PER_PLACE, _asked_from)):
        view = limiter.limit(times, key_func=key)(view)
    app.view_functions["accounts.ask_sign_in"] = view


PER_ADDRESS = "5 per 10 minutes"
PER_PLACE = "60 per 10 minutes"


def _asked_for() -> str:
    return _digest("address " + request.form.get("address", "").strip().lower())


def _asked_from() -> str:
    return _digest("place " + (request.remote_addr or ""))


def _digest(text: str) -> str:
    key = str(current_app.config["SECRET_KEY"]).encode()
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:24]
