"""When mail about waiting reviews may go to a person: once a working day, in their office hours, before the end.

Nothing in here knows whether somebody has answered: what is planned is the same for all who were asked.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from survey.core import cycles, days
from survey.core.days import at_hour, local_day, start_of

FIRST_HOUR = time(9)
LAST_HOUR = time(17)
WEEKEND = 5
"""The first day of the weekend, counted from Monday as 0."""

MARGIN = timedelta(hours=4)
"""A reminder that comes later than this before the end reaches nobody in time."""

CHOICES = 15
"""How many days a rater may choose from to be reminded on."""


class Slot(StrEnum):
    """Why a person is to be told of a round; each once."""

    OPENING = "opening"
    HALF_TIME = "half-time"
    THREE_DAYS = "three-days"
    ONE_DAY = "one-day"
    ASKED_FOR = "asked-for"  # on the day that the rater chose
    AGAIN = "again"  # after their address refused our mail

    @property
    def is_invitation(self) -> bool:
        """Whether it must reach the person in any case, rather twice than never."""
        return self in {Slot.OPENING, Slot.AGAIN}


LAST_DAYS = frozenset({Slot.THREE_DAYS, Slot.ONE_DAY})
"""The reminders that belong to the end of a round."""


@dataclass(frozen=True)
class Planned:
    """A mailing of one round to one person, not before `due_at` (UTC)."""

    slot: Slot
    due_at: datetime


@dataclass(frozen=True)
class Pace:
    """How an installation mails: the time zone of people who have none of their own, whether mail is held back, and the
    holidays by name, on which nobody is mailed.

    A demo holds nothing back, neither for office hours nor for the one mail a day.
    """

    home: tzinfo = UTC
    is_considerate: bool = True
    days_off: Mapping[date, str] = field(default_factory=dict, hash=False)

    def may_go_at(
        self, now: datetime, zone: tzinfo, *, last_day: date | None, until: datetime | None = None
    ) -> datetime:
        """The earliest moment from `now` on (UTC) at which mail may go to a person.

        `last_day` is the local day of the last mail to them, `until` the end of a round that has not been announced:
        a mail that would come after it goes out of hours instead, still on a day of its own.
        """
        if not self.is_considerate:
            return now
        moment = next_office_moment(now, zone, after=last_day, days_off=self.days_off)
        if until is None or moment < until:
            return moment
        return now if last_day is None or local_day(now, zone) > last_day else days.end_of(last_day, zone)

    def plan(
        self, opens_at: datetime, closes_at: datetime, zone: tzinfo, *, of: tzinfo | None = None
    ) -> tuple[Planned, ...]:
        """What a round that opens and closes then means to send to somebody in this zone: at most four mailings.

        Each mailing is on a working day of its own, in office hours. What would come too late, or on the day of the
        next one, because a weekend lies there, is moved to the morning of the working day before. `of` is the zone
        whose days the round has, by default that of the installation.
        """
        reminders = cycles.reminders(opens_at, closes_at, of or self.home)
        if not self.is_considerate:
            return (
                Planned(Slot.OPENING, opens_at),
                *(Planned(Slot(reminder.slot), reminder.due_at) for reminder in reminders),
            )
        opening = Planned(Slot.OPENING, self.may_go_at(opens_at, zone, last_day=None, until=closes_at))
        kept: list[Planned] = []
        latest = closes_at - MARGIN
        for reminder in reversed(reminders):
            moment = next_office_moment(reminder.due_at, zone, days_off=self.days_off)
            if moment > latest:
                moment = _morning_before(min(reminder.due_at, latest), zone, self.days_off)
            if local_day(opening.due_at, zone) < local_day(moment, zone) and moment <= latest:
                kept.insert(0, Planned(Slot(reminder.slot), moment))
                latest = start_of(local_day(moment, zone), zone) - days.A_MOMENT
        return (opening, *kept)


CONSIDERATE = Pace()
"""What holds where nothing else is said: office hours in UTC, one mail a day."""


def next_office_moment(
    moment: datetime, zone: tzinfo, *, after: date | None = None, days_off: Container[date] = ()
) -> datetime:
    """The earliest moment from this one on (UTC) that lies in office hours, on a local day later than `after`."""
    day = local_day(moment, zone)
    if after is not None and day <= after:
        day = after + timedelta(days=1)
    while not (is_working_day(day, days_off) and moment < at_hour(day, LAST_HOUR, zone)):
        day += timedelta(days=1)
    return max(moment.astimezone(UTC), at_hour(day, FIRST_HOUR, zone))


def is_office_hour(moment: datetime, zone: tzinfo, days_off: Container[date] = ()) -> bool:
    """Whether people in this zone are at work: from Monday to Friday, 9 to 17 o'clock, but for days off."""
    return next_office_moment(moment, zone, days_off=days_off) == moment


def is_working_day(day: date, days_off: Container[date] = ()) -> bool:
    """Whether people work on this day."""
    return day.weekday() < WEEKEND and day not in days_off


