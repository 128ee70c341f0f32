"""The last days to answer as a calendar, for whoever wants to plan the minutes. Holds no link, and no one's name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from icalendar import Calendar, Event

from survey.core.letters import CyclePart


class _Day(NamedTuple):
    uid: str
    round: str
    last: date


def deadlines(parts: Iterable[CyclePart], *, company: str, domain: str, now: datetime) -> str:
    """An all-day event per round, as iCalendar text. A later mail of the same round replaces the event."""
    days = tuple(_Day(f"{part.cycle_id.hex}@{domain}", part.cycle, part.last_day) for part in parts)
    # To the minute, so that it is written once for all who are told of the same rounds.
    return _calendar(days, company, now.replace(second=0, microsecond=0))


@lru_cache(maxsize=64)
def _calendar(days: tuple[_Day, ...], company: str, now: datetime) -> str:
    calendar = Calendar()
    calendar.add("prodid", "-//Seek Feedback//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for day in days:
        event = Event()
        event.add("uid", day.uid)
        event.add("dtstamp", now)
        event.add("dtstart", day.last)
        event.add("dtend", day.last + timedelta(days=1))
        event.add("summary", f"Last day to give your view: {day.round}")
        event.add("description", f"The link is in the mail from Seek Feedback at {company}.")
        event.add("transp", "TRANSPARENT")
        calendar.add_component(event)
    return bytes(calendar.to_ical()).decode()
