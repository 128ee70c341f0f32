"""The last days to answer as a calendar, for whoever wants to plan the minutes. Holds no link, and no one's name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from icalendar import Calendar, Event

from survey.core.letters import CyclePart


def deadlines(parts: Iterable[CyclePart], *, company: str, domain: str, now: datetime) -> str:
    """An all-day event per round, as iCalendar text. A later mail of the same round replaces the event."""
    calendar = Calendar()
    calendar.add("prodid", "-//Seek Feedback//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for part in parts:
        event = Event()
        event.add("uid", f"{part.cycle_id.hex}@{domain}")
        event.add("dtstamp", now)
        event.add("dtstart", part.last_day)
        event.add("dtend", part.last_day + timedelta(days=1))
        event.add("summary", f"Last day to give your view: {part.cycle}")
        event.add("description", f"The link is in the mail from Seek Feedback at {company}.")
        event.add("transp", "TRANSPARENT")
        calendar.add_component(event)
    return bytes(calendar.to_ical()).decode()
