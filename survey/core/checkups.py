"""What `survey doctor` found: one finding per thing that it looked at, with what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

CLOCKS_MAY_DIFFER = timedelta(seconds=5)
LEAST_SPACE = 512 * 1024 * 1024
LITTLE_SPACE = 2 * 1024 * 1024 * 1024


class Health(StrEnum):
    """How something is."""

    WELL = "well"
    WARNING = "look"  # it works, and somebody should look at it
    ILL = "ill"


@dataclass(frozen=True)
class Finding:
    """One line of the table. `remedy` is a sentence that says what to do; empty where all is well."""

    looked_at: str
    health: Health
    found: str
    remedy: str = ""


def clock(looked_at: str, difference: timedelta) -> Finding:
    """What to say of another clock that is so far from the program's."""
    seconds = abs(difference.total_seconds())
    if seconds <= CLOCKS_MAY_DIFFER.total_seconds():
        return Finding(looked_at, Health.WELL, "the clocks agree")
    return Finding(
        looked_at,
        Health.ILL,
        f"the clocks differ by {seconds:.0f} seconds",
        "Let both machines keep time by NTP; mails, ends and links depend on it.",
    )


def sweeps(waiting: Sequence[str]) -> Finding:
    """What to say of work that waits because the clock may have jumped."""
    if not waiting:
        return Finding("clock of the program", Health.WELL, "goes on evenly; nothing waits")
    return Finding(
        "clock of the program",
        Health.ILL,
        f"may have jumped; waits to {'; to '.join(waiting)}",
        "If the time is right, run `survey clock --accept`. If not, put it right; then everything goes on by itself.",
    )


def space(looked_at: str, free: int) -> Finding:
    """What to say of so many free bytes."""
    found = f"{free / 1024**3:.1f} GiB free"
    if free < LEAST_SPACE:
        return Finding(looked_at, Health.ILL, found, "Free some space now: answers cannot be saved on a full disk.")
    if free < LITTLE_SPACE:
        return Finding(looked_at, Health.WARNING, found, "Free some space soon, or give it a larger disk.")
    return Finding(looked_at, Health.WELL, found)


def secret(length: int, different: int) -> Finding:
    """What to say of a secret key of so many characters, so many of them different."""
    if different < 12:
        return Finding(
            "secret key",
            Health.WARNING,
            f"{length} characters, {different} of them different",
            "Make one at random, and name the old one in SURVEY_SECRET_KEY_FALLBACKS so that sessions stay.",
        )
    return Finding("secret key", Health.WELL, f"{length} characters")
