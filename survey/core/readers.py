"""Who may read a report beside its subject: settled at its release, and from then on the subject's word alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

from survey.core import teams


class Word(StrEnum):
    """How somebody stands to a report about somebody else."""

    SETTLED = "settled"  # a manager when the round opened, and still at the release
    ASKED = "asked"  # a later manager, who waits for the subject's word
    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"  # could read, until the subject took it back

    @property
    def may_read(self) -> bool:
        """Whether the report opens."""
        return self in READING


READING = frozenset({Word.SETTLED, Word.GIVEN})
"""Those who may read now."""

HAVE_READ = READING | {Word.WITHDRAWN}
"""Those who may remember what the report says."""


def settled(subject: str, at_opening: Collection[str] | None, reports_to: Mapping[str, str | None]) -> tuple[str, ...]:
    """Those above the subject at the release who were above them when the round opened, from the top down.

    Whoever becomes a manager while the round runs is none of them: otherwise one edit would open the report. Of a
    round from before teams were fixed nothing is known of the opening, and those at the release stand for both.
    """
    above: Sequence[str] = teams.path(subject, reports_to)
    return tuple(one for one in above if at_opening is None or one in at_opening)


def may_take_back(word: Word, *, is_manager: bool) -> bool:
    """Whether the subject can end this: what they gave, and what a former manager was settled to read."""
    return word is Word.GIVEN or (word is Word.SETTLED and not is_manager)
