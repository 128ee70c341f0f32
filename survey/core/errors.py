"""The situations in which a rule says no. The text of each error is a sentence for the person who met it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class SurveyError(Exception):
    """A rule was broken; `str(error)` tells the person what to do about it."""


class NotFound(SurveyError):
    """There is no such thing, or not for this person: both look the same from outside."""


class NotAllowed(SurveyError):
    """The person is known, and the access table says no."""


class IllegalStep(SurveyError):
    """The cycle is in a phase in which this cannot happen."""


CLOSED = (
    "This link does not open anything, or not any more. If you have answered, thank you: we have your answers. If "
    "not, look for the newest mail from us, or ask whoever started the round."
)


class LinkClosed(SurveyError):
    """A rater's link that opens nothing: wrong, used, or of a cycle that has ended. Never says which."""


class BadInput(SurveyError):
    """What was typed or uploaded cannot be used, and nothing of it was."""


class Incomplete(SurveyError):
    """Answers with gaps; `gaps` holds the keys of the items without an answer, in the order of the form."""

    def __init__(self, message: str, gaps: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.gaps = tuple(gaps)


class ProblemLike(Protocol):
    """What a refused page says about one of its lines."""

    @property
    def line(self) -> int:
        """The number of the line, from 1."""

    @property
    def message(self) -> str:
        """The reason, as a sentence."""


class BadPage(SurveyError):
    """A text that is not a competency page; `problems` holds each line with its reason."""

    def __init__(self, problems: Sequence[ProblemLike]) -> None:
        super().__init__(" ".join(f"Line {problem.line}: {problem.message}" for problem in problems))
        self.problems = tuple(problems)


class Unsafe(SurveyError):
    """The auditor found that what was about to be published could isolate a rater."""


class KeyMissing(SurveyError):
    """The private key of a cycle is not where it should be, or is readable by others."""


class KeysElsewhere(KeyMissing):
    """The directory of keys is not that of this installation; nothing is made, counted or destroyed in it."""


class CopyOfKeys(KeysElsewhere):
    """The directory of keys is a copy: another one is used by now."""


class KeysExposed(SurveyError):
    """The directory of keys is where others could read it; nothing is started."""


class BadBackup(SurveyError):
    """A backup that cannot be made, read or restored; nothing was changed."""


class WrongPassphrase(SurveyError):
    """What was typed does not open a wrapped key. Never says which of two passphrases it was."""


class TooManyGuesses(SurveyError):
    """Passphrases were guessed too often; the sentence says how long nobody may guess."""
