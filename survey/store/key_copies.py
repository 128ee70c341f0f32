"""The keys of rounds as one file, apart from the database. Whoever has both opens every answer of an open round."""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Collection, Mapping
from pathlib import Path

from survey.core.errors import BadBackup
from survey.store.keys import MARK, PLAIN, WRAPPED, Keyring

FORMAT = "seek-feedback keys 1"


def write(keyring: Keyring, path: Path) -> int:
    """Writes every key, plain or wrapped, into a new file that only its owner can read; the value is how many."""
    kept = {}
    if keyring.directory.is_dir():
        for file in sorted(keyring.directory.iterdir()):
            if file.suffix in (PLAIN, WRAPPED):
                kept[file.name] = base64.b64encode(file.read_bytes()).decode()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as copy:
        json.dump({"format": FORMAT, "keys": kept}, copy)
        copy.flush()
        os.fsync(copy.fileno())
    return len(kept)


def read(path: Path) -> Mapping[str, bytes]:
    """The keys in the file, by the name of theirs. Raises `BadBackup` for any other file."""
    try:
        found = json.loads(path.read_text(encoding="ascii"))
        if found["format"] != FORMAT:
            raise BadBackup(f"{path} is no backup of keys that this program can read.")
        return {name: base64.b64decode(content, validate=True) for name, content in found["keys"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadBackup(f"{path} is no backup of keys, or cannot be read.") from error


def restore(keyring: Keyring, keys: Mapping[str, bytes], wanted: Collection[uuid.UUID]) -> list[str]:
    """Puts the keys of these cycles into the empty directory of keys; the value names the files that were refused.

    Raises `BadBackup` where keys are there: such a directory was not lost, and a key that it lacks was destroyed.
    """
    if keyring.directory.is_dir() and any(file.name != MARK for file in keyring.directory.iterdir()):
        raise BadBackup(
            f"The directory of keys ({keyring.directory}) is not empty. A key that it lacks was destroyed after its "
            "round was counted, and does not come back. Restore without --keys."
        )
    return put_back(keyring, keys, wanted)


def put_back(keyring: Keyring, keys: Mapping[str, bytes], wanted: Collection[uuid.UUID]) -> list[str]:
    """Puts the keys of these cycles into the directory of keys; the value names the files that were refused."""
    refused = []
    for name, content in keys.items():
        cycle_id = _cycle(name)
        if cycle_id is None or cycle_id not in wanted:
            refused.append(name)
        else:
            keyring.put_back(cycle_id, Path(name).suffix, content)
    return refused


def _cycle(name: str) -> uuid.UUID | None:
    stem, suffix = Path(name).stem, Path(name).suffix
    try:
        return uuid.UUID(stem) if suffix in (PLAIN, WRAPPED) and name == f"{uuid.UUID(stem)}{suffix}" else None
    except ValueError:
        return None
