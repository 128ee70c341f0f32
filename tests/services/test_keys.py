"""Destroyed means destroyed: only the one directory of keys counts, and a key that is missing is told."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

import config as settings
from survey import app as wiring
from survey import context
from survey.core.cycles import Phase
from survey.core.errors import BadInput, CopyOfKeys, KeysElsewhere
from survey.core.letters import Kind
from survey.services import cycles
from survey.services import keys as services
from survey.store.cycles import Cycle
from survey.store.keys import MARK, Keyring
from tasks import keys, tally
from tests import counting


def _cycle(cycle_id: uuid.UUID) -> Cycle:
    with context.reading() as session:
        return cycles.get(session, cycle_id)


def _answered(company) -> uuid.UUID:
    cycle_id, _ = company.open()
    for token in company.tokens().values():
        company.answer(token)
    return cycle_id


@pytest.fixture
def elsewhere(app, tmp_path, monkeypatch):
    """From when it is called, this process is a host with another directory of keys."""

    def use(directory: Path) -> Keyring:
        parts = app.extensions[context.EXTENSION]
        keyring = Keyring(directory, parts.keyring.effort)
        monkeypatch.setitem(app.extensions, context.EXTENSION, replace(parts, keyring=keyring))
        return keyring

    return use


def _key(cycle_id: uuid.UUID, directory: Path) -> Path:
    return directory / f"{cycle_id}.key"


def test_a_host_that_never_had_the_key_calls_nothing_destroyed(company, elsewhere, tmp_path, monkeypatch):
    cycle_id, here = _answered(company), context.installation().keyring.directory
    company.close(cycle_id)
    with monkeypatch.context() as held:
        held.setattr(counting.keys, "begin_destroying", lambda *_, **__: [])
        company.count()
    elsewhere(tmp_path / "another")
    with pytest.raises(KeysElsewhere):
        tally.finish()
    assert _key(cycle_id, here).exists()
    assert not _cycle(cycle_id).is_key_destroyed
    elsewhere(here)
    tally.finish()
    assert not _key(cycle_id, here).exists()
    assert _cycle(cycle_id).is_key_destroyed


def test_a_mount_point_whose_disk_is_away_takes_no_key(company, elsewhere, tmp_path):
    _answered(company)
    there = context.installation().keyring.directory
    there.rename(tmp_path / "away")
    with pytest.raises(KeysElsewhere, match="has no mark"):
        company.open()
    there.mkdir(mode=0o700)
    with pytest.raises(KeysElsewhere, match="has no mark"):
        company.open()
    assert list(there.iterdir()) == []


def test_the_directory_of_another_installation_takes_no_key(company, tmp_path):
    _answered(company)
    there = context.installation().keyring
    before = there.mark()
    there.put_mark(replace(before, installation=uuid.uuid4()))
    with pytest.raises(KeysElsewhere, match="another installation"):
        company.open()
    there.put_mark(before)
    company.open()


def test_a_copy_of_the_directory_is_known_and_no_key_is_called_destroyed_meanwhile(company, elsewhere, tmp_path, clock):
    cycle_id, here = _answered(company), context.installation().keyring.directory
    shutil.copytree(here, tmp_path / "copy")
    assert keys.watch() == 0
    elsewhere(tmp_path / "copy")
    with pytest.raises(CopyOfKeys):
        company.open()
    keys.watch()
    elsewhere(here)
    company.close(cycle_id)
    company.count()
    assert _cycle(cycle_id).phase == Phase.TALLIED
    assert not _cycle(cycle_id).is_key_destroyed
    assert _key(cycle_id, here).exists()
    clock.move(minutes=61)
    tally.finish()
    assert _cycle(cycle_id).is_key_destroyed
    assert not _key(cycle_id, here).exists()


def test_a_worker_killed_between_destroying_a_key_and_saying_so_does_both_again(company, monkeypatch):
    cycle_id = _answered(company)
    company.close(cycle_id)
    with monkeypatch.context() as killed:
        killed.setattr(counting.keys, "begin_destroying", lambda *_, **__: [])
        company.count()
    with monkeypatch.context() as killed:
        killed.setattr(tally.base, "vacuum", _die)
        with pytest.raises(KeyboardInterrupt):
            tally.finish()
    assert not context.installation().keyring.is_kept(cycle_id)
    assert not _cycle(cycle_id).is_key_destroyed
    tally.finish()
    assert _cycle(cycle_id).is_key_destroyed


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_number_that_was_written_and_not_committed_locks_nobody_out(company):
    _answered(company)
    keyring = context.installation().keyring
    for _ in range(3):
        with context.transaction() as session:
            services.turn(session, keyring)
            session.rollback()
    keys.watch()
    company.open()


def test_a_first_round_that_did_not_open_leaves_a_directory_that_can_be_used(company, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr("survey.store.openings.mailings.plan_round", _fail)
        with pytest.raises(BadInput):
            company.open()
    company.open()


def _fail(*_: object, **__: object) -> None:
    raise BadInput("no")


def test_a_key_that_is_missing_is_told_to_people_operations_within_the_hour(company, clock, tmp_path):
    cycle_id = _answered(company)
    company.close(cycle_id)
    list(company.letters())
    kept = context.installation().keyring.directory
    _key(cycle_id, kept).rename(tmp_path / "aside")
    for _ in range(12):
        keys.watch()
        clock.move(minutes=5)
    told = [letter for letter, _ in company.letters() if letter.kind == Kind.KEY_MISSING]
    assert [letter.address for letter in told] == ["noor@company.test"]
    (tmp_path / "aside").rename(_key(cycle_id, kept))
    keys.watch()
    assert _cycle(cycle_id).key_missed_at is None
    company.count()
    assert _cycle(cycle_id).is_key_destroyed


def test_a_disk_that_is_away_for_a_moment_is_told_to_nobody(company, clock, tmp_path):
    cycle_id = _answered(company)
    list(company.letters())
    kept = context.installation().keyring.directory
    kept.rename(tmp_path / "away")
    keys.watch()
    (tmp_path / "away").rename(kept)
    clock.move(minutes=5)
    keys.watch()
    clock.move(minutes=5)
    keys.watch()
    assert [letter for letter, _ in company.letters() if letter.kind == Kind.KEY_MISSING] == []
    assert _cycle(cycle_id).key_missed_at is None


def test_nothing_that_serves_people_is_made_on_a_directory_that_is_not_the_right_one(company, environ, clock, tmp_path):
    _answered(company)
    there = context.installation().keyring.directory
    wiring.create_app(settings.load(environ), clock=clock)
    there.rename(tmp_path / "away")
    with pytest.raises(settings.BadConfig, match="has no mark"):
        wiring.create_app(settings.load(environ), clock=clock)
    wiring.create_app(settings.load(environ), clock=clock, is_command=True)


def test_an_installation_from_before_the_mark_gets_it_where_all_its_keys_are(company, elsewhere, tmp_path):
    _answered(company)
    here = context.installation().keyring.directory
    (here / MARK).unlink()
    with context.transaction() as session:
        session.delete(session.get(services.key_places.KeyPlace, "keys"))
    elsewhere(tmp_path / "another")
    with pytest.raises(KeysElsewhere, match="lacks the keys of 1 round"):
        company.open()
    elsewhere(here)
    keys.watch()
    assert context.installation().keyring.mark() is not None
