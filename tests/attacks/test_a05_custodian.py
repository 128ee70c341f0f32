"""A5: everything that lies on the server while a round is open: a dump, the app's secret, the directory of keys."""

from __future__ import annotations

import json
import re

import pytest
from nacl.pwhash import argon2id
from sqlalchemy import select

from survey import context
from survey.services import tally
from survey.store.envelopes import Envelope
from survey.store.keys import MARK
from survey.store.reports import Report
from tests import custodians
from tests.attacks import attackers
from tests.custodians import ONE, TWO

ANSWERS = 4


def test_the_weakened_build_keeps_the_key_and_the_attacker_opens_everything(company):
    cycle_id, _ = company.open()
    _answer(company)
    assert len(attackers.opened(_boxes(), _candidates(company))) == ANSWERS
    company.close(cycle_id)


@pytest.mark.parametrize("passphrases", [ONE, TWO])
def test_with_custodians_nothing_opens_while_the_round_is_open_nor_before_they_unlock_it(company, passphrases):
    cycle_id, _ = custodians.open_held(company, passphrases)
    _answer(company)
    boxes = _boxes()
    assert attackers.opened(boxes, _candidates(company)) == []
    company.close(cycle_id)
    assert attackers.opened(boxes, _candidates(company)) == []


def test_one_of_two_custodians_who_attacks_opens_nothing(company):
    custodians.open_held(company, TWO)
    _answer(company)
    own, other = TWO
    known = [own.encode(), *_derived(own)]
    assert attackers.opened(_boxes(), _candidates(company, *known)) == []
    assert attackers.opened(_boxes(), _candidates(company, other.encode(), *_derived(other))) == []


def test_nothing_that_the_program_writes_holds_a_passphrase(company):
    cycle_id, _ = custodians.open_held(company, TWO)
    company.close(cycle_id)
    custodians.unlock(company, cycle_id, TWO)
    written = attackers.dump(context.installation().engine)
    written |= {file.name: file.read_bytes() for file in context.installation().keyring.directory.iterdir()}
    assert attackers.read(written, TWO).total() == 0


def test_after_the_count_the_wrapped_key_is_gone_with_the_other(company):
    cycle_id, review_id = custodians.open_held(company)
    _answer(company)
    boxes = _boxes()
    before = _candidates(company)
    company.close(cycle_id)
    custodians.unlock(company, cycle_id)
    folder = context.installation().keyring.directory
    assert {file.suffix for file in folder.iterdir() if file.name != MARK} == {".key", ".wrapped"}
    company.count()
    assert [file.name for file in folder.iterdir()] == [MARK]
    with context.reading() as session:
        assert session.get(Report, review_id) is not None
        assert list(tally.waiting(session)) == []
    assert attackers.opened(boxes, before | _candidates(company)) == []


def _answer(company) -> None:
    for token in list(company.tokens().values())[:ANSWERS]:
        company.answer(token, words="Something to say.")


def _boxes() -> list[bytes]:
    with context.reading() as session:
        return list(session.scalars(select(Envelope.box)))


def _candidates(company, *more: bytes) -> set[bytes]:
    """All that the attacker tries: what lies there as it is, and every stretch of it that is as long as a key."""
    folder = context.installation().keyring.directory
    files = [file.read_bytes() for file in folder.iterdir()]
    pieces = {piece for content in files for piece in _stretches(content)}
    pieces |= {piece for content in files for each in _in_hex(content) for piece in _stretches(each)}
    secret = company.app.config["SECRET_KEY"].encode()
    written = attackers.dump(context.installation().engine)
    return attackers.candidate_keys([secret, *more], [written], folder) | pieces | _bound(pieces, secret)


def _stretches(content: bytes) -> set[bytes]:
    return {content[start : start + 32] for start in range(max(0, len(content) - 31))}


def _in_hex(content: bytes) -> list[bytes]:
    return [bytes.fromhex(found.decode()) for found in re.findall(rb"\b(?:[0-9a-f]{2}){16,}\b", content)]


def _bound(pieces: set[bytes], secret: bytes) -> set[bytes]:
    """The pieces with the app's secret laid over them, as a program would that wrapped the key with it."""
    return {bytes(a ^ b for a, b in zip(piece, secret, strict=False)) for piece in pieces}


def _derived(passphrase: str) -> list[bytes]:
    """What one custodian gets out of the wrapped key alone: the hashes of their own passphrase with either salt."""
    (file,) = context.installation().keyring.directory.glob("*.wrapped")
    wrapped = json.loads(file.read_bytes())
    return [
        argon2id.kdf(32, passphrase.encode(), bytes.fromhex(salt), wrapped["passes"], wrapped["memory"])
        for salt in wrapped["salts"]
    ]


@pytest.fixture(autouse=True)
def cheap_guesses(app):
    custodians.guess_cheaply()
