"""Withholding a comment: when it can be done, and the reasons that may be given for it."""

from __future__ import annotations

import re
from enum import StrEnum

from survey.core.cycles import Phase
from survey.core.errors import BadInput, IllegalStep

LONGEST_EXPLANATION = 500
QUOTED_FROM = 4
"""So many words of a comment in a row are a quotation; fewer may well be the same by chance."""


class Reason(StrEnum):
    """Why a comment is withheld."""

    ABUSE = "abuse"
    NAMES = "names"
    PRIVATE = "private"
    CONFIDENTIAL = "confidential"
    UNLAWFUL = "unlawful"
    OTHER = "other"

    @property
    def label(self) -> str:
        """The reason in words for people."""
        return _LABELS[self]


_LABELS = {
    Reason.ABUSE: "It is abusive, or is about the person instead of their work",
    Reason.NAMES: "It says who wrote it, or names somebody else",
    Reason.PRIVATE: "It tells something private, such as health, family or belief",
    Reason.CONFIDENTIAL: "It gives away something confidential",
    Reason.UNLAWFUL: "It may be against the law, such as a threat or discrimination",
    Reason.OTHER: "Another reason, in the words below",
}


def check_phase(phase: Phase) -> None:
    """Raises `IllegalStep` unless the round is counted and its reports have not been released."""
    if phase in {Phase.RELEASED, Phase.ARCHIVED}:
        raise IllegalStep(
            "The reports of this round have been released. A comment can be withheld only before anybody has read it."
        )
    if phase is not Phase.TALLIED:
        raise IllegalStep("Comments can be looked through when the round has closed and everything is counted.")


def check_reason(reason: Reason, explanation: str, text: str) -> str:
    """The explanation as it will stand in the audit log, beside the reason for withholding this `text`.

    Raises `BadInput` when it is missing where only it says why, too long, or repeats the comment: the log is never
    changed, and what was deleted must not live on in it.
    """
    explanation = " ".join(explanation.split())
    if reason is Reason.OTHER and not explanation:
        raise BadInput("Please say in your own words why this comment is withheld.")
    if len(explanation) > LONGEST_EXPLANATION:
        raise BadInput(f"Please be brief: at most {LONGEST_EXPLANATION} characters.")
    if _quotes(explanation, text):
        raise BadInput("Your words repeat the comment, and would keep it in the audit log. Please describe it instead.")
    return explanation


def _quotes(explanation: str, text: str) -> bool:
    said, comment = _words(explanation), _words(text)
    length = min(QUOTED_FROM, len(comment))
    runs = {tuple(comment[start : start + length]) for start in range(len(comment) - length + 1)} if length else set()
    return any(tuple(said[start : start + length]) in runs for start in range(len(said) - length + 1))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())
