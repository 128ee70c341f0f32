"""Texts as they are kept: without what nobody sees, and with everything else."""

from __future__ import annotations

import sys

from survey.core import responses


def test_no_character_that_is_left_out_passes_for_printable():
    """`clean` looks only through texts that are not printable as a whole."""
    seen = filter(str.isprintable, map(chr, range(sys.maxunicode + 1)))
    assert [hex(ord(char)) for char in seen if responses._is_invisible(char)] == []


def test_what_nobody_sees_goes_and_emoji_stay_whole():
    assert responses.clean("a\x00b\u200bc\u00ad\ufeff") == "abc"
    assert responses.clean("👩‍💻 yes\r\n\r\n  and\tno\u00a0more ") == "👩‍💻 yes\nand no more"
