"""How a whole cycle measured: what is kept, what it rests on, and what must not be in it."""

from __future__ import annotations

import random

from survey.core import instruments, measurements, questionnaires
from survey.core.competencies import Page
from survey.core.questionnaires import Questionnaire
from survey.core.relationships import Relationship
from survey.core.responses import Answers, Response

PEER, MANAGER, SELF = Relationship.PEER, Relationship.MANAGER, Relationship.SELF


def test_below_ten_subjects_with_answers_there_is_nothing():
    assert measure(cycle(subjects=9)) is None
    assert measure([*cycle(subjects=9), (QUESTIONS, [])]) is None
    assert measure(cycle(subjects=10)) is not None


def test_self_and_manager_are_in_no_figure():
    without = cycle()
    loud = [
        (asked, [*said, *(Response(kind, Answers(dict.fromkeys(KEYS, 1), {})) for kind in (SELF, MANAGER))])
        for asked, said in without
    ]
    assert measure(loud) == measure(without)


def test_figures_are_rounded_to_two_decimals_and_say_nothing_of_one_subject():
    found = measure(cycle())
    numbers = [found.reliability.icc_1, found.reliability.icc_k, found.pages[0].alpha, found.pages[0].halo]
    numbers += [figure for item in found.pages[0].items for figure in (item.not_observed, item.top, item.item_total)]
    assert len(numbers) == 4 + 3 * len(KEYS)
    assert all(number == round(number, 2) for number in numbers)
    assert found.subjects == 12


def test_a_page_with_fewer_than_ten_subjects_has_no_figures():
    other = build("other")
    mixed = cycle(subjects=10) + cycle(subjects=9, asked=other)
    assert [page.title for page in measure(mixed).pages] == ["Care, level 2"]
    assert len(measure(cycle(subjects=10) + cycle(subjects=10, asked=other)).pages) == 2


def test_an_item_that_people_of_too_few_subjects_observed_has_no_top_share_and_still_its_flag():
    rounds = cycle()
    for number, (_, said) in enumerate(rounds):
        for response in said:
            if number > 8:
                response.answers.ratings[KEYS[0]] = None
    blind = measure(rounds).pages[0].items[0]
    assert (blind.top, blind.item_total) == (None, None)
    assert blind.not_observed > 0


def test_an_item_that_a_third_could_not_observe_is_flagged():
    rounds = cycle()
    for _, said in rounds:
        for response in said[:3]:
            response.answers.ratings[KEYS[1]] = None
    flags = [item.needs_rewording for item in measure(rounds).pages[0].items]
    assert flags == [False, True, False]


def test_a_tenth_of_the_answers_and_at_least_k_stay_out_of_the_table_of_items():
    drawn = []

    def sample(numbers, size):
        drawn.append((len(numbers), size))
        return random.Random(1).sample(numbers, size)

    measure(cycle(), sample=sample)
    measure(cycle(subjects=20), sample=sample)
    assert drawn == [(12 * 6, 72 - 8), (20 * 6, 120 - 12)]
    measure(cycle(), k=10, sample=sample)
    assert drawn[-1] == (72, 62)


def test_counts_of_the_table_depend_on_who_was_left_out_and_reliability_does_not():
    rounds = cycle()
    found = [measure(rounds, sample=random.Random(seed).sample) for seed in range(20)]
    assert len({tuple(item.top for item in one.pages[0].items) for one in found}) > 1
    assert len({(one.reliability, one.pages[0].alpha, one.pages[0].halo) for one in found}) == 1


def test_a_top_rating_that_was_held_back_cannot_be_told_from_one_that_was_not():
    """Whoever knows all published counts takes them away; both hidden answers remain possible."""
    seen = []
    for hidden in (1, 5):
        rounds = cycle()
        rounds[0] = (QUESTIONS, [Response(PEER, Answers({**rounds[0][1][0].answers.ratings, KEYS[0]: hidden}, {}))])
        seen.append({measure(rounds, sample=random.Random(seed).sample).pages[0].items[0].top for seed in range(300)})
    assert len(seen[0] & seen[1]) >= 0.6 * len(seen[0] | seen[1])


def test_whoever_observed_fewer_than_half_has_no_average():
    rounds = cycle()
    before = measure(rounds).reliability
    for _, said in rounds:
        said.append(Response(PEER, Answers({KEYS[0]: 1, KEYS[1]: None, KEYS[2]: None}, {})))
    assert measure(rounds).reliability == before


def test_averages_of_fewer_than_three_behaviors_are_too_close_to_what_reports_print():
    two = build("two", behaviors=("Asks.", "Listens."))
    found = measure(cycle(asked=two))
    assert found.reliability is None
    assert [item.text for item in found.pages[0].items] == ["Asks.", "Listens."]


def test_no_reliability_where_all_agree_on_everybody():
    found = measure([(QUESTIONS, [answer([4, 4, 4]) for _ in range(6)]) for _ in range(12)])
    assert found.reliability is None
    assert found.pages[0].alpha is None
    assert [item.top for item in found.pages[0].items] == [0.0] * 3


def test_the_answer_rate_is_a_share_and_missing_where_nobody_was_invited():
    assert measure(cycle(), attendance=(2, 3)).answer_rate == 0.67
    assert measure(cycle(), attendance=(0, 0)).answer_rate is None


def test_raters_needed_follow_from_the_stored_figure_alone():
    found = measure(cycle()).reliability
    needed = instruments.raters_needed(found.icc_1)
    assert found.raters_needed - 1 < needed <= found.raters_needed


def build(page_id: str, behaviors=("Asks.", "Listens.", "Helps.")) -> Questionnaire:
    page = Page(
        competency="Care",
        level=2,
        success_indicators=behaviors,
        seek_feedback=("How?",),
    )
    return questionnaires.build([(page_id, 1, "Care", page)], blocks=[])


QUESTIONS = build("page")
KEYS = [item.key for item in QUESTIONS.items if item.scale is not None]


def cycle(*, subjects=12, asked=None):
    """Six peers each, who see three behaviors."""
    dice = random.Random(7)
    made = []
    for _ in range(subjects):
        height = dice.gauss(3.5, 0.6)
        said = [answer([min(max(round(dice.gauss(height, 0.8)), 1), 5) for _ in KEYS]) for _ in range(6)]
        made.append((asked or QUESTIONS, said))
    return made


def answer(ratings):
    return Response(PEER, Answers(dict(zip(KEYS, ratings, strict=True)), {}))


def measure(reviews, *, k=4, attendance=(72, 80), sample=None):
    return measurements.measure(reviews, k=k, attendance=attendance, sample=sample or random.Random(3).sample)
