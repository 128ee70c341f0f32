"""Days: one rule for all of them. A day of a round is a day where the company is; it ends at midnight there.

Whoever lives elsewhere is told the moment in their own zone, which is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from survey.core.errors import BadInput

LAST_YEAR = 2999
ONE_DAY = timedelta(days=1)
A_MOMENT = timedelta(seconds=1)
"""What lies between the last moment of a day and its end."""


def zone_name(zone: tzinfo) -> str:
    """The name under which a zone is kept; UTC for one that has none."""
    return zone.key if isinstance(zone, ZoneInfo) else "UTC"


def local_day(moment: datetime, zone: tzinfo) -> date:
    """The day that it is in this zone."""
    return moment.astimezone(zone).date()


def end_of(day: date, zone: tzinfo) -> datetime:
    """The moment at which a day ends in this zone, in UTC: one second before, it is still that day.

    Midnight may come twice there, when clocks are set back, or not at all. Raises `BadInput` for a day so far away
    that the calendar ends.
    """
    if day.year > LAST_YEAR:
        raise BadInput(f"Please choose a day no later than in the year {LAST_YEAR}.")
    following = day + ONE_DAY
    # Of two midnights the second one ends the day, if what lies before it still belongs to the day.
    first, second = (at_hour(following, time(0, fold=fold), zone) for fold in (0, 1))
    return second if second > first and local_day(second - A_MOMENT, zone) == day else first


def start_of(day: date, zone: tzinfo) -> datetime:
    """The moment at which a day begins in this zone, in UTC: where the day before it ends."""
    return end_of(day - ONE_DAY, zone)


def at_hour(day: date, hour: time, zone: tzinfo) -> datetime:
    """This hour of a day in this zone, in UTC."""
    return datetime.combine(day, hour, zone).astimezone(UTC)


def last_day(closes_at: datetime, zone: tzinfo) -> date:
    """The last day on which an answer counts, for what ends at this moment."""
    return local_day(closes_at - A_MOMENT, zone)


def days_left(closes_at: datetime, zone: tzinfo, now: datetime) -> int:
    """How many midnights lie before the last day: 0 on the last day itself, and after it."""
    return max(0, (last_day(closes_at, zone) - local_day(now, zone)).days)


def in_words(day: date) -> str:
    """A day as people read it: "Tuesday 10 March 2026"."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def without_year(day: date) -> str:
    """A day of these weeks as people read it: "Tuesday 10 March"."""
    return f"{day:%A} {day.day} {day:%B}"


def place(zone: tzinfo) -> str:
    """A zone as people read it: "Los Angeles time"."""
    name = zone_name(zone)
    if name.startswith("Etc/") or "/" not in name:
        return name
    return f"{name.rpartition('/')[2].replace('_', ' ')} time"


def is_elsewhere(moment: datetime, zone: tzinfo, theirs: tzinfo) -> bool:
    """Whether clocks in these two zones differ at this moment."""
    return moment.astimezone(zone).utcoffset() != moment.astimezone(theirs).utcoffset()


def moment_in_words(moment: datetime, zone: tzinfo) -> str:
    """A moment as people in this zone read it, with the zone: "Tuesday 10 March 2026, 20:00 (Auckland time)"."""
    at = moment.astimezone(zone)
    return f"{in_words(at.date())}, {at:%H:%M} ({place(zone)})"


def day_of(moment: datetime, zone: tzinfo, theirs: tzinfo) -> str:
    """The day on which something happens in `zone`, for a reader in `theirs`: the moment, where clocks differ."""
    if is_elsewhere(moment, zone, theirs):
        return moment_in_words(moment, theirs)
    return in_words(local_day(moment, zone))


@dataclass(frozen=True)
class End:
    """The end of a round that is `of` one zone, as somebody reads it who is in `theirs`."""

    closes_at: datetime
    of: tzinfo
    theirs: tzinfo

    @property
    def is_elsewhere(self) -> bool:
        """Whether the last day does not end at the reader's midnight."""
        return is_elsewhere(self.closes_at, self.of, self.theirs)

    @property
    def zone(self) -> tzinfo:
        """The zone in which this reader counts days."""
        return self.theirs if self.is_elsewhere else self.of

    @property
    def last_day(self) -> date:
        """The last day on which the reader can answer, for part of it at least."""
        return last_day(self.closes_at, self.zone)

    def days_left(self, now: datetime) -> int:
        """The reader's days before the last one."""
        return days_left(self.closes_at, self.zone, now)

    @property
    def words(self) -> str:
        """Until when: a day, or a moment with its zone where the day does not end at the reader's midnight."""
        if not self.is_elsewhere:
            return in_words(self.last_day)
        at = self.closes_at.astimezone(self.theirs)
        hour = "midnight" if at.time() == time.min else f"{at:%H:%M}"
        return f"{in_words(self.last_day)}, {hour} ({place(self.theirs)})"
