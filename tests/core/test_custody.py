"""Passphrases that are strong enough, and how long a pause is after wrong ones."""

from __future__ import annotations

from datetime import timedelta

import pytest

from survey.core import custody
from survey.core.custody import Holder
from survey.core.errors import BadInput

STRONG = "correct horse battery"


@pytest.mark.parametrize(
    ("passphrase", "reason"),
    [
        ("", "at least 12 characters"),
        ("eleven char", "at least 12 characters"),
        ("   eleven char   ", "at least 12 characters"),
        ("abababababababab", "at least 5 different"),
        ("long" * 300, "at most 1024"),
    ],
)
def test_a_weak_passphrase_is_refused_with_its_reason(passphrase, reason):
    with pytest.raises(BadInput, match=reason):
        custody.check_passphrase(passphrase)


def test_the_same_passphrase_from_another_keyboard_is_the_same():
    assert custody.check_passphrase("Größe und Güte\n") == custody.check_passphrase(" Gro\u0308ße und Gu\u0308te")


def test_two_custodians_have_two_different_passphrases():
    assert custody.check_passphrases([STRONG, "another one of us"], Holder.TWO) == (STRONG, "another one of us")
    with pytest.raises(BadInput, match="must differ"):
        custody.check_passphrases([STRONG, f"{STRONG} "], Holder.TWO)
    with pytest.raises(BadInput, match="every passphrase"):
        custody.check_passphrases([STRONG], Holder.TWO)


def test_five_guesses_are_free_and_then_the_pause_doubles_up_to_a_day():
    minutes = [custody.pause_after(guesses) / timedelta(minutes=1) for guesses in range(1, 9)]
    assert minutes == [0, 0, 0, 0, 1, 2, 4, 8]
    assert custody.pause_after(10**9) == timedelta(days=1)


@pytest.mark.parametrize(
    ("pause", "words"),
    [
        (timedelta(seconds=1), "1 minute"),
        (timedelta(seconds=61), "2 minutes"),
        (timedelta(minutes=60), "1 hour"),
        (timedelta(hours=23, minutes=1), "24 hours"),
    ],
)
def test_a_pause_is_said_in_words_and_never_too_short(pause, words):
    assert custody.wait_in_words(pause) == words
