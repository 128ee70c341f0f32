"""A file of people becomes a plan: whom it adds, changes and deactivates, or what speaks against it, line by line."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from survey.core import names, people, sheets
from survey.core.access import Role
from survey.core.errors import BadInput
from survey.core.people import Difference, Profile
from survey.core.sheets import Problem, Row

LARGEST = 10 * 1024 * 1024
MOST_LINES = 100_000
GREAT_SHARE = 0.4
"""A file that deactivates more than this share of all active people is asked about once more, with the number."""


class Column(StrEnum):
    """What a column may hold. The value is the heading that the program writes."""

    NAME = "Name"
    ADDRESS = "Address"
    MANAGER = "Manager's address"
    TEAM = "Team"
    LEVEL = "Level"
    TIME_ZONE = "Time zone"
    LANGUAGE = "Language"


_HEADINGS = {
    Column.NAME: "name fullname displayname person employee employeename personname",
    Column.ADDRESS: "address email emailaddress mail mailaddress workemail businessemail personaddress",
    Column.MANAGER: "manager managersaddress manageraddress managersemail manageremail managersemailaddress "
    "manageremailaddress managersmail managermail reportsto supervisor supervisoremail supervisorsemail",
    Column.TEAM: "team teamname department group unit orgunit",
    Column.LEVEL: "level grade careerlevel joblevel",
    Column.TIME_ZONE: "timezone tz zone",
    Column.LANGUAGE: "language lang locale preferredlanguage",
}
_USUAL = re.compile(r"[a-z0-9]+(?:[._+-][a-z0-9]+)*", re.ASCII)
"""What stands before the @ of nearly every address; nothing else is to be looked at in it."""

_COLUMN_OF = {heading: column for column, headings in _HEADINGS.items() for heading in headings.split()}


@dataclass(frozen=True, slots=True)
class Addition:
    """A person that the file adds."""

    line: int
    person: Profile


@dataclass(frozen=True, slots=True)
class Update:
    """A person that the file changes."""

    line: int
    before: Profile
    after: Profile

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What changes, field by field."""
        return people.differences(self.before, self.after)


@dataclass(frozen=True)
class Plan:
    """What a file would do. With a problem it does nothing at all.

    `active` is how many people are active before it; `notes` are sentences about how the file was read.
    """

    additions: tuple[Addition, ...]
    updates: tuple[Update, ...]
    departures: tuple[Profile, ...]
    unchanged: int
    active: int
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    @property
    def is_possible(self) -> bool:
        """Whether no line speaks against it."""
        return not self.problems

    @property
    def is_empty(self) -> bool:
        """Whether everything is so already."""
        return not (self.additions or self.updates or self.departures)

    @property
    def is_drastic(self) -> bool:
        """Whether so many would be deactivated that the number has to be confirmed."""
        return len(self.departures) > GREAT_SHARE * self.active

    @property
    def fingerprint(self) -> bytes:
        """The same for two plans exactly when they do the same to the same people."""
        digest = hashlib.sha256()
        for kind, parts in (
            ("add", (each.person for each in self.additions)),
            ("change", ((each.before, each.after) for each in self.updates)),
            ("deactivate", self.departures),
            ("problem", self.problems),
            ("of", [self.active if self.departures else None]),
        ):
            for part in parts:
                digest.update(f"{kind} {part!r}\n".encode("utf-8", "surrogatepass"))
        return digest.digest()


def plan(source: bytes, known: Mapping[str, Profile], *, is_everybody: bool, zones: Mapping[str, str]) -> Plan:
    """What the file would do to the people who are known, by address.

    A column that is missing changes nothing; an empty cell empties its field. With `is_everybody` those who are not in
    the file are deactivated, people operations excepted. Raises `BadInput` for what cannot be read as a table of
    people at all; everything else that is wrong is a problem with its line.
    """
    if len(source) > LARGEST:
        raise BadInput(f"The file is too large: up to {LARGEST // 1024**2} MB can be read.")
    decoded = sheets.decode(source)
    delimiter, text = sheets.delimiter_of(decoded.text, lambda cells: len(set(_columns(cells)) - {None}))
    lines = sheets.rows(text, delimiter)
    columns, notes = _header(next(lines, None))
    found = _Findings(known, columns, zones)
    for number, row in enumerate(lines):
        if number >= MOST_LINES:
            raise BadInput(f"The file has more than {MOST_LINES} lines.")
        found.take(row)
    if not found.lines and not found.problems:
        raise BadInput("The file has headings, and nobody below them.")
    found.check_managers(is_everybody=is_everybody)
    return found.plan(is_everybody=is_everybody, notes=tuple(filter(None, (decoded.note, *notes))))


