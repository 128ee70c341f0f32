"""The life of a cycle: its phases, which step may follow which, and when reminders are due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from types import MappingProxyType

from survey.core import days
from survey.core.errors import BadInput, IllegalStep
from survey.core.relationships import ANONYMOUS, COLLEAGUES, Relationship


class Phase(StrEnum):
    """Where a cycle stands. Of an archived one the reports are deleted, because their time is over.

    One that is opening is on its way to open, review by review: nobody is mailed and nobody can answer yet.
    """

    DRAFT = "draft"
    NOMINATING = "nominating"
    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"
    TALLIED = "tallied"
    RELEASED = "released"
    ARCHIVED = "archived"

    @property
    def label(self) -> str:
        """The phase in a word for people."""
        return _LABELS[self]


_LABELS = {
    Phase.DRAFT: "Draft",
    Phase.NOMINATING: "Choosing raters",
    Phase.OPENING: "Being opened",
    Phase.OPEN: "Open",
    Phase.CLOSED: "Closed",
    Phase.TALLIED: "Counted",
    Phase.RELEASED: "Reports released",
    Phase.ARCHIVED: "Archived",
}

# A draft may be opened without more ado when its launcher has chosen the raters.
_NEXT: dict[Phase, frozenset[Phase]] = {
    Phase.DRAFT: frozenset({Phase.NOMINATING, Phase.OPENING}),
    Phase.NOMINATING: frozenset({Phase.OPENING}),
    # Until it is open, it can go back to where it was: nobody has been asked anything.
    Phase.OPENING: frozenset({Phase.OPEN, Phase.DRAFT, Phase.NOMINATING}),
    Phase.OPEN: frozenset({Phase.CLOSED}),
    Phase.CLOSED: frozenset({Phase.TALLIED}),
    # Reports are deleted when their time is over, also where nobody released them.
    Phase.TALLIED: frozenset({Phase.RELEASED, Phase.ARCHIVED}),
    Phase.RELEASED: frozenset({Phase.ARCHIVED}),
    Phase.ARCHIVED: frozenset(),
}

MINIMA = range(3, 11)
"""The minima k that a cycle may choose: below 3 one insider could subtract themselves and see one rater."""

NO_DAYS_OFF: Mapping[date, str] = MappingProxyType({})
"""The holidays where none are known."""

ATTEMPTS = 5
"""How often a worker may begin one piece of work: what ends each worker does so for ever."""

DEFAULT_MINIMUM = 4
DEFAULT_DURATION = timedelta(days=14)


@dataclass(frozen=True)
class Reminder:
    """One reminder of a cycle: `slot` names it once and for all, `due_at` is when it goes out (UTC)."""

    slot: str
    due_at: datetime


@dataclass(frozen=True)
class Warning:
    """What will go wrong if the cycle is launched as it is, and what to do about it.

    `mend` is the part of the set-up where that can be done; `subject` names whose review it is about, if one's.
    """

    message: str
    remedy: str
    mend: str = ""
    subject: str = ""


def step(phase: Phase, to: Phase) -> Phase:
    """`to`, if it may follow `phase`; raises `IllegalStep` with the reason otherwise."""
    if to in _NEXT[phase]:
        return to
    if to == phase:
        raise IllegalStep(f"This round is already: {phase.label.lower()}.")
    raise IllegalStep(f"This round is: {phase.label.lower()}. It cannot become “{to.label.lower()}” from there.")


def require(phase: Phase, *allowed: Phase) -> None:
    """Raises `IllegalStep` unless the cycle is in one of these phases."""
    if phase not in allowed:
        raise IllegalStep(f"This round is: {phase.label.lower()}. That cannot be done any more, or not yet.")


def check_minimum(k: int) -> int:
    """`k`, if a cycle may use it as its minimum; raises `BadInput` otherwise."""
    if k not in MINIMA:
        raise BadInput(f"The minimum must be between {MINIMA[0]} and {MINIMA[-1]} people.")
    return k


def check_end(opens_at: datetime, closes_at: datetime) -> datetime:
    """`closes_at`, if it leaves raters at least one day; raises `BadInput` otherwise."""
    if closes_at < opens_at + timedelta(days=1):
        raise BadInput("The end must be at least one day after the start, so that people have time to answer.")
    return closes_at


SLOTS = {
    "half-time": "at half time",
    "three-days": "three days before the last day",
    "one-day": "one day before the last day",
}
"""The reminders that a cycle may have, in words."""


def reminders(opens_at: datetime, closes_at: datetime, zone: tzinfo) -> tuple[Reminder, ...]:
    """The reminders of a cycle: at half time, and on the days that are three days and one day before the last one.

    Each is at least a day apart from the opening and from the others, and none after the end; at most three in all.
    Days are those of `zone`, where the cycle is.
    """
    last_day = days.last_day(closes_at, zone)
    planned = (
        Reminder("half-time", opens_at + (closes_at - opens_at) / 2),
        Reminder("three-days", days.start_of(last_day - timedelta(days=3), zone)),
        Reminder("one-day", days.start_of(last_day - timedelta(days=1), zone)),
    )
    kept: list[Reminder] = []
    last = opens_at
    for reminder in sorted(planned, key=lambda reminder: reminder.due_at):
        if reminder.due_at - last >= timedelta(days=1):
            kept.append(reminder)
            last = reminder.due_at
    return tuple(kept)


def warnings(subject: str, invited: dict[Relationship, int], k: int) -> tuple[Warning, ...]:
    """What will go wrong for this subject with so many raters invited per relationship, under the minimum `k`."""
    found = []
    anonymous = {group: invited.get(group, 0) for group in ANONYMOUS}
    merged = sum(anonymous[group] for group in COLLEAGUES if anonymous[group] < k)
    if not any(count >= k for count in anonymous.values()) and merged < k:
        found.append(
            (
                f"{subject}: {sum(anonymous.values())} people are asked in all; with fewer than {k} answers no "
                "figure can be shown.",
                f"Invite at least {k + 1} peers.",
            )
        )
    found += [
        (
            f"{subject}: {count} {group.plural.lower() if count != 1 else group.label} invited: this group can never "
            "be shown on its own.",
            _NEVER_POOLED if group is Relationship.OUTSIDE else _POOLED,
        )
        for group, count in anonymous.items()
        if 0 < count < k
    ]
    found += [
        (
            f"{subject}: exactly {count} {group.plural.lower()} invited; one who does not answer hides the group.",
            "Invite one or two more.",
        )
        for group, count in anonymous.items()
        if count == k
    ]
    if not invited.get(Relationship.SELF):
        found.append((f"{subject} is not asked for a self-assessment: there is nothing to compare with.", "Add it."))
    if not invited.get(Relationship.MANAGER):
        found.append((f"Nobody is asked as the manager of {subject}.", "Choose the manager among the raters."))
    return tuple(Warning(message, remedy, "raters", subject) for message, remedy in found)


def about_made_up(names: Sequence[str]) -> tuple[Warning, ...]:
    """A warning for people who work here and are counted as outside raters all the same."""
    return tuple(
        Warning(
            f"{name} is counted as an outside rater: somebody who sets this round up put them into the directory, or "
            "changed their address, after the round was begun or in the month before.",
            "Ask somebody else as well, or let another colleague of people operations set up the round.",
            "raters",
        )
        for name in names
    )


def about_waiting(names: Sequence[str]) -> tuple[Warning, ...]:
    """A warning for people of other companies who are not asked when the round is opened now."""
    return tuple(
        Warning(
            f"{name} is left out: nobody has vouched for them yet.",
            "Wait for the word of the person under review, or of people operations; both have a mail that asks for it.",
            "raters",
        )
        for name in names
    )


_POOLED = "It is counted among “others” if enough people answer; invite more, or leave it out."
_NEVER_POOLED = "Outside raters are never counted with colleagues, so nobody would read them; invite more, or none."


def about_the_end(day: date, days_off: Mapping[date, str] = NO_DAYS_OFF) -> Warning | None:
    """A warning for a last day on which few people work: a weekend, a holiday or the day before or after one.

    `days_off` are the holidays of the company, by name.
    """
    if day in days_off:
        return Warning(f"The last day to answer is a holiday: {days_off[day]}.", "Choose a working day.", "dates")
    if day.weekday() >= 5:
        return Warning(f"The last day to answer is a {day:%A}.", "Choose a working day.", "dates")
    for near, how in ((day + timedelta(days=1), "before"), (day - timedelta(days=1), "after")):
        if near in days_off:
            return Warning(
                f"The last day to answer is the day {how} a holiday: {days_off[near]}.",
                "Many may be away. Choose another working day.",
                "dates",
            )
    if (day.month, day.day) >= (12, 20) or (day.month, day.day) <= (1, 6):
        return Warning(
            f"The last day to answer, {day.day} {day:%B}, falls into the holidays of many.",
            "Choose a day before or after.",
            "dates",
        )
    return None


def weak_minimum(k: int) -> Warning | None:
    """A warning for a minimum that protects little."""
    if k >= DEFAULT_MINIMUM:
        return None
    return Warning(
        f"k = {k} gives weak protection: two raters who compare notes know the third.",
        f"Choose {DEFAULT_MINIMUM} or more.",
        "rules",
    )


UNTESTED = Warning(
    "Nobody has tested the passphrase of this round. It cannot be opened before.",
    "Test it: type it once more, and see that it opens the key.",
    "key",
)
"""A warning for custodians who could lose every answer to a slip of the hand."""
