"""The directory of keys: one file for each round that is open or being counted, and nobody else reads it.

Where custodians hold the key that file is a wrapped one, and the key itself lies there during the count alone.
"""

from __future__ import annotations

import stat
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nacl.public import PrivateKey
from sqlalchemy import Connection, select, text

from survey.core.cycles import Phase
from survey.store import schema, wrapping
from survey.store.inspection.looks import Look, count
from survey.store.keys import MARK, PLAIN, WRAPPED, Keyring

NEEDED = frozenset({Phase.OPEN, Phase.CLOSED})
"""The phases in which a round's key must still be there."""

CHOSEN = frozenset({Phase.DRAFT, Phase.NOMINATING, Phase.OPENING})
"""Those in which a wrapped one may be there as well."""


LARGEST = 4096
"""Bytes that a file has at most which could hold a key."""


LARGEST_MARK = 256
"""Bytes that the mark of the directory has at most."""


@dataclass(frozen=True)
class Round:
    """What is known of a round: its phase, and whether people hold its key and have unlocked it."""

    phase: Phase
    is_held: bool
    is_unlocked: bool

    @property
    def is_locked(self) -> bool:
        """Whether nobody but its custodians should be able to open it now."""
        return self.is_held and not self.is_unlocked and self.phase in NEEDED

    def may_have(self, *, is_wrapped: bool) -> bool:
        """Whether such a key may lie there for the round."""
        if is_wrapped:
            return self.is_held and self.phase in NEEDED | CHOSEN
        return self.phase in ({Phase.CLOSED} if self.is_held else NEEDED)


def look(connection: Connection, keyring: Keyring) -> Iterator[Look]:
    """Keys that should be gone, files that are not needed, and rights that are too wide."""
    try:
        files = _files(keyring.directory)
        yield _left_over(connection, keyring, files)
    except OSError as error:
        sentence = f"The directory of keys cannot be read: {error.strerror}."
        yield Look("A4", "keys that should be gone", "the directory of keys", obstacle=sentence)
        return
    open_to_others = sum(bool(stat.S_IMODE(file.stat().st_mode) & 0o077) for file in files)
    found = (f"{count(open_to_others, 'file')} with rights beyond 0600",) if open_to_others else ()
    yield Look("A4", "keys that others can read", count(len(files), "file"), found)
    folder = _database_folder(connection)
    is_inside = folder is not None and keyring.directory.resolve().is_relative_to(folder)
    found = ("the directory of keys lies inside the folder of the database",) if is_inside else ()
    yield Look("A4", "keys that a backup of the database would take along", "their directories", found)


def _files(directory: Path) -> list[Path]:
    if not directory.exists():
        return []
    # iterdir says when it may not look; rglob would be silent.
    list(directory.iterdir())
    return sorted(file for file in directory.rglob("*") if file.is_file())


def _left_over(connection: Connection, keyring: Keyring, files: list[Path]) -> Look:
    rounds, owners = _rounds(connection)
    files = [file for file in files if not _is_mark(file, keyring)]
    faults = [fault for file in files if (fault := _fault(file, keyring, rounds, owners))]
    seen = Counter(faults)
    found = tuple(f"{count(number, 'file')} {what}" for what, number in seen.items())
    on = f"{count(len(files), 'file')}, {count(len(rounds), 'round')}"
    return Look("A4", "keys that should be gone", on, found)


def _is_mark(file: Path, keyring: Keyring) -> bool:
    """Whether this is the mark of the directory, and too short to hold anything else."""
    return file == keyring.directory / MARK and file.stat().st_size < LARGEST_MARK and keyring.mark() is not None


def _fault(
    file: Path, keyring: Keyring, rounds: Mapping[uuid.UUID, Round], owners: Mapping[bytes, uuid.UUID]
) -> str | None:
    """What is wrong with this file's being there, or None."""
    public_half, is_wrapped = _content(file)
    named, opened = _named_for(file), owners.get(public_half or b"")
    about = [rounds.get(cycle_id) for cycle_id in (named, opened) if cycle_id is not None]
    if not is_wrapped and any(round_ is not None and round_.is_locked for round_ in about):
        return "beside a wrapped key, of a round that nobody has unlocked"
    if any(round_ is None or not round_.may_have(is_wrapped=is_wrapped) for round_ in about):
        return "for no round that is open or being counted"
    if not about:
        return "not known to the program"
    if opened is not None and file != keyring.directory / f"{opened}{WRAPPED if is_wrapped else PLAIN}":
        return "a second copy"
    return None


def _rounds(connection: Connection) -> tuple[dict[uuid.UUID, Round], dict[bytes, uuid.UUID]]:
    """All rounds, and whose each public key is."""
    cycle, custody = schema.metadata.tables["cycle"], schema.metadata.tables["custody"]
    rounds: dict[uuid.UUID, Round] = {}
    owners: dict[bytes, uuid.UUID] = {}
    for cycle_id, phase, public, wrapped, is_unlocked in connection.execute(
        select(cycle.c.id, cycle.c.phase, cycle.c.public_key, custody.c.public_key, custody.c.is_unlocked).outerjoin(
            custody, custody.c.cycle_id == cycle.c.id
        )
    ):
        rounds[cycle_id] = Round(Phase(phase), wrapped is not None, bool(is_unlocked))
        owners |= {bytes(each): cycle_id for each in (public, wrapped) if each is not None}
    return rounds, owners


def _named_for(file: Path) -> uuid.UUID | None:
    try:
        return uuid.UUID(file.stem)
    except ValueError:
        return None


def _content(file: Path) -> tuple[bytes | None, bool]:
    """The public half of the key in this file, if its content can be a key, and whether it is a wrapped one."""
    content = file.read_bytes() if file.stat().st_size <= LARGEST else b""
    if len(content) == PrivateKey.SIZE:
        return bytes(PrivateKey(content).public_key), False
    wrapped = wrapping.parse(content)
    return (wrapped.public_key, True) if wrapped else (None, file.suffix == WRAPPED)


def _database_folder(connection: Connection) -> Path | None:
    """Where the files of the database lie, if that is on this machine and may be known."""
    if connection.dialect.name == "sqlite":
        return Path(connection.engine.url.database or "").resolve().parent
    # Empty where this role may not know it.
    place = connection.scalar(text("SELECT setting FROM pg_settings WHERE name = 'data_directory'"))
    return Path(place).resolve() if place else None
