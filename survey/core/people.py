"""What may be known of a person, and how what was typed becomes it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from survey.core import sheets
from survey.core.access import Role
from survey.core.errors import BadInput

LONGEST = 200
LEVELS = range(1, 100)
LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a person. `manager` is an address; `time_zone` None means that of the installation.

    `is_external`: works elsewhere, and is asked by mail alone. Whoever stands in a file of people works here.
    """

    name: str
    address: str
    manager: str | None = None
    team: str = ""
    level: int | None = None
    time_zone: str | None = None
    language: str = LANGUAGE
    role: Role = Role.ENGINEER
    is_active: bool = True
    is_external: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that changes, in words for people."""

    field: str
    before: str
    after: str


_FIELDS = {
    "name": "Name",
    "address": "Address",
    "manager": "Reports to",
    "team": "Team",
    "level": "Level",
    "time_zone": "Time zone",
    "language": "Language",
    "role": "Account",
    "is_active": "Here",
}


def differences(before: Profile, after: Profile) -> tuple[Difference, ...]:
    """The fields in which two profiles differ, in the order of the form."""
    return tuple(
        Difference(label, _shown(getattr(before, field)), _shown(getattr(after, field)))
        for field, label in _FIELDS.items()
        if getattr(before, field) != getattr(after, field)
    )


def _shown(value: object) -> str:
    if isinstance(value, Role):
        return value.label
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value in (None, "") else str(value)


def check_name(typed: str) -> str:
    """The name with single blanks. Raises `BadInput` for none, and for one that a spreadsheet would run."""
    name = _line("name", typed)
    if not name:
        raise BadInput("A person needs a name.")
    if name.startswith(sheets.FORMULA):
        raise BadInput(f"The name begins with “{name[0]}”, as a formula of a spreadsheet does.")
    return name


def check_address(typed: str) -> str:
    """The address in lower case. Raises `BadInput` if no mail could ever reach it."""
    address = typed.strip()
    if address.startswith(sheets.FORMULA):
        raise BadInput(f"The address begins with “{address[0]}”, as a formula of a spreadsheet does.")
    try:
        checked = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise BadInput(f"“{_short(address)}” is not an e-mail address: {error}") from error
    return checked.normalized.lower()


def check_team(typed: str) -> str:
    """The team with single blanks; it may be empty. Raises `BadInput` for a text that is none."""
    return _line("team", typed)


def check_level(typed: str) -> int | None:
    """The level in “3”, “L3” or “Level 3”, None for nothing. Raises `BadInput` for anything else."""
    if not typed.strip():
        return None
    found = re.fullmatch(r"(?:level|l)?\s*([0-9]{1,2})(?:\.0+)?", typed.strip(), re.IGNORECASE)
    if found is None or int(found.group(1)) not in LEVELS:
        raise BadInput(f"“{_short(typed.strip())}” is not a level: write a whole number from 1 to {LEVELS[-1]}.")
    return int(found.group(1))


def check_time_zone(typed: str, zones: Mapping[str, str]) -> str | None:
    """The zone's IANA name, None for nothing. `zones` has all names by themselves in lower case. Raises `BadInput`."""
    zone = "_".join(typed.split())
    if not zone:
        return None
    if zone.lower() not in zones:
        raise BadInput(f"“{_short(typed.strip())}” is not the name of a time zone, such as Europe/Vienna.")
    return zones[zone.lower()]


def check_language(typed: str) -> str:
    """The language's tag, English for nothing. Raises `BadInput` for what is no tag, such as a language's name."""
    tag = typed.strip().replace("_", "-")
    if not tag:
        return LANGUAGE
    found = re.fullmatch(r"([A-Za-z]{2,3})(?:-([A-Za-z]{2}|[0-9]{3}))?", tag)
    if found is None:
        raise BadInput(f"“{_short(tag)}” is not the code of a language, such as en or de-AT.")
    return "-".join([found.group(1).lower(), *([found.group(2).upper()] if found.group(2) else [])])


def _line(what: str, typed: str) -> str:
    line = " ".join(unicodedata.normalize("NFC", typed).split())
    if len(line) > LONGEST:
        raise BadInput(f"The {what} is longer than {LONGEST} characters.")
    if not line.isprintable() and any(_is_hidden(letter) for letter in line):
        raise BadInput(f"The {what} has a character in it that cannot be seen.")
    return line


def _is_hidden(letter: str) -> bool:
    """Control characters, NUL among them, halves of characters, and signs that turn the direction of what follows.

    Joiners stay: names are written with them.
    """
    return unicodedata.category(letter) in {"Cc", "Cs"} or unicodedata.bidirectional(letter) in _TURNS


_TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def _short(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return shown if len(shown) <= 60 else shown[:60] + "…"
