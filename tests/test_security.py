"""docs/security.md names every requirement once, and only files that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")

SECTIONS = {
    1: (2, 9, 11, 3, 2),
    2: (3, 3, 4, 1),
    3: (0, 2, 4, 6, 5, 0, 2),
    4: (3, 1, 2, 4),
    5: (1, 3, 2, 3),
    6: (3, 12, 4, 4, 5, 3, 0, 4),
    7: (3, 4, 2, 5, 2, 2),
    8: (2, 3, 1, 1),
    9: (3, 4),
    10: (2, 2, 4, 11, 5, 2, 3),
    11: (2, 3, 3, 4, 1, 1),
    12: (3, 2, 4),
    13: (1, 5, 2, 5),
    14: (2, 4, 3),
    15: (3, 3, 7),
    16: (1, 5, 4, 3, 3),
    17: (1, 4, 2),
}
"""How many requirements of levels 1 and 2 each section of ASVS 5.0.0 begins with, by chapter; level 3 comes last."""


def test_every_requirement_of_levels_one_and_two_stands_there_once():
    rows = re.findall(r"^\| ([0-9][0-9., ]*) \|", TEXT, re.MULTILINE)
    named = [number for row in rows for number in row.split(", ")]
    wanted = [
        f"{chapter}.{section}.{number}"
        for chapter, sections in SECTIONS.items()
        for section, numbers in enumerate(sections, 1)
        for number in range(1, numbers + 1)
    ]
    assert len(wanted) == 253
    assert sorted(named) == sorted(wanted)


def test_every_file_that_is_named_is_there():
    named = set(re.findall(r"`((?:[a-z_0-9]+/)*[a-z_0-9]+\.(?:py|html|lock|toml))(?::\w+)?`", TEXT))
    assert len(named) > 60
    missing = [
        name for name in sorted(named) if not any((ROOT / at / name).is_file() for at in ("", "survey", "templates"))
    ]
    assert missing == []
