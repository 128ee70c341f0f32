"""Names are found and sorted as people think of them, whatever keys and programs they were typed with."""

from __future__ import annotations

import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey.core import names

CASINGS = (str, str.upper, str.lower, str.title, str.swapcase, str.casefold)
FORMS = ("NFC", "NFD", "NFKC", "NFKD")
LETTERS = st.characters(
    categories=("L", "M"), exclude_characters="".join(map(chr, range(0x1F000, 0x1F9FF))), max_codepoint=0xFFFF
)
TRICKY = st.sampled_from("aäßıİŁøÆ'’ʼ-‑ΣςήüÖéÇşŞ")
WORDS = st.text(st.one_of(LETTERS, TRICKY), min_size=1, max_size=8)
NAMES = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)


@given(NAMES, st.data())
def test_a_part_of_a_name_finds_it_in_any_case_and_any_normal_form(name, data):
    begin = data.draw(st.integers(0, len(name) - 1))
    part = name[begin : data.draw(st.integers(begin + 1, len(name)))]
    typed = data.draw(st.sampled_from(CASINGS))(part)
    typed = unicodedata.normalize(data.draw(st.sampled_from(FORMS)), typed)
    kept = unicodedata.normalize(data.draw(st.sampled_from(FORMS)), name)
    assert names.fits(typed, kept)


@given(NAMES)
def test_what_is_folded_is_the_same_when_it_is_folded_again(name):
    assert names.folded(names.folded(name)) == names.folded(name)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("özlem", "Özlem Şahin"),
        ("OZLEM SAHIN", "Özlem Şahin"),
        ("sahin özlem", "Özlem Şahin"),
        ("O'Brien", "Siobhán O’Brien"),
        ("OʼBRIEN", "Siobhán O'Brien"),
        ("obrien", "Siobhán O’Brien"),
        ("ipek", "İpek"),
        ("ISIK", "Işık"),
        ("strasse", "Anna Straße"),
        ("STRAẞE", "Anna Straße"),
        ("lukasz", "Łukasz"),
        ("soren", "Søren"),
        ("aesir", "Æsir"),
        ("anne-marie", "Anne‑Marie"),
        ("nguyen", "Nguyễn"),
        ("李", "李小龍"),
        ("احمد", "أَحْمَد"),
        ("김", "김민준"),
        ("ΓΙΏΡΓΟΣ", "Γιώργος"),
    ],
)
def test_people_are_found_as_others_type_them(typed, name):
    assert names.fits(typed, name)


def test_others_are_not_found():
    assert not names.fits("özlem b", "Özlem Şahin")
    assert not names.fits("o brien x", "Siobhán O’Brien")
    assert not names.fits("李", "王小明")


def test_marks_alone_look_for_nothing():
    assert names.words("´ ' \u0308") == []


def test_names_stand_in_the_order_in_which_people_look_for_them():
    there = ["Ann", "Änne", "Ärne", "Arno", "Łukasz", "Lydia", "O’Brien", "Obst", "Özlem", "Pia", "zoe", "Zora", "李"]
    mixed = random.Random(8).sample(there, len(there))
    assert sorted(mixed, key=names.in_order) == there