def morning_of(day: date, zone: tzinfo) -> datetime:
    """The first office hour of a day in this zone, in UTC."""
    return at_hour(day, FIRST_HOUR, zone)


def days_to_choose(
    now: datetime, closes_at: datetime, zone: tzinfo, days_off: Container[date] = ()
) -> tuple[date, ...]:
    """The days on which a rater may ask to be reminded: working days from tomorrow on, in time before the end."""
    today, last = local_day(now, zone), local_day(closes_at - MARGIN, zone)
    to_come = (today + timedelta(days=number) for number in range(1, (last - today).days + 1))
    in_time = (day for day in to_come if is_working_day(day, days_off) and morning_of(day, zone) <= closes_at - MARGIN)
    return tuple(day for day, _ in zip(in_time, range(CHOICES), strict=False))


def snoozed(pending: Sequence[Planned], day: date, zone: tzinfo) -> tuple[Planned, ...]:
    """The reminders that are left for somebody who asks to be reminded on this day: never more than there were, but
    always that one.
    """
    later = sorted((each for each in pending if local_day(each.due_at, zone) > day), key=lambda each: each.due_at)
    if len(later) == len(pending):
        later = later[1:]
    return (Planned(Slot.ASKED_FOR, morning_of(day, zone)), *later)


def next_reminder(pending: Sequence[Planned]) -> Planned | None:
    """What comes at once when a launcher has raters reminded now: the reminder that would come next anyway.

    None where no reminder is left, or an invitation is still on its way.
    """
    if any(each.slot.is_invitation for each in pending):
        return None
    return min(pending, key=lambda each: each.due_at, default=None)


def replanned(
    before: Sequence[Planned], after: Sequence[Planned], pending: Collection[Slot], *, is_later: bool, now: datetime
) -> tuple[Planned, ...]:
    """The reminders that somebody gets of a round whose end was moved, who has `pending` ones.

    `before` and `after` are the plans for the old end and the new one. What has not come up yet moves. A later end is
    a new promise: the reminders of its last days come, also where those of the old end have gone out; the one at half
    time comes only if it never did.
    """
    had = {planned.slot for planned in before}
    found = []
    for planned in after:
        if planned.slot.is_invitation:
            continue
        is_new = is_later and planned.due_at > now and (planned.slot in LAST_DAYS or planned.slot not in had)
        if planned.slot in pending or is_new:
            found.append(planned)
    return tuple(found)


@dataclass(frozen=True)
class Brought:
    """What came of having raters reminded now, from the plan alone: nothing of it depends on who has answered.

    `goes_at` are the moments at which their mails go, none where none goes; then `why_not` says why.
    """

    goes_at: tuple[datetime, ...] = ()
    why_not: str = ""

    @property
    def is_done(self) -> bool:
        """Whether a reminder goes out to whoever has not finished."""
        return bool(self.goes_at)

    def said(self, subject: str, now: datetime, zone: tzinfo) -> str:
        """What a launcher in this zone is told."""
        if not self.goes_at:
            return self.why_not
        reminder = f"The next reminder about {subject} goes out"
        if max(self.goes_at) <= now:
            return f"{reminder} now, to whoever has not finished."
        if min(self.goes_at) <= now:
            return f"{reminder} now where raters are at work, and elsewhere when office hours begin."
        return f"{reminder} in office hours, from {_when(min(self.goes_at), zone)} on, to whoever has not finished."


ALL_GONE = "All reminders of this round have gone out: none is left to bring forward. Nothing is sent."
NOT_INVITED = "The invitations have not all gone out yet. Reminders follow them; nothing more is sent now."
NOT_TODAY = (
    "Nothing is sent now: nobody gets more than one mail a day, and whoever chose another day to be reminded keeps it."
)


def about_the_opening(moment: datetime, now: datetime, zone: tzinfo, *, is_considerate: bool) -> str:
    """What a launcher in this zone is told of the invitations of a round that has just opened."""
    if not is_considerate:
        return "The invitations go out now."
    if moment <= now:
        return "The invitations go out now, or when office hours begin where people are."
    return f"The invitations go out in office hours, from {_when(moment, zone)} on."


def about_reminders(due: Sequence[datetime], now: datetime, zone: tzinfo) -> str:
    """What a launcher in this zone is told of the reminders of a round whose end was moved."""
    on = sorted({max(local_day(moment, zone), local_day(now, zone)) for moment in due})
    if not on:
        return "No reminder is left before it: whoever has not finished is not told by mail."
    words = ["today" if day == local_day(now, zone) else f"on {days.without_year(day)}" for day in on]
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"Whoever has not finished is reminded {listed}."


def _when(moment: datetime, zone: tzinfo) -> str:
    at = moment.astimezone(zone)
    return f"{days.without_year(at.date())}, {at:%H:%M},"


def _morning_before(moment: datetime, zone: tzinfo, days_off: Container[date]) -> datetime:
    day = local_day(moment, zone)
    while not (is_working_day(day, days_off) and at_hour(day, FIRST_HOUR, zone) <= moment):
        day -= timedelta(days=1)
    return at_hour(day, FIRST_HOUR, zone)
