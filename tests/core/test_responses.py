"""Texts as they are kept: without what nobody sees, and with everything else."""

from __future__ import annotations

import sys
import unicodedata

from survey.core.responses import clean


def test_no_character_that_is_left_out_passes_for_printable():
    """`clean` looks only through texts that are not printable as a whole."""
    for char in map(chr, range(sys.maxunicode + 1)):
        if char.isprintable():
            kept = unicodedata.normalize("NFC", char).strip()
            assert clean(f"a{char}b") == unicodedata.normalize("NFC", f"a{char}b") if kept else True, hex(ord(char))


def test_what_nobody_sees_goes_and_emoji_stay_whole():
    assert clean("a\x00b\u200bc\u00ad\ufeff") == "abc"
    assert clean("👩‍💻 yes\r\n\r\n  and\tno\u00a0more ") == "👩‍💻 yes\nand no more"
