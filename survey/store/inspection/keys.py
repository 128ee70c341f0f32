"""The directory of keys: one file for each round that is open or being counted, and nobody else reads it."""

from __future__ import annotations

import stat
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nacl.public import PrivateKey
from sqlalchemy import Connection, select, text

from survey.core.cycles import Phase
from survey.store import schema
from survey.store.inspection.looks import Look, count
from survey.store.keys import Keyring

NEEDED = frozenset({Phase.OPEN, Phase.CLOSED})
"""The phases in which a round's key must still be there."""


def look(connection: Connection, keyring: Keyring) -> Iterator[Look]:
    """Keys that should be gone, files that are not needed, and rights that are too wide."""
    try:
        files = _files(keyring.directory)
        yield _left_over(connection, files)
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


def _left_over(connection: Connection, files: list[Path]) -> Look:
    cycle = schema.metadata.tables["cycle"]
    phases: dict[uuid.UUID, Phase] = {}
    owners: dict[bytes, uuid.UUID] = {}
    for key, phase, public in connection.execute(select(cycle.c.id, cycle.c.phase, cycle.c.public_key)):
        phases[key] = Phase(phase)
        if public is not None:
            owners[bytes(public)] = key
    seen: Counter[str] = Counter()
    for file in files:
        named, opened = _named_for(file), owners.get(_public_half(file) or b"")
        if any(cycle_id is not None and phases.get(cycle_id) not in NEEDED for cycle_id in (named, opened)):
            seen["for no round that is open or being counted"] += 1
        elif named is None and opened is None:
            seen["not known to the program"] += 1
        elif opened is not None and named != opened:
            seen["a second copy"] += 1
    found = tuple(f"{count(number, 'file')} {what}" for what, number in seen.items())
    on = f"{count(len(files), 'file')}, {count(len(phases), 'round')}"
    return Look("A4", "keys that should be gone", on, found)


def _named_for(file: Path) -> uuid.UUID | None:
    try:
        return uuid.UUID(file.stem)
    except ValueError:
        return None


def _public_half(file: Path) -> bytes | None:
    """The public half of the key in this file, if its content can be a key."""
    content = file.read_bytes() if file.stat().st_size == PrivateKey.SIZE else b""
    return bytes(PrivateKey(content).public_key) if content else None


def _database_folder(connection: Connection) -> Path | None:
    """Where the files of the database lie, if that is on this machine and may be known."""
    if connection.dialect.name == "sqlite":
        return Path(connection.engine.url.database or "").resolve().parent
    # Empty where this role may not know it.
    place = connection.scalar(text("SELECT setting FROM pg_settings WHERE name = 'data_directory'"))
    return Path(place).resolve() if place else None
