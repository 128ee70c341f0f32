"""Who holds the key of a round: the server, or people with a passphrase. The rules for passphrases and for guesses."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum

from survey.core.errors import BadInput

SHORTEST = 12
LONGEST = 1024
"""Characters that a passphrase has at least and at most."""

DIFFERENT = 5
"""Different characters that a passphrase has at least."""

FREE_GUESSES = 5
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(days=1)


class Holder(StrEnum):
    """Who can open the envelopes of a round when it has closed."""

    SERVER = "server"
    ONE = "one"
    TWO = "two"

    @property
    def passphrases(self) -> int:
        """How many passphrases it takes, all of them together."""
        return _PASSPHRASES[self]

    @property
    def label(self) -> str:
        """The choice in a sentence for people."""
        return _LABELS[self]

    @staticmethod
    def of(passphrases: int) -> Holder:
        """Who holds a key that takes so many passphrases."""
        return next(holder for holder in Holder if holder.passphrases == passphrases)


_PASSPHRASES = {Holder.SERVER: 0, Holder.ONE: 1, Holder.TWO: 2}
_LABELS = {
    Holder.SERVER: "The server. It counts by itself when the round closes.",
    Holder.ONE: "One custodian. Their passphrase is asked for when the round has closed.",
    Holder.TWO: "Two custodians. Both passphrases are needed; one alone opens nothing.",
}


def normalised(passphrase: str) -> str:
    """The passphrase as every keyboard types it: composed characters, nothing around it."""
    return unicodedata.normalize("NFKC", passphrase).strip()


def check_passphrase(passphrase: str) -> str:
    """The normalised passphrase, if it is strong enough; raises `BadInput` otherwise."""
    plain = normalised(passphrase)
    if len(plain) < SHORTEST:
        raise BadInput(f"A passphrase needs at least {SHORTEST} characters. Four or five words are easy to keep.")
    if len(plain) > LONGEST:
        raise BadInput(f"A passphrase may have at most {LONGEST} characters.")
    if len(set(plain)) < DIFFERENT:
        raise BadInput(f"A passphrase needs at least {DIFFERENT} different characters.")
    return plain


def check_passphrases(passphrases: Sequence[str], holder: Holder) -> tuple[str, ...]:
    """The normalised passphrases, if they are as many as the holder needs, strong and different; else `BadInput`."""
    plain = tuple(check_passphrase(passphrase) for passphrase in passphrases)
    if len(plain) != holder.passphrases:
        raise BadInput("Please type every passphrase.")
    if len(set(plain)) != len(plain):
        raise BadInput("The two passphrases must differ: each belongs to one person alone.")
    return plain


def pause_after(guesses: int) -> timedelta:
    """How long nobody may guess after so many wrong guesses in a row: the first five are free, then it doubles."""
    if guesses < FREE_GUESSES:
        return timedelta(0)
    doublings = min(guesses - FREE_GUESSES, 16)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def wait_in_words(pause: timedelta) -> str:
    """How long a pause still is, rounded up, for people."""
    minutes = max(1, -(-int(pause.total_seconds()) // 60))
    if minutes < 60:
        return f"{minutes} minute{'s' if minutes != 1 else ''}"
    hours = -(-minutes // 60)
    return f"{hours} hour{'s' if hours != 1 else ''}"
