"""A4: a dump after every answer and one after the close, the app's secret and the key directory after the tally."""

from __future__ import annotations

import base64
import dataclasses

import pytest
from sqlalchemy import text

from survey import context
from survey.store.keys import Keyring
from tests.attacks import attackers, weakened
from tests.attacks.rounds import as_built

RATERS = 8


@pytest.mark.parametrize("keyring", weakened.KEYRINGS)
def test_a_key_that_can_be_found_or_made_again_opens_every_old_dump(gather, app, keyring):
    _use(app, keyring)
    found, crowd = _attack(gather, app)
    assert _words(found) == set(crowd.truth.values())


def test_while_the_round_is_open_the_key_directory_opens_the_envelopes(gather, app):
    crowd = gather(RATERS)
    crowd.answer(as_built)
    keys = attackers.candidate_keys(_secrets(app), [], context.installation().keyring.directory)
    assert _words(attackers.opened(_boxes(crowd.engine), keys)) == set(crowd.truth.values())


def test_nothing_opens_an_old_dump_once_the_answers_are_counted(gather, app):
    found, _ = _attack(gather, app)
    assert found == []


def _attack(gather, app):
    """What opens of all boxes that were ever there, with everything that is left after the tally."""
    crowd = gather(RATERS)
    boxes, dumps = set(), []
    for _ in range(RATERS):
        crowd.answer(as_built, first=1)
        boxes.update(_boxes(crowd.engine))
        dumps.append(attackers.dump(crowd.engine))
    crowd.close_and_count()
    dumps.append(attackers.dump(crowd.engine))
    crowd.vacuum()
    dumps.append(attackers.dump(crowd.engine))
    assert len(boxes) == RATERS
    keys = attackers.candidate_keys(_secrets(app), dumps, context.installation().keyring.directory)
    assert len(keys) > 20
    return attackers.opened(sorted(boxes), keys), crowd


def _boxes(engine):
    with engine.connect() as connection:
        return [bytes(box) for box in connection.scalars(text("SELECT box FROM envelope"))]


def _secrets(app):
    """The app's secret as it is written, and as the bytes that it may stand for."""
    secret = app.config["SECRET_KEY"]
    return [secret.encode(), base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))]


def _words(found):
    return {text_.split()[0] for response in found for text_ in response.answers.comments.values()}


def _use(app, keyring: type[Keyring]):
    """The app with another keyring over the same directory."""
    parts = app.extensions[context.EXTENSION]
    app.extensions[context.EXTENSION] = dataclasses.replace(parts, keyring=keyring(parts.keyring.directory))
