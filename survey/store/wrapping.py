"""A private key wrapped with the passphrases of its custodians: whoever lacks one of them cannot open it.

Each passphrase goes through argon2id with a salt of its own; a hash over all results locks the key. So nothing says
which of two passphrases was wrong, and they can only be guessed together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import nacl.utils
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

from survey.core.errors import KeyMissing, WrongPassphrase

VERSION = 1


@dataclass(frozen=True)
class Effort:
    """What one guess costs: passes of argon2id, and bytes of memory."""

    passes: int = argon2id.OPSLIMIT_MODERATE
    memory: int = argon2id.MEMLIMIT_MODERATE


@dataclass(frozen=True)
class WrappedKey:
    """A wrapped key as it is kept, with its public half in plain."""

    public_key: bytes
    effort: Effort
    salts: tuple[bytes, ...]
    box: bytes

    def as_bytes(self) -> bytes:
        """The content of its file."""
        plain = {
            "version": VERSION,
            "public_key": self.public_key.hex(),
            "passes": self.effort.passes,
            "memory": self.effort.memory,
            "salts": [salt.hex() for salt in self.salts],
            "box": self.box.hex(),
        }
        return json.dumps(plain, indent=1).encode()


def wrap(private_key: PrivateKey, passphrases: Sequence[str], effort: Effort) -> WrappedKey:
    """The key, wrapped so that all of these passphrases together open it."""
    salts = tuple(nacl.utils.random(argon2id.SALTBYTES) for _ in passphrases)
    box = SecretBox(_locking_key(passphrases, salts, effort)).encrypt(bytes(private_key))
    return WrappedKey(bytes(private_key.public_key), effort, salts, bytes(box))


def unwrap(wrapped: WrappedKey, passphrases: Sequence[str]) -> PrivateKey:
    """The key. Raises `WrongPassphrase`, without a word about which of them is wrong."""
    if len(passphrases) != len(wrapped.salts):
        raise WrongPassphrase("That does not open the key.")
    try:
        content = SecretBox(_locking_key(passphrases, wrapped.salts, wrapped.effort)).decrypt(wrapped.box)
    except CryptoError:
        raise WrongPassphrase("That does not open the key.") from None
    private_key = PrivateKey(content)
    if bytes(private_key.public_key) != wrapped.public_key:
        raise KeyMissing("The wrapped key of this round is damaged; its answers cannot be counted.")
    return private_key


def parse(content: bytes) -> WrappedKey | None:
    """The wrapped key in this content of a file; None if it is something else, or half of one."""
    try:
        plain = json.loads(content)
        if plain["version"] != VERSION:
            return None
        return WrappedKey(
            bytes.fromhex(plain["public_key"]),
            Effort(int(plain["passes"]), int(plain["memory"])),
            tuple(bytes.fromhex(salt) for salt in plain["salts"]),
            bytes.fromhex(plain["box"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _locking_key(passphrases: Sequence[str], salts: Sequence[bytes], effort: Effort) -> bytes:
    together = hashlib.blake2b(digest_size=SecretBox.KEY_SIZE, person=b"custodians")
    for passphrase, salt in zip(passphrases, salts, strict=True):
        together.update(
            argon2id.kdf(SecretBox.KEY_SIZE, passphrase.encode(), salt, opslimit=effort.passes, memlimit=effort.memory)
        )
    return together.digest()
