"""What an inspection says: what was tried, on how much, and what was found. Counts and names of tables, no people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What came of a look."""

    HOLDS = "holds"
    FOUND = "FOUND"
    NOT_SEEN = "not seen"


@dataclass(frozen=True)
class Look:
    """One attack that was tried on the installation as it is.

    `attack` is its number in docs/threat-model.md, `on` says what was looked at and how much of it. `found` holds a
    phrase per finding; `obstacle` is the sentence that says why nothing could be looked at, or empty. `said` is what is
    worth knowing where the promise holds.
    """

    attack: str
    tried: str
    on: str
    found: tuple[str, ...] = ()
    obstacle: str = ""
    said: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether the promise held."""
        if self.found:
            return Verdict.FOUND
        return Verdict.NOT_SEEN if self.obstacle else Verdict.HOLDS


def count(number: int, thing: str) -> str:
    """The number and the thing, in the plural where that is right: `1 row`, `2 rows`, `2 boxes`, `2 copies`."""
    if number == 1:
        return f"1 {thing}"
    if thing[-1] == "y" and thing[-2] not in "aeiou":
        return f"{number:,} {thing[:-1]}ies"
    return f"{number:,} {thing}{'es' if thing[-1] in 'sx' else 's'}"


def plain_key(key: object) -> str:
    """A key as both databases would write it in plain, whatever type somebody gave its column."""
    return str(key).replace("-", "")
