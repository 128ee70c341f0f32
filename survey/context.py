"""What a page, task or command may ask of the running app: a transaction, the time, who is signed in, a doorbell."""

from __future__ import annotations

import traceback
import uuid
import zoneinfo
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import structlog
from flask import current_app, g, redirect, session
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.wrappers import Response

from survey.core import access
from survey.core.access import Action, Role, Standing
from survey.core.clocks import Reading
from survey.core.errors import SurveyError
from survey.core.mailings import Pace
from survey.core.retention import months_before
from survey.services import cycles, sign_ins
from survey.services.clocks import Kept
from survey.store.cycles import Cycle
from survey.store.keys import Keyring
from survey.store.mailings import time_zone_of
from survey.store.people import Person

EXTENSION = "survey"
COMPANY_ACCOUNTS = "company_accounts"
DOORBELLS = "survey.delivery.doorbells:Transport"
"""The way of doorbells, by its name: kombu loads it with the first one."""
PROGRAM = Path(__file__).resolve().parent
SIGN_IN = "sign_in"

log = structlog.get_logger()


class SignInNeeded(SurveyError):
    """The page is for people with an account, and nobody is signed in."""


@dataclass(frozen=True)
class Installation:
    """The parts that the app was wired together from."""

    engine: Engine
    write: sessionmaker[Session]
    read: sessionmaker[Session]
    look: sessionmaker[Session]
    step: sessionmaker[Session]
    keyring: Keyring
    clock: Callable[[], datetime]
    ring: Callable[[str], None]
    base_url: str
    company: str
    secure: bool
    pace: Pace
    metrics_token: str = field(default="", repr=False)
    invitations_kept: timedelta = timedelta(days=30)
    reports_kept_months: int = 24
    uptime: Callable[[], tuple[str, timedelta]] = lambda: ("", timedelta(0))


def installation() -> Installation:
    """The parts of the running app."""
    return cast(Installation, current_app.extensions[EXTENSION])


def transaction() -> AbstractContextManager[Session]:
    """One unit of work: committed at its end, rolled back on any exception."""
    return installation().write.begin()


def reading() -> AbstractContextManager[Session]:
    """A session that only reads; on SQLite it waits for no writer."""
    return installation().read.begin()


def looking() -> AbstractContextManager[Session]:
    """A session that only reads, each statement by itself: for pages that many open at once."""
    return installation().look.begin()


def one_step() -> AbstractContextManager[Session]:
    """One unit of work that is a single statement on PostgreSQL, without the trips for a transaction around it."""
    return installation().step.begin()


def now() -> datetime:
    """The time, in UTC. The one clock of the program."""
    return installation().clock()


def clock_reading() -> Reading:
    """The time, beside how long the machine has been up: a clock that jumps parts from it."""
    boot, uptime = installation().uptime()
    return Reading(now(), boot, uptime)


def kept() -> Kept:
    """From when on things are kept, as the settings say."""
    parts = installation()
    today = now().astimezone(parts.pace.home)
    return Kept(now() - parts.invitations_kept, months_before(today, parts.reports_kept_months))


def zone() -> tzinfo:
    """The time zone of whoever is signed in: their own, or that of the installation."""
    person, home = account(), installation().pace.home
    return time_zone_of(person, home) if person else home


@cache
def time_zones() -> Mapping[str, str]:
    """The names of all time zones that this machine knows, by themselves in lower case."""
    return {zone.lower(): zone for zone in sorted(zoneinfo.available_timezones())}


def wake(task: str) -> None:
    """Rings the doorbell of a task, after a commit. Nothing is lost when nobody hears it: the next sweep looks."""
    try:
        installation().ring(task)
    except Exception as error:
        log.warning("doorbell_failed", task=task, error=type(error).__name__)


def described(error: Exception) -> str:
    """The kind of an error and the line of code that met it; never its text, which may hold what somebody wrote."""
    lines = traceback.extract_tb(error.__traceback__)
    own = [line for line in lines if Path(line.filename).is_relative_to(PROGRAM)]
    line = (own or lines)[-1]
    return f"{type(error).__name__} at {Path(line.filename).name}:{line.lineno}"


def account() -> Person | None:
    """Who is signed in, looked up once per request."""
    if "account" not in g:
        secret = session.get(SIGN_IN)
        g.account = None
        if isinstance(secret, str):
            with reading() as rows:
                g.account = sign_ins.who(rows, secret, now=now())
    return cast("Person | None", g.account)


def let_in(secret: str) -> Response:
    """Signs this browser in, and leads to the page that was wanted before."""
    target = path_on_this_site(session.get("next"))
    session.clear()
    session[SIGN_IN] = secret
    return redirect(target, 303)


def path_on_this_site(target: str | None) -> str:
    """The target if it is a path on this site, and the start page otherwise."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")) or "\\" in target:
        return "/"
    return target if target.isprintable() else "/"


def signed_in() -> Person:
    """Who is signed in. Raises `SignInNeeded` when nobody is."""
    person = account()
    if person is None:
        raise SignInNeeded("Please sign in first.")
    return person


def permit(action: Action, *standing: Standing) -> Person:
    """The person who is signed in, if the access table lets them do this. Raises `SignInNeeded`, `NotAllowed`."""
    person = signed_in()
    access.check(action, Role(person.role), frozenset(standing))
    return person


def may(action: Action) -> bool:
    """Whether whoever is signed in may do this to anything, however they stand to it."""
    return access.is_allowed(action, Role(signed_in().role))


def runnable(rows: Session, cycle_id: uuid.UUID) -> Cycle:
    """The round, if whoever is signed in may run it. Raises `NotFound`, `SignInNeeded`, `NotAllowed`."""
    row = cycles.get(rows, cycle_id)
    standing = {Standing.LAUNCHED} if row.launcher_id == signed_in().id else set()
    permit(Action.RUN_CYCLE, *standing)
    return row


View = TypeVar("View", bound=Callable[..., Any])


def needs(action: Action) -> Callable[[View], View]:
    """Marks a page with the action that it stands for. A page with no mark is shown to nobody.

    Pages about one cycle, review or report look at the object too, and call `permit` with its standing.
    """

    def mark(view: View) -> View:
        view.action = action  # type: ignore[attr-defined]
        return view

    return mark


def public(view: View) -> View:
    """Marks a page that needs no account: the sign-in, and what a rater's link opens."""
    view.action = None  # type: ignore[attr-defined]
    return view
