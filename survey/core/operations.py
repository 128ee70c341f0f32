"""What an operator may know of the work that waits. Nothing in here changes when a rater does something."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """What is to be done, over the whole installation.

    Mails are those that should have been out a minute ago. `late_seconds` is how long the one that waits longest has
    been due, mail to raters left out: when one of those goes would say something about a rater. `rounds_unmailed` are
    rounds whose planned mail nobody has gathered for ten minutes: the worker does not work.
    """

    mails_due: int
    mails_failed: int
    late_seconds: float
    rounds_open: int
    rounds_unmailed: int
    reviews_uncounted: int
    reviews_objected: int
    rounds_locked: int
