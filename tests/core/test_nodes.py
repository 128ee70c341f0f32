"""A team's figures are made of published cells, and what one person sees together isolates nobody (R6, A10)."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from survey.core import nodes, teams
from survey.core.disclosure import Band, Cell, Group
from survey.core.errors import BadInput, Unsafe
from survey.core.nodes import Kind, Reason, Review, audit_union, build
from survey.core.questionnaires import EVERYBODY, FREQUENCY, SEEN, SELF_AND_MANAGER, Item, Part, Questionnaire
from survey.core.sections import Section
from survey.core.teams import Team, grow

BEHAVIOR = Item("1.key_behaviors.1", Section.KEY_BEHAVIORS, "Leads.", FREQUENCY, EVERYBODY)
STRUGGLE = Item("1.common_struggles.1", Section.COMMON_STRUGGLES, "Hides problems.", SEEN, EVERYBODY)
SIGNAL = Item("1.signals.1", Section.SIGNALS_READY_TO_LEVEL_UP, "Is ready.", SEEN, SELF_AND_MANAGER)
QUESTION = Item("1.seek_feedback.1", Section.SEEK_FEEDBACK, "What now?", None, EVERYBODY)
ASKED = Questionnaire((Part("page", "Stability", 3, 1, "", (BEHAVIOR, STRUGGLE, SIGNAL, QUESTION)),))
K = 4


def test_a_mean_rests_on_every_cell_and_a_share_on_those_with_a_distribution():
    reviews = [review(f"s{n}", peers=(4, 4, 4, 5, 3, 2)) for n in range(5)] + [review("s5", peers=(3, 3, 3, 4))]
    (line,) = lines(reviews)
    assert line.figures == {
        Kind.MEAN: nodes.Figure((5 * 22 + 13) / 34, 34, 6),
        Kind.FAVOURABLE: nodes.Figure(4 / 6, 30, 5),
    }
    assert line.missing == {}


def test_a_band_counts_with_its_middle_and_says_how_far_that_may_be_off():
    reviews = [review(f"s{n}", peers=(5, 5, 5, 5)) for n in range(4)] + [review("s4", peers=(3, 3, 3, 3))]
    (line,) = lines(reviews)
    mean = line.figures[Kind.MEAN]
    assert (mean.value, mean.margin) == ((4 * 4 * 4.75 + 12) / 20, 0.25 * 16 / 20)
    assert abs(mean.value - (4 * 4 * 5 + 12) / 20) <= mean.margin
    low = lines([review(f"s{n}", peers=(1, 1, 1, 2)) for n in range(5)])[0].figures[Kind.MEAN]
    assert (low.value, low.margin) == (1.25, 0.25)


def test_of_struggles_the_low_end_is_the_good_one_and_two_points_have_no_mean():
    reviews = [review(f"s{n}", item=STRUGGLE, peers=(1, 1, 1, 1, 1, 2)) for n in range(5)]
    line = next(line for line in lines(reviews) if line.sentence.section is Section.COMMON_STRUGGLES)
    assert line.figures == {Kind.FAVOURABLE: nodes.Figure(25 / 30, 30, 5)}
    assert line.sentence.favourable == "not seen"
    assert lines(reviews_of(5))[0].sentence.favourable == "often or always"


def test_self_and_manager_are_in_no_figure():
    alone = [
        replace(each, cells=(*each.cells, *(Cell(BEHAVIOR.key, group, 1, 1) for group in (Group.SELF, Group.MANAGER))))
        for each in reviews_of(5)
    ]
    assert lines(alone) == lines(reviews_of(5))
    assert [line.sentence.text for line in build(whole(alone), alone)[0].lines] == ["Leads.", "Hides problems."]


def test_the_same_words_on_two_pages_are_one_sentence():
    twice = Questionnaire(
        (*ASKED.parts, Part("other", "Other", 3, 1, "", (replace(BEHAVIOR, key="2.key_behaviors.1"),)))
    )
    reviews = [
        Review(f"s{n}", twice, (cell(BEHAVIOR.key, (4,) * 6), cell("2.key_behaviors.1", (2,) * 6))) for n in range(5)
    ]
    figure = lines(reviews)[0].figures[Kind.MEAN]
    assert (figure.value, figure.n, figure.subjects) == (3.0, 60, 5)
    other = replace(BEHAVIOR, text="Leads!")
    assert len(build(whole(reviews), [*reviews, Review("x", page(other), ())])[0].lines) == 2


def test_what_is_missing_says_why():
    tree = Team("top", names("t", 4), (Team("part", names("p", 6)),))
    asked = [review(name, peers=(3, 4, 3, 4) if name == "p0" else (3, 4, 3, 4, 3, 4)) for name in sorted(tree.subjects)]
    top, *rest = build(tree, asked)
    assert rest == []  # six of ten: the other four would be known
    assert set(top.lines[0].figures) == set(Kind)
    assert top.lines[1].missing == {Kind.FAVOURABLE: Reason.TOO_FEW}
    tree = Team("top", names("t", 5), (Team("part", names("p", 6)),))
    asked = [review(name, peers=(3, 4, 3, 4) if name == "t0" else (3, 4, 3, 4, 3, 4)) for name in sorted(tree.subjects)]
    _, part = build(tree, asked)
    assert part.lines[0].missing == {Kind.FAVOURABLE: Reason.REST}
    assert Kind.MEAN in part.lines[0].figures


def test_a_sentence_that_was_asked_elsewhere_only_is_no_line_of_the_team():
    tree = Team("top", names("t", 6), (Team("part", names("p", 6)),))
    elsewhere = page(replace(BEHAVIOR, text="Follows."))
    asked = [
        Review(name, elsewhere if name.startswith("p") else page(BEHAVIOR), (cell(BEHAVIOR.key, (3,) * 6),))
        for name in sorted(tree.subjects)
    ]
    top, part = build(tree, asked)
    assert {line.sentence.text for line in top.lines} == {"Leads.", "Follows."}
    assert [line.sentence.text for line in part.lines] == ["Follows."]


def test_who_stands_in_the_tree_twice_is_refused():
    for tree in (
        Team("a", names("s", 6), (Team("b", names("s", 6)),)),
        Team("a", names("s", 6), (Team("a", frozenset()),)),
    ):
        with pytest.raises(BadInput):
            build(tree, reviews_of(6))


def test_the_auditor_passes_what_was_built_and_refuses_what_was_changed():
    reviews = reviews_of(6)
    built = build(whole(reviews), reviews)
    audit_union(built, reviews, k=K)
    line = built[0].lines[0]
    for kind in Kind:
        wrong = replace(line.figures[kind], value=line.figures[kind].value + 0.01)
        changed = replace(built[0], lines=(replace(line, figures={**line.figures, kind: wrong}),))
        with pytest.raises(Unsafe):
            audit_union([changed], reviews, k=K)
    invented = replace(line, sentence=replace(line.sentence, text="Never asked."))
    with pytest.raises(Unsafe):
        audit_union([replace(built[0], lines=(invented,))], reviews, k=K)


def test_the_auditor_refuses_cells_under_the_minimum_and_a_single_other_rater():
    few = [review(f"s{n}", peers=(3, 4, 2)) for n in range(6)]
    with pytest.raises(Unsafe):
        audit_union(build(whole(few), few), few, known=["s0"], k=K)
    two = [review(f"s{n}", peers=(3, 4)) for n in range(6)]
    with pytest.raises(Unsafe, match="One rater could isolate another"):
        audit_union((), two, known=["s0"], k=2)


@dataclass(frozen=True)
class Situation:
    """One person in front of what they see: the whole tree of a cycle, its reviews, the reports that they read."""

    tree: Team
    reviews: tuple[Review, ...]
    known: frozenset[str]


@settings(max_examples=250)
@given(st.data())
def test_no_combination_of_what_one_person_sees_rests_on_few_strangers_or_few_raters(data):
    situation = data.draw(situations())
    built = build(situation.tree, situation.reviews, known=situation.known)
    audit_union(built, situation.reviews, known=situation.known, k=K)
    assert leaks(built, situation) == set()


def no_rest(team, everybody, strangers):
    return [
        below
        for part in team.teams
        if teams._is_enough(part.subjects, everybody, strangers)
        for below in (part, *no_rest(part, everybody, strangers))
    ]


def each_part_alone(team, everybody, strangers):
    """R6 to the letter: five in the part, and nobody or five in what it leaves of its parent."""
    return [
        below
        for part in team.teams
        if teams._is_enough(part.subjects, everybody, strangers)
        and not 0 < len((team.subjects - part.subjects) & everybody) < 5
        for below in (part, *each_part_alone(part, everybody, strangers))
    ]


def strangers_forgotten(team, everybody, strangers):
    return REAL(team, everybody, everybody)


def subjects_of_the_cycle(tree, subjects, *, known=()):
    return [team for team in PUBLISHABLE(tree, tree.subjects, known=known) if team.subjects & set(subjects)]


def no_rule(tree, subjects, *, known=()):
    return [team for team in tree.tree if team.subjects & set(subjects)]


REAL = teams._parts
PUBLISHABLE = teams.publishable
MUTANTS = {
    "the complement is left out": (teams, "_parts", no_rest),
    "each part is held against its parent alone": (teams, "_parts", each_part_alone),
    "reports that the reader has are forgotten": (teams, "_parts", strangers_forgotten),
    "subjects without a figure are counted": (teams, "publishable", subjects_of_the_cycle),
    "no rule at all": (teams, "publishable", no_rule),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_each_weakened_build_is_caught_by_the_attacker_and_stopped_by_the_auditor(mutant, monkeypatch):
    module, name, weak = MUTANTS[mutant]
    for situation in PLANTED:
        assert leaks(build(situation.tree, situation.reviews, known=situation.known), situation) == set()
    monkeypatch.setattr(module, name, weak)
    caught = 0
    for situation in PLANTED:
        built = build(situation.tree, situation.reviews, known=situation.known)
        if leaks(built, situation):
            caught += 1
            with pytest.raises(Unsafe):
                audit_union(built, situation.reviews, known=situation.known, k=K)
    assert caught


def leaks(built, situation):
    """What an attacker finds who adds and subtracts all figures, from outside the product: "subjects", "raters".

    The figures of a tree are laminar sets, so that factors of -1, 0 and 1 reach everything that can be reached.
    Known reports are taken away: whoever reads them can.
    """
    found = set()
    for sentence in {line.sentence for node in built for line in node.lines}:
        for kind in Kind:
            cells = {
                each.subject: [
                    cell for cell in each.cells if cell.item == key_of(sentence) and (kind is Kind.MEAN or cell.n >= 6)
                ]
                for each in situation.reviews
            }
            strangers = sorted(subject for subject, own in cells.items() if own and subject not in situation.known)
            rows = [
                [int(subject in node.team.subjects) for subject in strangers]
                for node in built
                for line in node.lines
                if line.sentence == sentence and kind in line.figures
            ]
            if not rows or not strangers:
                continue
            factors = np.stack(np.meshgrid(*[[-1, 0, 1]] * len(rows)), axis=-1).reshape(-1, len(rows))
            left = factors @ np.array(rows) != 0
            subjects = left.sum(axis=1)
            # An insider knows one rating in every cell: more than any person does.
            raters = left @ np.array([sum(cell.n for cell in cells[subject]) for subject in strangers])
            others = left @ np.array([sum(cell.n - 1 for cell in cells[subject]) for subject in strangers])
            if ((subjects > 0) & (subjects < 5)).any():
                found.add("subjects")
            if ((raters > 0) & (raters < K)).any() or (others == 1).any():
                found.add("raters")
    return found


@st.composite
def situations(draw):
    managers, paths = ["m0"], {"m0": ()}
    for number in range(1, draw(st.integers(2, 6))):
        above = draw(st.sampled_from([manager for manager in managers if len(paths[manager]) < 2]))
        paths[f"m{number}"] = (*paths[above], above)
        managers.append(f"m{number}")
    for manager in managers:
        for index in range(draw(st.sampled_from((0, 2, 4, 5, 6, 8)))):
            paths[f"{manager}-{index}"] = (*paths[manager], manager)
    dice = random.Random(draw(st.integers(0, 10**6)))
    observed = draw(st.sampled_from((0.6, 0.9, 1.0)))
    reviews = tuple(random_review(subject, dice, observed) for subject in sorted(paths))
    known = draw(
        st.one_of(
            st.just(frozenset()),
            st.sampled_from(sorted(paths)).map(lambda one: frozenset({one})),
            st.sampled_from(managers).map(lambda one: grow(paths, top=one).subjects | {one}),
            st.frozensets(st.sampled_from(sorted(paths))),
        )
    )
    top = draw(st.sampled_from(["", *managers]))
    return Situation(grow(paths, top=top), reviews, known)


def random_review(subject, dice, observed):
    cells = []
    for item in (BEHAVIOR, STRUGGLE):
        for group, most in ((Group.PEER, 8), (Group.DIRECT_REPORT, 5)):
            ratings = [
                dice.randint(1, item.scale.points) for _ in range(dice.randint(0, most)) if dice.random() < observed
            ]
            if len(ratings) >= K:
                cells.append(cell(item.key, ratings, group, item.scale.points))
    return Review(subject, ASKED, tuple(cells))


def review(subject, *, item=BEHAVIOR, peers):
    return Review(subject, ASKED, (cell(item.key, peers, points=item.scale.points),))


def cell(key, ratings, group=Group.PEER, points=5):
    """As the rules of disclosure publish it."""
    n, total = len(ratings), sum(ratings)
    if n >= 6:
        counts = tuple(list(ratings).count(point) for point in range(1, points + 1))
        return Cell(key, group, n, total, counts)
    if 2 * total >= n * (2 * points - 1):
        return Cell(key, group, n, band=Band.HIGH)
    if 2 * total <= 3 * n:
        return Cell(key, group, n, band=Band.LOW)
    return Cell(key, group, n, total)


def page(*items):
    return Questionnaire((Part("page", "Stability", 3, 1, "", items),))


def reviews_of(number):
    return [review(f"s{n}", peers=(4, 4, 4, 5, 3, 2)) for n in range(number)]


def whole(reviews):
    return Team("", frozenset(each.subject for each in reviews))


def lines(reviews):
    """What the whole shows, of sentences of which something is shown."""
    (node,) = build(whole(reviews), reviews)
    return [line for line in node.lines if line.figures]


def names(team, number):
    return frozenset(f"{team}{index}" for index in range(number))


def key_of(sentence):
    return next(item.key for item in ASKED.items if item.text == sentence.text)


def planted(tree, known=(), without=()):
    """Six raters about everybody, but none about those in `without`."""
    return Situation(
        tree,
        tuple(
            Review(name, ASKED, ()) if name in without else review(name, peers=(3, 4, 3, 4, 5, 2))
            for name in sorted(tree.subjects)
        ),
        frozenset(known),
    )


A, B = Team("a", names("a", 6)), Team("b", names("b", 6))
PLANTED = (
    planted(Team("top", names("top", 2), (A,))),
    planted(Team("top", names("top", 3), (A, B))),
    planted(Team("top", names("top", 5), (A,)), known=["a0", "a1"]),
    planted(Team("top", names("top", 6), (A,)), without=["a0", "a1", "a2"]),
)
