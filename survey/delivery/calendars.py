"""The last days to answer as a calendar, for whoever wants to plan the minutes. Holds no link, and no one's name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from survey.core.days import End
from survey.core.letters import CyclePart

if TYPE_CHECKING:
    from icalendar import Event

LAST_CALL = timedelta(hours=1)


class _Deadline(NamedTuple):
    uid: str
    round: str
    end: End


def deadlines(parts: Iterable[CyclePart], *, company: str, domain: str, now: datetime) -> str:
    """An event per round, as iCalendar text: all day, or the last hour where the day does not end at midnight.

    A later mail of the same round replaces the event.
    """
    ends = tuple(_Deadline(f"{part.cycle_id.hex}@{domain}", part.cycle, part.end) for part in parts)
    # To the minute, so that it is written once for all who are told of the same rounds.
    return _calendar(ends, company, now.replace(second=0, microsecond=0))


@lru_cache(maxsize=64)
def _calendar(deadlines: tuple[_Deadline, ...], company: str, now: datetime) -> str:
    # Only the worker writes mails, and few commands.
    from icalendar import Calendar, Event  # noqa: PLC0415

    calendar = Calendar()
    calendar.add("prodid", "-//Seek Feedback//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for deadline in deadlines:
        event = Event()
        event.add("uid", deadline.uid)
        event.add("dtstamp", now)
        _add_time(event, deadline.end)
        event.add("summary", f"Last day to give your view: {deadline.round}")
        event.add("description", f"The link is in the mail from Seek Feedback at {company}.")
        event.add("transp", "TRANSPARENT")
        calendar.add_component(event)
    return bytes(calendar.to_ical()).decode()


def _add_time(event: Event, end: End) -> None:
    if end.is_elsewhere:
        event.add("dtstart", end.closes_at - LAST_CALL)
        event.add("dtend", end.closes_at)
        return
    event.add("dtstart", end.last_day)
    event.add("dtend", end.last_day + timedelta(days=1))
