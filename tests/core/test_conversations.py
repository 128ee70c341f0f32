"""What helps a manager prepare the conversation: questions of the page itself, and what not to conclude."""

from __future__ import annotations

import pytest

from survey.core import conversations
from survey.core.sections import Section
from tests import portraits

CASES = list(portraits.GROUPS)


@pytest.mark.parametrize("case", CASES)
def test_questions_are_few_and_stand_on_the_page_under_the_heading_that_they_name(case):
    prompts = conversations.prompts(portraits.edition(case, is_own=False).report)
    assert 3 <= len(prompts) <= 4
    for prompt in prompts:
        assert prompt.text in portraits.PAGE.items(prompt.section)
        assert prompt.page == "Product Stability, level 3"
    assert {prompt.section for prompt in prompts} == {Section.QUESTIONS_TO_ASK_YOURSELF, Section.SEEK_FEEDBACK}


@pytest.mark.parametrize("case", CASES)
def test_every_report_comes_with_what_not_to_conclude(case):
    edition = portraits.edition(case, is_own=False)
    said = " ".join(conversations.cautions(edition.report, edition.subject))
    assert "cannot be compared with those of colleagues" in said
    assert "who said what" in said
    figures = [figure for row in edition.report.rows.values() for figure in row.figures]
    assert ("There is no figure from others" in said) is not bool(figures)
    assert ("A band" in said) is any(figure.band for figure in figures)
    if figures:
        assert f"rests on {min(figure.n for figure in figures)}." in said
