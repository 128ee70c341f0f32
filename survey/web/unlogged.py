"""The paths that no log may hold: they carry a secret, or say which rater is at work and when.

What operators are told (docs/operations.md) and what browsers are told (the `Referrer-Policy`) both come from here.
"""

from __future__ import annotations

import re

FIRST_PARTS = ("r", "feedback", "stop", "sign-in", "address")
"""How these paths begin: mailed links, the pages of raters, the way out of reminders, links that sign in or confirm."""

PATTERN = f"^/({'|'.join(FIRST_PARTS)})(/|$)"
"""What finds them, written as nginx, Apache and Caddy read it too."""

_UNLOGGED = re.compile(PATTERN)


def is_unlogged(path: str) -> bool:
    """Whether no log may hold this path."""
    return _UNLOGGED.match(path) is not None


def referrer_policy(path: str) -> str:
    """What a browser may tell of the page at this path to those it asks next.

    The origin alone where the path must not be told: without it, forms sent over HTTPS would be refused as forged.
    """
    return "strict-origin" if is_unlogged(path) else "same-origin"