def export(everybody: Iterable[Profile]) -> bytes:
    """A file with these people that can be read again, and that no spreadsheet runs."""
    lines = (
        (
            person.name,
            person.address,
            person.manager or "",
            person.team,
            "" if person.level is None else str(person.level),
            person.time_zone or "",
            person.language,
        )
        for person in everybody
    )
    return sheets.write([[column.value for column in Column], *lines])


def _columns(cells: Sequence[str]) -> list[Column | None]:
    return [_COLUMN_OF.get("".join(letter for letter in cell.casefold() if letter.isalnum())) for cell in cells]


def _header(row: Row | Problem | None) -> tuple[list[Column | None], list[str]]:
    wanted = ", ".join(column.value for column in Column)
    if not isinstance(row, Row):
        raise BadInput(f"The first line has to name the columns: {wanted}.")
    columns = _columns(row.cells)
    if Column.ADDRESS not in columns:
        raise BadInput(
            f"Line {row.line}: no column is named “{Column.ADDRESS}”. The first line has to name the columns: {wanted}."
        )
    for column in Column:
        named = [cell for cell, kind in zip(row.cells, columns, strict=True) if kind is column]
        if len(named) > 1:
            raise BadInput(f"Line {row.line}: “{named[0]}” and “{named[1]}” are both columns for “{column.value}”.")
    unused = [cell.strip() for cell, kind in zip(row.cells, columns, strict=True) if kind is None and cell.strip()]
    return columns, [f"Not used: the columns {', '.join(f'“{name[:60]}”' for name in unused[:20])}."] if unused else []


