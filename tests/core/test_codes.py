"""Codes that people copy from one screen to another."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey.core import codes
from survey.core.errors import BadInput

SECRETS = st.binary(min_size=codes.SECRET_SIZE, max_size=codes.SECRET_SIZE)
SECRET = bytes(range(16))


@given(SECRETS)
def test_every_secret_has_a_code_of_seven_groups_that_reads_back(secret):
    code = codes.spell(secret)
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){6}[0-9A-HJKMNP-TV-Z]{4}", code)
    assert codes.read(code) == secret


@given(SECRETS, st.sampled_from(["lower", "spaces", "dashes", "misread", "around"]))
def test_a_code_is_read_however_it_was_typed(secret, way):
    code = codes.spell(secret)
    typed = {
        "lower": code.lower(),
        "spaces": code.replace("-", "  "),
        "dashes": code.replace("-", "\u2013"),
        "misread": code.replace("0", "o").replace("1", "l"),
        "around": f"\n {code}.\t",
    }[way]
    assert codes.read(typed) == secret


@given(SECRETS, st.data())
def test_a_slip_is_hardly_ever_taken_for_another_code(secret, data):
    code = codes.spell(secret)
    place = data.draw(st.sampled_from([index for index, char in enumerate(code) if char != "-"]))
    slip = data.draw(st.sampled_from([char for char in codes.ALPHABET if char != code[place]]))
    try:
        # One slip in 4,096 goes unseen, and then opens nothing.
        assert codes.read(code[:place] + slip + code[place + 1 :]) != secret
    except BadInput as error:
        assert "slip" in str(error)  # noqa: PT017 - either is right


def test_nearly_all_slips_of_one_letter_are_seen():
    code = codes.spell(SECRET)
    unseen = tried = 0
    for place, char in enumerate(code):
        for slip in codes.ALPHABET.replace(char, "") if char != "-" else "":
            tried += 1
            try:
                codes.read(code[:place] + slip + code[place + 1 :])
                unseen += 1
            except BadInput:
                continue
    assert tried == 28 * 31
    assert unseen <= 3


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "this one has 0"),
        ("ABCD", "this one has 4"),
        ("A" * 29, "this one has 29"),
        ("U" * 28, "“U” is in no code"),
        ("é" * 28, "“É” is in no code"),
        ("\ud800", "this one has 0"),
    ],
)
def test_what_is_no_code_is_refused_with_a_sentence(typed, sentence):
    with pytest.raises(BadInput, match=sentence) as refusal:
        codes.read(typed)
    assert "Nothing was changed" in str(refusal.value)
