"""The private keys of open cycles: files outside the database, readable by the program's own user alone."""

from __future__ import annotations

import os
import stat
import uuid
from dataclasses import dataclass
from pathlib import Path

from nacl.public import PrivateKey

from survey.core.errors import KeyMissing


@dataclass(frozen=True)
class Keyring:
    """The directory of keys. It must not lie in the folder of the database."""

    directory: Path

    def make(self, cycle_id: uuid.UUID) -> bytes:
        """A new key for the cycle, on disk before this returns; the value is its public half."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        private = PrivateKey.generate()
        path = self._path(cycle_id)
        # A launch that was rolled back may have left a key that sealed nothing; its place is taken.
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(bytes(private))
            file.flush()
            os.fsync(file.fileno())
        self._sync_directory()
        return bytes(private.public_key)

    def read(self, cycle_id: uuid.UUID) -> PrivateKey:
        """The cycle's private key. Raises `KeyMissing` if it is gone, damaged, or readable by others."""
        path = self._path(cycle_id)
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            content = path.read_bytes()
        except OSError as error:
            raise KeyMissing("The key of this round cannot be read; its answers cannot be counted.") from error
        if mode & 0o077:
            raise KeyMissing("The key of this round is readable by others. Set its rights to 0600 first.")
        if len(content) != PrivateKey.SIZE:
            raise KeyMissing("The key of this round is damaged; its answers cannot be counted.")
        return PrivateKey(content)

    def destroy(self, cycle_id: uuid.UUID) -> None:
        """Afterwards the key is nowhere in the directory. Harmless when it has gone before.

        The content is overwritten first; on storage that copies on write that is worth little, and the
        directory's own backup must be short-lived.
        """
        path = self._path(cycle_id)
        try:
            with path.open("r+b") as file:
                file.write(os.urandom(PrivateKey.SIZE))
                file.flush()
                os.fsync(file.fileno())
        except FileNotFoundError:
            return
        path.unlink(missing_ok=True)
        self._sync_directory()

    def is_kept(self, cycle_id: uuid.UUID) -> bool:
        """Whether there is a key for this cycle."""
        return self._path(cycle_id).exists()

    def _path(self, cycle_id: uuid.UUID) -> Path:
        return self.directory / f"{cycle_id}.key"

    def _sync_directory(self) -> None:
        descriptor = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
