"""`survey audit anonymity` knows wrapped keys: where they belong, and every one that should be gone."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from survey import context
from survey.store.inspection import keys
from survey.store.keys import Keyring
from tests import custodians
from tests.custodians import ONE

pytestmark = pytest.mark.usefixtures("cheap_guesses")


def test_nothing_is_found_at_any_time_of_a_round_with_custodians(company):
    cycle_id, _ = company.draft()
    assert _found() == []
    custodians.appoint(company, cycle_id, ONE)
    assert _found() == []
    custodians.launch(cycle_id)
    assert _found() == []
    company.close(cycle_id)
    assert _found() == []
    custodians.unlock(company, cycle_id)
    assert _found() == []
    company.count()
    assert _found() == []


@pytest.mark.parametrize("name", ["{cycle}.key", "before-the-upgrade.bak"])
def test_a_plain_key_beside_a_wrapped_one_is_found_under_any_name(company, name):
    cycle_id, _ = custodians.open_held(company)
    _keyring().lay_open(cycle_id, _keyring().unwrap(cycle_id, ONE))
    _file(cycle_id, ".key").rename(_keyring().directory / name.format(cycle=cycle_id))
    assert _found() == ["1 file beside a wrapped key, of a round that nobody has unlocked"]


@pytest.mark.parametrize("name", ["{cycle}.wrapped", "{cycle}.bak", "something"])
def test_a_wrapped_key_that_outlived_the_count_is_found_under_any_name(company, name):
    cycle_id, _ = custodians.open_held(company)
    content = _file(cycle_id, ".wrapped").read_bytes()
    company.close(cycle_id)
    custodians.unlock(company, cycle_id)
    company.count()
    _write(name.format(cycle=cycle_id), content)
    assert _found() == ["1 file for no round that is open or being counted"]


def test_half_of_a_wrapped_key_that_outlived_the_count_is_found_by_its_name(company):
    cycle_id, _ = custodians.open_held(company)
    half = _file(cycle_id, ".wrapped").read_bytes()[:100]
    company.close(cycle_id)
    custodians.unlock(company, cycle_id)
    company.count()
    _write(f"{cycle_id}.wrapped", half)
    assert _found() == ["1 file for no round that is open or being counted"]


@pytest.mark.parametrize("name", ["{cycle}.bak", "deep/{cycle}.wrapped", "old"])
def test_a_copy_of_a_wrapped_key_is_found(company, name):
    cycle_id, _ = custodians.open_held(company)
    _write(name.format(cycle=cycle_id), _file(cycle_id, ".wrapped").read_bytes())
    assert _found() == ["1 file a second copy"]


def test_a_wrapped_key_of_no_round_and_of_one_that_the_server_holds_are_found(company):
    cycle_id, _ = company.open()
    content = _wrapped_elsewhere()
    _write(f"{uuid.uuid4()}.wrapped", content)
    _write(f"{cycle_id}.wrapped", content)
    assert _found() == ["2 files for no round that is open or being counted"]


def test_a_wrapped_key_that_others_can_read_is_found(company):
    cycle_id, _ = custodians.open_held(company)
    _file(cycle_id, ".wrapped").chmod(0o644)
    assert _found() == ["1 file with rights beyond 0600"]


def _found() -> list[str]:
    with context.installation().engine.connect() as connection:
        return [phrase for look in keys.look(connection, _keyring()) for phrase in look.found]


def _keyring() -> Keyring:
    return context.installation().keyring


def _file(cycle_id: uuid.UUID, suffix: str) -> Path:
    return _keyring().directory / f"{cycle_id}{suffix}"


def _write(name: str, content: bytes) -> None:
    path = _keyring().directory / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)


def _wrapped_elsewhere() -> bytes:
    other, cycle_id = Keyring(_keyring().directory.parent / "other", _keyring().effort), uuid.uuid4()
    other.make_wrapped(cycle_id, ONE)
    return (other.directory / f"{cycle_id}.wrapped").read_bytes()


@pytest.fixture
def cheap_guesses(app):
    custodians.guess_cheaply()
