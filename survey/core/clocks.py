"""Whether the clock can be believed: what cannot be undone asks twice where it may have jumped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

TOLERANCE = timedelta(days=1)
"""Two clocks of one machine may drift apart by this, and a clock may be set back by it: far more than NTP ever does."""


class Sweeps(StrEnum):
    """What looks at what is due, by how it trusts the clock; `label` is what it does."""

    STEPS = "steps"
    DELETIONS = "deletions"

    @property
    def longest_pause(self) -> timedelta:
        """How long a machine may have been off, so that what fell due meanwhile is still done without asking.

        Who opened a round for two weeks wants it closed, even late. What is deleted can wait for a word.
        """
        return _PAUSES[self]


_PAUSES = {Sweeps.STEPS: timedelta(days=45), Sweeps.DELETIONS: timedelta(days=4)}


@dataclass(frozen=True)
class Reading:
    """What the clocks of a machine say at one moment: the time, and how long it has been up since which boot.

    Where the machine does not say, `boot` is empty.
    """

    at: datetime
    boot: str = ""
    uptime: timedelta = timedelta(0)


def is_believed(sweeps: Sweeps, last: Reading | None, now: Reading) -> bool:
    """Whether sweeps of this kind may do by themselves what is due now, when they last looked then.

    Not where the clock went back by more than `TOLERANCE`; nor where a machine that stayed up saw it jump by more than
    that; nor where nobody looked for longer than the machine may have been off.
    """
    if last is None:
        return True
    passed = now.at - last.at
    if passed < -TOLERANCE:
        return False
    is_same_boot = bool(now.boot) and now.boot == last.boot
    if is_same_boot and abs(passed - (now.uptime - last.uptime)) > TOLERANCE:
        return False
    return passed <= sweeps.longest_pause
