"""Keys as files: who may read them, that they are gone after any crash, and wrapped ones."""

from __future__ import annotations

import os
import stat
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from nacl.pwhash import argon2id

import config as settings
from config import BadConfig
from survey.app import create_app
from survey.core.errors import KeyMissing, KeysExposed, WrongPassphrase
from survey.store import wrapping
from survey.store.keys import Keyring
from survey.store.wrapping import Effort

CYCLE = uuid.UUID(int=1)
PASSPHRASES = ("correct horse battery", "another one of us")


def test_the_directory_and_its_files_are_for_their_owner_alone(keyring):
    keyring.make(CYCLE)
    keyring.make_wrapped(uuid.UUID(int=2), PASSPHRASES)
    assert stat.S_IMODE(keyring.directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in keyring.directory.iterdir()} == {0o600}
    keyring.check(keyring.directory.parent / "database")


@pytest.mark.parametrize("mode", [0o701, 0o750, 0o704, 0o777])
def test_a_directory_that_others_can_read_is_refused(keyring, mode):
    keyring.make(CYCLE)
    keyring.directory.chmod(mode)
    with pytest.raises(KeysExposed, match="set its rights to 0700"):
        keyring.check(None)


def test_a_key_that_others_can_read_is_refused_and_named(keyring):
    keyring.make(CYCLE)
    (keyring.directory / f"{CYCLE}.key").chmod(0o640)
    with pytest.raises(KeysExposed, match=f"{CYCLE}.key can be read by others: set its rights to 0600"):
        keyring.check(None)
    with pytest.raises(KeyMissing, match="readable by others"):
        keyring.read(CYCLE)


@pytest.mark.parametrize("inside", [".", "keys", "a/deep/one"])
def test_a_directory_in_the_folder_of_the_database_is_refused(tmp_path, inside):
    with pytest.raises(KeysExposed, match="inside the folder of the database"):
        Keyring(tmp_path / inside).check(tmp_path)


def test_a_link_into_the_folder_of_the_database_is_seen_through(tmp_path):
    (tmp_path / "database" / "keys").mkdir(parents=True)
    (tmp_path / "elsewhere").symlink_to(tmp_path / "database" / "keys")
    with pytest.raises(KeysExposed, match="inside the folder of the database"):
        Keyring(tmp_path / "elsewhere").check(tmp_path / "database")


def test_a_directory_that_is_not_there_yet_is_no_problem(keyring):
    keyring.check(None)
    assert not keyring.directory.exists()


def test_the_app_does_not_start_on_exposed_keys_unless_it_is_audited(tmp_path):
    environ = {
        "SURVEY_MODE": "testing",
        "SURVEY_SECRET_KEY": "s" * 48,
        "SURVEY_DATABASE_URL": f"sqlite:///{tmp_path}/database/feedback.sqlite",
        "SURVEY_REDIS_URL": "redis://127.0.0.1:1/0",
        "SURVEY_KEY_DIRECTORY": str(tmp_path / "database" / "keys"),
        "SURVEY_BASE_URL": "http://localhost",
        "SURVEY_SMTP_HOST": "127.0.0.1",
    }
    with pytest.raises(BadConfig, match="inside the folder of the database"):
        create_app(settings.load(environ))
    assert create_app(settings.load(environ), is_audit=True)
    beside = tmp_path / "keys"
    assert create_app(settings.load(environ | {"SURVEY_KEY_DIRECTORY": str(beside)}))
    beside.mkdir(mode=0o755)
    with pytest.raises(BadConfig, match="set its rights to 0700"):
        create_app(settings.load(environ | {"SURVEY_KEY_DIRECTORY": str(beside)}))


@pytest.mark.parametrize("step", ["write", "fsync", "unlink", "after the unlink"])
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_destruction_that_was_cut_off_is_simply_done_again(keyring, monkeypatch, step, is_wrapped):
    if is_wrapped:
        keyring.make_wrapped(CYCLE, PASSPHRASES)
        _lay_open(keyring)
    else:
        keyring.make(CYCLE)
    with monkeypatch.context() as patched:
        _crash(patched, step)
        with pytest.raises(_Crash):
            keyring.destroy(CYCLE)
    keyring.destroy(CYCLE)
    assert list(keyring.directory.iterdir()) == []
    keyring.destroy(CYCLE)


