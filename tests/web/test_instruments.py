"""How a round measured, as people operations reads it, and nobody else."""

from __future__ import annotations

import re

import pytest

from survey import context
from survey.core.measurements import Measurement
from survey.services import instruments
from tests import counting, dozen


@pytest.mark.parametrize(("name", "status"), [("noor", 200), ("marta", 403), ("sam", 403), ("ana", 403)])
def test_only_people_operations_sees_it(company, name, status):
    cycle_id, _ = company.run()
    assert company.sign_in(name).get(f"/rounds/{cycle_id}/instrument").status_code == status


def test_it_says_first_in_plain_words_how_far_averages_carry(company):
    page, found = _measured(company)
    share = f"about {100 * found.reliability.icc_k:.0f} % of the differences between people are more than chance"
    assert f"With 6 raters per person, {share}" in page
    assert page.index(share) < page.index("<table") < page.index("ICC(1)")
    assert f"it takes {found.reliability.raters_needed} rater" in page
    assert "100 % of all who were asked have answered." in page


def test_every_sentence_has_its_line_and_every_coefficient_its_words(company):
    page, found = _measured(company)
    assert page.count('<th scope="row">') == sum(len(each.items) for each in found.pages) > 5
    for figure in (found.reliability.icc_1, found.reliability.icc_k, found.pages[0].alpha, found.pages[0].halo):
        assert f"{figure:.2f}" in page
    assert "Cronbach's alpha" in page.replace("&#39;", "'")


def test_a_sentence_that_many_could_not_observe_is_flagged(company, monkeypatch):
    real = dozen._tick
    monkeypatch.setattr(dozen, "_tick", lambda dice, *args: None if dice.random() < 0.35 else real(dice, *args))
    page, found = _measured(company)
    flagged = sum(item.needs_rewording for each in found.pages for item in each.items)
    assert flagged > 1
    assert page.count("Reword: many could not observe it") == flagged
    assert f"{flagged} sentences were “not observed” by more than 30 %" in page


def test_under_ten_people_it_says_why_there_is_nothing(company):
    cycle_id, _ = company.run()
    page = _main(company.sign_in("noor").get(f"/rounds/{cycle_id}/instrument").text)
    assert "Too few people to say" in page
    assert "<table" not in page
    assert not re.search(r"\d %", page)


def test_before_the_release_there_is_nothing(company):
    made = dozen.answered(company)
    counting.count()
    assert company.sign_in("noor").get(f"/rounds/{made.cycle_id}/instrument").status_code == 404


def test_a_released_round_leads_there_for_people_operations_alone(company):
    cycle_id, _ = company.run()
    path = f"/rounds/{cycle_id}/instrument"
    assert path in company.sign_in("noor").get(f"/rounds/{cycle_id}").text
    assert path not in company.sign_in("marta").get(f"/rounds/{cycle_id}").text


def test_nobody_is_named_on_it(company):
    page, _ = _measured(company)
    names = [company.person(name).name for name in company.ids]
    assert not any(name in page for name in names)


def _measured(company) -> tuple[str, Measurement]:
    made = dozen.answered(company)
    counting.count()
    company.release(made.cycle_id)
    with context.reading() as session:
        found = instruments.read(session, made.cycle_id).measurement
    return _main(company.sign_in("noor").get(f"/rounds/{made.cycle_id}/instrument").text), found


def _main(page: str) -> str:
    return page.split("<main", 1)[1].split("</main>", maxsplit=1)[0]
