"""The audit log, for people operations."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from survey import context
from survey.context import needs
from survey.core.access import Action
from survey.core.audit import UNREADABLE, Entry, Event
from survey.services import audit

pages = Blueprint("audit", __name__, url_prefix="/log")

AT_ONCE = 50
GONE = "Not here any more"
SOMEBODY = "Somebody who is not here any more"
PROGRAM = "The program"
EVERYTHING = "The whole installation"


@dataclass(frozen=True)
class Line:
    """An entry in words. `at` is None when it cannot be read."""

    number: int
    at: datetime | None
    who: str
    what: str
    about: str
    detail: tuple[tuple[str, str], ...]


@pages.get("")
@needs(Action.SEE_AUDIT)
def index() -> ResponseReturnValue:
    """What was done, the newest first, and whether the log is whole."""
    context.permit(Action.SEE_AUDIT)
    before = request.args.get("before", type=_number)
    asked = request.args.get("event", "")
    event = Event(asked) if asked in list(Event) else None
    with context.reading() as session:
        # One more than is shown says whether there are older ones.
        entries = audit.newest(session, limit=AT_ONCE + 1, before=before, event=event)
        shown = entries[:AT_ONCE]
        ids = {entry.about for entry in shown} | {entry.actor_id for entry in shown if entry.actor_id}
        names = audit.names(session, ids)
        # Older pages leave this out: it reads everything.
        verdict = audit.verify(session) if before is None else None
    return render_template(
        "audit/index.html",
        lines=[_line(entry, names) for entry in shown],
        events=list(Event),
        event=event,
        before=before,
        older=shown[-1].number if len(entries) > AT_ONCE else None,
        verdict=verdict,
    )


_NAMELESS: Mapping[str, str] = {
    Event.PEOPLE_CHANGED: SOMEBODY,
    Event.PERSON_ERASED: SOMEBODY,
    Event.RESTORED: EVERYTHING,
    Event.CLOCK_ACCEPTED: EVERYTHING,
}
"""What an entry is about where that has no name."""


def _number(text: str) -> int:
    """The number of an entry. Raises ValueError for what the database could not compare with one."""
    number = int(text)
    if not 0 < number < 2**31:
        raise ValueError(text)
    return number


def _line(entry: Entry, names: Mapping[uuid.UUID, str]) -> Line:
    if entry.event == UNREADABLE:
        return Line(entry.number, None, "", "This entry cannot be read", "", ())
    who = names.get(entry.actor_id, SOMEBODY) if entry.actor_id else PROGRAM
    gone = _NAMELESS.get(entry.event, GONE)
    # Whatever stands in the row was perhaps not written by this program.
    detail = entry.detail.items() if isinstance(entry.detail, dict) else ()
    return Line(
        entry.number,
        entry.at,
        who,
        entry.label,
        names.get(entry.about, gone),
        tuple((str(term).capitalize(), str(value)) for term, value in detail),
    )