class _Findings:
    """What the lines of a file say, one after the other."""

    def __init__(
        self, known: Mapping[str, Profile], columns: Sequence[Column | None], zones: Mapping[str, str]
    ) -> None:
        self.known = known
        self.columns = columns
        self.zones = zones
        self.lines: dict[str, int] = {}  # where each address stands
        self.after: dict[str, Profile] = {}
        self.problems: list[Problem] = []
        self.domains: set[str] = set()  # those of addresses that were found to be good
        self.checks: dict[Column, tuple[str, Callable[[str], Any]]] = {
            Column.NAME: ("name", people.check_name),
            Column.MANAGER: ("manager", self._manager),
            Column.TEAM: ("team", people.check_team),
            Column.LEVEL: ("level", people.check_level),
            Column.TIME_ZONE: ("time_zone", lambda typed: people.check_time_zone(typed, self.zones)),
            Column.LANGUAGE: ("language", people.check_language),
        }

    def take(self, row: Row | Problem) -> None:
        """Takes in one line, or notes what is wrong with it."""
        if isinstance(row, Problem):
            self.problems.append(row)
            return
        if len(row.cells) < len(self.columns) or any(cell.strip() for cell in row.cells[len(self.columns) :]):
            said = f"This line has {len(row.cells)} cells, and the first line names {len(self.columns)} columns."
            self.problems.append(Problem(row.line, said))
            return
        typed = {column: sheets.plain(cell) for column, cell in zip(self.columns, row.cells, strict=False) if column}
        wrong = len(self.problems)
        address = self._checked(row.line, self._address, typed.pop(Column.ADDRESS))
        stated = {
            self.checks[column][0]: self._checked(row.line, self.checks[column][1], cell)
            for column, cell in typed.items()
        }
        if address in self.lines:
            self._add(row.line, f"The address {address} stands in line {self.lines[address]} already.")
        if len(self.problems) > wrong:
            # Remembered all the same, so that the lines of those who report to them are not told of as well.
            if address:
                self.lines.setdefault(address, row.line)
            return
        before = self.known.get(address)
        if before is None and "name" not in stated:
            self._add(row.line, f"{address} is not known here, and no column has the name.")
            return
        self.lines[address] = row.line
        # Whoever stands in a file is here, or here again.
        self.after[address] = (
            Profile(address=address, **stated)
            if before is None
            else replace(before, is_active=True, is_external=False, **stated)
        )

    def check_managers(self, *, is_everybody: bool) -> None:
        """Looks at who reports to whom when all lines are known, and makes managers of those who are named so."""
        for address, person in self.after.items():
            manager, line = person.manager, self.lines[address]
            if manager is None or (Column.MANAGER not in self.columns and not is_everybody):
                continue
            if manager == address:
                self._add(line, f"{person.name} cannot report to themselves.")
            elif manager in self.lines or (is_everybody and self._is_kept(manager)):
                continue
            elif is_everybody:
                self._add(line, f"The manager {manager} is not in this file, which is said to name everybody.")
            elif manager not in self.known:
                self._add(line, f"The manager {manager} is neither in this file nor known here.")
            elif not self.known[manager].is_active and self._manager_before(address) != manager:
                self._add(line, f"The manager {manager} has been deactivated.")
        self._check_circles()
        if not self.problems:
            self._make_managers()

    def plan(self, *, is_everybody: bool, notes: tuple[str, ...]) -> Plan:
        """The plan, once every line is in."""
        additions = []
        updates = []
        for address, person in self.after.items():
            before = self.known.get(address)
            if before is None:
                additions.append(Addition(self.lines[address], person))
            elif before != person:
                updates.append(Update(self.lines[address], before, person))
        missing = [
            person
            for address, person in self.known.items()
            if is_everybody and person.is_active and not person.is_external and address not in self.lines
        ]
        missing.sort(key=lambda person: (*names.in_order(person.name), person.address))
        kept = [person.name for person in missing if self._is_kept(person.address)]
        if kept:
            notes += (f"Not in the file, and kept because they are people operations: {', '.join(kept[:10])}.",)
        return Plan(
            tuple(additions),
            tuple(updates),
            tuple(person for person in missing if not self._is_kept(person.address)),
            len(self.after) - len(additions) - len(updates),
            sum(person.is_active and not person.is_external for person in self.known.values()),
            tuple(sorted(self.problems, key=lambda problem: problem.line)),
            notes,
        )

    def _checked(self, line: int, check: Callable[[str], Any], typed: str) -> Any:
        try:
            return check(typed)
        except BadInput as error:
            self._add(line, str(error))
            return None

    def _add(self, line: int, message: str) -> None:
        self.problems.append(Problem(line, message))

    def _address(self, typed: str) -> str:
        key = typed.strip().lower()
        if key in self.known:
            return key
        local, _, domain = key.rpartition("@")
        # Checking a domain takes most of the time, and a company has few.
        if domain in self.domains and _USUAL.fullmatch(local) and len(local) <= 64 and len(key) <= 254:
            return key
        address = people.check_address(typed)
        if address == key:
            self.domains.add(domain)
        return address

    def _manager(self, typed: str) -> str | None:
        try:
            return self._address(typed) if typed.strip() else None
        except BadInput as error:
            raise BadInput(f"The manager: {error}") from error

    def _is_kept(self, address: str) -> bool:
        """Whether a file that does not name them leaves them here: somebody has to run the place."""
        person = self.known.get(address)
        return person is not None and person.is_active and person.role is Role.PEOPLE_OPERATIONS

    def _manager_before(self, address: str) -> str | None:
        before = self.known.get(address)
        return before.manager if before else None

    def _above(self, address: str) -> str | None:
        person = self.after.get(address) or self.known.get(address)
        return person.manager if person else None

    def _check_circles(self) -> None:
        """Notes each circle of managers once, at its first line of the file."""
        settled: set[str] = set()
        for start in self.after:
            way: dict[str, None] = {}
            current: str | None = start
            while current is not None and current not in settled and current not in way:
                way[current] = None
                current = self._above(current)
            if current in way and current is not None:
                circle = list(way)[list(way).index(current) :]
                lines = [self.lines[address] for address in circle if address in self.after]
                if lines and len(circle) > 1:
                    shown = " → ".join([*circle[:6], *(["…"] if len(circle) > 6 else []), circle[0]])
                    self._add(min(lines), f"These people report to each other in a circle: {shown}.")
            settled.update(way)

    def _make_managers(self) -> None:
        for address, person in list(self.after.items()):
            manager = person.manager
            if manager is None or manager == self._manager_before(address):
                continue
            above = self.after.get(manager) or self.known.get(manager)
            if above and above.role is Role.ENGINEER and above.is_active:
                self.after[manager] = replace(above, role=Role.MANAGER)
                self.lines.setdefault(manager, self.lines[address])
