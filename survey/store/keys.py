"""The private keys of rounds: files outside the database, readable by the program's own user alone.

A key lies there as it is, or wrapped with the passphrases of its custodians (survey.store.wrapping).
"""

from __future__ import annotations

import json
import os
import stat
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nacl.public import PrivateKey

from survey.core.errors import KeyMissing, KeysExposed
from survey.store import wrapping
from survey.store.wrapping import Effort, WrappedKey

PLAIN, WRAPPED = ".key", ".wrapped"
MARK = "mark.json"
NOWHERE = uuid.UUID(int=0)


@dataclass(frozen=True)
class Mark:
    """What says whose directory this is. `before` is the number that it had before, `NOWHERE` for a new mark."""

    installation: uuid.UUID
    nonce: uuid.UUID
    before: uuid.UUID = NOWHERE

    @property
    def is_new(self) -> bool:
        """Whether its number was never changed."""
        return self.before == NOWHERE


@dataclass(frozen=True)
class Keyring:
    """The directory of keys. It must not lie in the folder of the database."""

    directory: Path
    effort: Effort = field(default_factory=Effort)

    def check(self, database_folder: Path | None) -> None:
        """Raises `KeysExposed` if others may read the directory or a file in it, or it lies where the database does.

        `database_folder` is None where the database is no file of this machine. What is missing is made later.
        """
        place = self.directory.resolve()
        if database_folder is not None and place.is_relative_to(database_folder.resolve()):
            raise KeysExposed(
                f"The directory of keys ({self.directory}) lies inside the folder of the database, so that one backup "
                "would hold both: move it elsewhere."
            )
        try:
            if _is_open_to_others(self.directory):
                raise KeysExposed(
                    f"The directory of keys ({self.directory}) can be read by others: set its rights to 0700."
                )
            exposed = sorted(file.name for file in self.directory.iterdir() if _is_open_to_others(file))
        except FileNotFoundError:
            # There is no directory yet, or a key was destroyed just now.
            return
        except OSError as error:
            raise KeysExposed(f"The directory of keys ({self.directory}) cannot be read: {error.strerror}.") from None
        if exposed:
            raise KeysExposed(f"{self.directory / exposed[0]} can be read by others: set its rights to 0600.")

    def make(self, cycle_id: uuid.UUID) -> bytes:
        """A new key for the cycle, on disk before this returns; the value is its public half."""
        private = PrivateKey.generate()
        # A launch that was rolled back may have left a key that sealed nothing; its place is taken.
        self.destroy(cycle_id)
        self._write(self._path(cycle_id), bytes(private))
        return bytes(private.public_key)

    def make_wrapped(self, cycle_id: uuid.UUID, passphrases: Sequence[str]) -> bytes:
        """A new key that only these passphrases open, all together; the value is its public half.

        The private half was never on disk, and is forgotten when this returns.
        """
        wrapped = wrapping.wrap(PrivateKey.generate(), passphrases, self.effort)
        self.destroy(cycle_id)
        self._write(self._path(cycle_id, WRAPPED), wrapped.as_bytes())
        return wrapped.public_key

    def wrapped_public_key(self, cycle_id: uuid.UUID) -> bytes | None:
        """The public half of the cycle's wrapped key; None if there is none, or half of one."""
        try:
            wrapped = wrapping.parse(self._path(cycle_id, WRAPPED).read_bytes())
        except FileNotFoundError:
            return None
        return wrapped.public_key if wrapped else None

    def unwrap(self, cycle_id: uuid.UUID, passphrases: Sequence[str]) -> PrivateKey:
        """The cycle's wrapped key, opened in memory alone. Raises `WrongPassphrase`, `KeyMissing`.

        Takes its time on purpose: call it while no transaction is held.
        """
        return wrapping.unwrap(self._read_wrapped(cycle_id), passphrases)

    def lay_open(self, cycle_id: uuid.UUID, private_key: PrivateKey) -> None:
        """Lays the unwrapped key beside the wrapped one, for the count. Harmless when it lies there already."""
        path = self._path(cycle_id)
        if path.exists() and path.read_bytes() == bytes(private_key):
            return
        path.unlink(missing_ok=True)
        self._write(path, bytes(private_key))

    def put_back(self, cycle_id: uuid.UUID, suffix: str, content: bytes) -> None:
        """Writes a key of a backup, plain or wrapped as the suffix says, where none of this cycle is."""
        self._write(self._path(cycle_id, suffix), content)

    def read(self, cycle_id: uuid.UUID) -> PrivateKey:
        """The cycle's private key. Raises `KeyMissing` if it is gone, damaged, or readable by others."""
        content = self._read(self._path(cycle_id))
        if len(content) != PrivateKey.SIZE:
            raise KeyMissing("The key of this round is damaged; its answers cannot be counted.")
        return PrivateKey(content)

    def destroy(self, cycle_id: uuid.UUID) -> None:
        """Afterwards the key is nowhere in the directory, plain or wrapped. Harmless when it has gone before.

        The content is overwritten first; on storage that copies on write that is worth little, and the
        directory's own backup must be short-lived. After a crash between any two steps it is simply done again.
        """
        for path in (self._path(cycle_id), self._path(cycle_id, WRAPPED)):
            try:
                with path.open("r+b") as file:
                    file.write(os.urandom(max(PrivateKey.SIZE, path.stat().st_size)))
                    file.flush()
                    os.fsync(file.fileno())
            except FileNotFoundError:
                continue
            path.unlink(missing_ok=True)
            self._sync_directory()

    def mark(self) -> Mark | None:
        """The mark of this directory; None if it has none, or something else in its place."""
        try:
            plain = json.loads((self.directory / MARK).read_bytes())
            return Mark(uuid.UUID(plain["installation"]), uuid.UUID(plain["nonce"]), uuid.UUID(plain["before"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def put_mark(self, mark: Mark) -> None:
        """Marks this directory, in place of an earlier mark."""
        plain = {"installation": str(mark.installation), "nonce": str(mark.nonce), "before": str(mark.before)}
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written over what is there, in one go and of the same length: a host that shares the directory over the
        # network would for a while go on reading a file that was replaced.
        descriptor = os.open(self.directory / MARK, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(plain).encode())
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        self._sync_directory()

    def is_usable(self, cycle_id: uuid.UUID, *, is_locked: bool) -> bool:
        """Whether a key lies there that could be read now, or unlocked. Reads none, so that none is in memory."""
        path = self._path(cycle_id, WRAPPED if is_locked else PLAIN)
        try:
            found = path.stat()
        except OSError:
            return False
        is_whole = found.st_size > 0 if is_locked else found.st_size == PrivateKey.SIZE
        return is_whole and not stat.S_IMODE(found.st_mode) & 0o077

    def is_kept(self, cycle_id: uuid.UUID) -> bool:
        """Whether there is a key for this cycle, plain or wrapped."""
        return self._path(cycle_id).exists() or self._path(cycle_id, WRAPPED).exists()

    def _read_wrapped(self, cycle_id: uuid.UUID) -> WrappedKey:
        wrapped = wrapping.parse(self._read(self._path(cycle_id, WRAPPED)))
        if wrapped is None:
            raise KeyMissing("The wrapped key of this round is damaged; its answers cannot be counted.")
        return wrapped

    def _read(self, path: Path) -> bytes:
        try:
            is_exposed = _is_open_to_others(path)
            content = path.read_bytes()
        except OSError as error:
            raise KeyMissing("The key of this round cannot be read; its answers cannot be counted.") from error
        if is_exposed:
            raise KeyMissing("The key of this round is readable by others. Set its rights to 0600 first.")
        return content

    def _write(self, path: Path, content: bytes) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._sync_directory()

    def _path(self, cycle_id: uuid.UUID, suffix: str = PLAIN) -> Path:
        return self.directory / f"{cycle_id}{suffix}"

    def _sync_directory(self) -> None:
        descriptor = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _is_open_to_others(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
