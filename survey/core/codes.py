"""A draft's secret as letters and digits, to be typed on another device.

Base 32 in Crockford's alphabet: no letter looks like a digit, and what is misread anyway (O for 0, I or L for 1)
is read as what was meant.
"""

from __future__ import annotations

import hashlib

from survey.core.errors import BadInput

SECRET_SIZE = 16
"""Bytes of a draft's secret. 128 random bits cannot be guessed, and are short enough to be typed."""

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
GROUP = 4
LENGTH = 28
"""Characters of a code: 128 bits of secret, and 12 that tell a slip of the finger from a code that opens nothing."""

_CHECK_BITS = 12
_MISREAD = str.maketrans("OIL", "011")


def spell(secret: bytes) -> str:
    """The code of this secret: seven groups of four."""
    number = int.from_bytes(secret, "big") << _CHECK_BITS | _check(secret)
    code = "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(LENGTH)))
    return "-".join(code[start : start + GROUP] for start in range(0, LENGTH, GROUP))


def read(code: str) -> bytes:
    """The secret that this code spells, however it was typed. Raises `BadInput` when it spells none."""
    letters = "".join(char for char in code.upper() if char.isalnum()).translate(_MISREAD)
    if len(letters) != LENGTH:
        raise BadInput(
            f"A code has {LENGTH} letters and digits; this one has {len(letters)}. Nothing was changed; please look "
            "at it once more."
        )
    number = 0
    for letter in letters:
        place = ALPHABET.find(letter)
        if place < 0:
            raise BadInput(f"“{letter}” is in no code. Nothing was changed; please look at it once more.")
        number = number << 5 | place
    secret = (number >> _CHECK_BITS).to_bytes(SECRET_SIZE, "big")
    if number & (1 << _CHECK_BITS) - 1 != _check(secret):
        raise BadInput("There is a slip somewhere in this code. Nothing was changed; please compare it once more.")
    return secret


def _check(secret: bytes) -> int:
    return int.from_bytes(hashlib.sha256(b"code" + secret).digest()[:2], "big") >> 16 - _CHECK_BITS