@pytest.mark.parametrize("left", [0, 1, 16, 31])
def test_a_half_overwritten_key_is_no_key_and_is_destroyed_whole(keyring, left):
    keyring.make(CYCLE)
    path = keyring.directory / f"{CYCLE}.key"
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(KeyMissing, match="damaged"):
        keyring.read(CYCLE)
    keyring.destroy(CYCLE)
    assert not keyring.is_kept(CYCLE)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_half_a_wrapped_key_is_a_sentence_and_is_destroyed_whole(keyring, share):
    keyring.make_wrapped(CYCLE, PASSPHRASES)
    path = keyring.directory / f"{CYCLE}.wrapped"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)] + os.urandom(40))
    assert keyring.wrapped_public_key(CYCLE) is None
    with pytest.raises(KeyMissing, match="damaged"):
        keyring.unwrap(CYCLE, PASSPHRASES)
    keyring.destroy(CYCLE)
    assert not keyring.is_kept(CYCLE)


def test_all_passphrases_together_open_a_wrapped_key_and_nothing_less_does(keyring):
    public = keyring.make_wrapped(CYCLE, PASSPHRASES)
    first, second = PASSPHRASES
    for wrong in ((first,), (second,), (second, first), (first, first), (first, second + "s"), (first, ""), ()):
        with pytest.raises(WrongPassphrase) as refusal:
            keyring.unwrap(CYCLE, wrong)
        assert str(refusal.value) == "That does not open the key."
    assert [file.suffix for file in keyring.directory.iterdir()] == [".wrapped"]
    assert bytes(keyring.unwrap(CYCLE, PASSPHRASES).public_key) == public == keyring.wrapped_public_key(CYCLE)
    assert [file.suffix for file in keyring.directory.iterdir()] == [".wrapped"]
    _lay_open(keyring)
    assert bytes(keyring.read(CYCLE).public_key) == public


@pytest.mark.parametrize("left", [0, 16, 32])
def test_laying_a_key_open_again_makes_a_half_written_one_whole(keyring, left):
    keyring.make_wrapped(CYCLE, PASSPHRASES)
    _lay_open(keyring)
    before = keyring.read(CYCLE)
    path = keyring.directory / f"{CYCLE}.key"
    path.write_bytes(path.read_bytes()[:left])
    _lay_open(keyring)
    assert keyring.read(CYCLE) == before


def test_unlocking_twice_is_harmless(keyring):
    keyring.make_wrapped(CYCLE, PASSPHRASES)
    _lay_open(keyring)
    before = bytes(keyring.read(CYCLE))
    _lay_open(keyring)
    assert bytes(keyring.read(CYCLE)) == before


def test_a_wrapped_key_leaves_no_plain_one_of_an_earlier_launch_behind(keyring):
    keyring.make(CYCLE)
    keyring.make_wrapped(CYCLE, PASSPHRASES)
    assert [file.suffix for file in keyring.directory.iterdir()] == [".wrapped"]
    keyring.make(CYCLE)
    assert [file.suffix for file in keyring.directory.iterdir()] == [".key"]


def test_a_wrapped_key_says_neither_its_private_half_nor_a_passphrase(keyring):
    keyring.make_wrapped(CYCLE, PASSPHRASES)
    _lay_open(keyring)
    private = bytes(keyring.read(CYCLE))
    content = (keyring.directory / f"{CYCLE}.wrapped").read_bytes()
    assert private not in content
    assert private.hex().encode() not in content
    assert not any(passphrase.encode() in content for passphrase in PASSPHRASES)


def test_an_exchanged_public_half_is_found_out(keyring):
    keyring.make_wrapped(CYCLE, PASSPHRASES)
    path = keyring.directory / f"{CYCLE}.wrapped"
    wrapped = wrapping.parse(path.read_bytes())
    path.write_bytes(replace(wrapped, public_key=os.urandom(32)).as_bytes())
    with pytest.raises(KeyMissing, match="damaged"):
        keyring.unwrap(CYCLE, PASSPHRASES)


def test_a_guess_costs_what_the_library_calls_moderate():
    assert Effort() == Effort(3, 256 * 1024 * 1024)


def _lay_open(keyring: Keyring) -> None:
    keyring.lay_open(CYCLE, keyring.unwrap(CYCLE, PASSPHRASES))


class _Crash(BaseException):
    """The process ends here."""


def _crash(patched: pytest.MonkeyPatch, step: str) -> None:
    def crash(*args: object, **kwargs: object) -> None:
        raise _Crash

    def crash_after(path: Path, *, missing_ok: bool = False) -> None:
        os.unlink(path)
        raise _Crash

    if step == "write":
        patched.setattr(os, "urandom", crash)
    elif step == "fsync":
        patched.setattr(os, "fsync", crash)
    else:
        patched.setattr(Path, "unlink", crash if step == "unlink" else crash_after)


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    """A keyring whose guesses cost little, so that the tests are fast."""
    return Keyring(tmp_path / "keys", Effort(argon2id.OPSLIMIT_MIN, argon2id.MEMLIMIT_MIN))
