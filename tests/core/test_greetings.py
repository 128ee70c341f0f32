"""The launcher's own words in a mail are data, with four placeholders."""

from __future__ import annotations

import pytest

from survey.core.errors import BadInput
from survey.core.greetings import check, fill

VALUES = {"{name}": "Ana {round}", "{round}": "Spring", "{last day}": "1 May", "{company}": "ACME"}


def test_each_placeholder_is_replaced_once():
    assert fill("{name}, {round} ends on {last day}.", VALUES) == "Ana {round}, Spring ends on 1 May."


@pytest.mark.parametrize("text", ["{{ 7 * 7 }}", "{% raw %}", "{name.__class__}", "{surname}"])
def test_what_is_no_placeholder_is_refused_by_name(text):
    with pytest.raises(BadInput, match="none of the placeholders"):
        check(f"Dear {text},")


def test_words_of_a_template_stay_words():
    assert fill("{{ 7 * 7 }}", VALUES) == "{{ 7 * 7 }}"


@pytest.mark.parametrize("text", ["See https://elsewhere.test", "www.elsewhere.test"])
def test_a_second_link_is_refused(text):
    with pytest.raises(BadInput, match="leave links out"):
        check(text)


def test_words_are_cleaned_and_bounded():
    assert check(" Dear all,\r\n\r\nplease \x00answer. ") == "Dear all,\n\nplease answer."
    with pytest.raises(BadInput, match="1,001 characters"):
        check("a" * 1001)
