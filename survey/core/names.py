"""How names are compared: as people look for them and as they stand in a list, whatever keys they were typed with.

The same on every database, because no database is asked: what is compared is kept beside each name.
"""

from __future__ import annotations

import unicodedata

APOSTROPHES = "'’‘‛ʼʻʽʹˈ`´′＇‵ꞌ՚׳״"
"""All that people type, or programs put, where a name has an apostrophe. Some write none."""

DASHES = "‐‑‒–—―−﹣－"
"""All that stand where a name has a hyphen."""

TATWEEL = "ـ"
"""Draws an Arabic word out, and is no letter."""

_PLAIN = str.maketrans(
    dict.fromkeys(APOSTROPHES)
    | dict.fromkeys(DASHES, "-")
    # Letters with a stroke, a hook or no dot, which are one sign and no letter with a mark.
    | {"ı": "i", "ȷ": "j", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "þ": "th", "ŋ": "n", "ĸ": "k"}
    | {"æ": "ae", "œ": "oe", "ƒ": "f", "ɓ": "b", "ɗ": "d", "ɨ": "i", "ə": "e", "ǝ": "e"}
)


def folded(name: str) -> str:
    """The name without letter case, marks, apostrophes and signs that cannot be seen, each blank one blank."""
    plain = unicodedata.normalize("NFKD", name.translate(_PLAIN)).casefold()
    # What casefolding makes may be taken apart once more.
    plain = unicodedata.normalize("NFKD", plain).translate(_PLAIN)
    letters = "".join(letter for letter in plain if not _is_left_out(letter))
    return " ".join(letters.split())


def words(typed: str) -> list[str]:
    """What to look for in folded names: each must stand somewhere. None where nothing but marks was typed."""
    return folded(typed.replace("\0", " ")).split()


def fits(typed: str, name: str) -> bool:
    """Whether somebody who types this means this name, or a part of it."""
    there = folded(name)
    return all(word in there for word in words(typed))


def in_order(name: str) -> tuple[str, str]:
    """The key by which names are sorted: as they are folded, and then as they are written."""
    return folded(name), name


def _is_left_out(letter: str) -> bool:
    """Marks on letters, and signs that cannot be seen. Vowels that other scripts write as signs stay."""
    return unicodedata.combining(letter) != 0 or letter == TATWEEL or unicodedata.category(letter) == "Cf"
