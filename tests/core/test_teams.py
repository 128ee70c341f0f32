"""Every subject has one place in the tree, and no figure leaves one to four people between it and another (R6)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey.core.teams import EVERYBODY, Team, grow, lasting, path, publishable

CHART = {"ceo": None, "dora": "ceo", "emil": "ceo", "ana": "dora", "ben": "dora", "cleo": "emil", "dev": "cleo"}


def test_a_path_names_the_managers_from_the_top_down():
    assert path("dev", CHART) == ("ceo", "emil", "cleo")
    assert path("ceo", CHART) == ()
    assert path("a stranger", CHART) == ()


def test_a_circle_of_managers_is_cut_in_one_place_whoever_is_asked_about():
    circle = {"a": "b", "b": "c", "c": "a", "x": "b", "y": "x"}
    assert {person: path(person, circle) for person in circle} == {
        "a": (),
        "c": ("a",),
        "b": ("a", "c"),
        "x": ("a", "c", "b"),
        "y": ("a", "c", "b", "x"),
    }
    assert path("alone", {"alone": "alone"}) == ()


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.none() | st.sampled_from("abcdefgh"), min_size=1))
def test_whatever_the_chart_everybody_has_one_place_and_each_manager_one_team(chart):
    tree = grow({person: path(person, chart) for person in chart})
    assert sorted(person for team in tree.tree for person in team.members) == sorted(chart)
    keys = [team.key for team in tree.tree]
    assert len(set(keys)) == len(keys)


def test_a_manager_stands_among_the_colleagues_and_not_in_their_own_team():
    tree = grow({person: path(person, CHART) for person in CHART})
    teams = {team.key: team for team in tree.tree}
    assert teams[EVERYBODY].members == {"ceo"}
    assert teams["ceo"].members == {"dora", "emil"}
    assert teams["dora"].subjects == {"ana", "ben"}
    assert teams["emil"].subjects == {"cleo", "dev"}


def test_the_part_below_one_manager_is_cut_out_of_the_whole():
    paths = {person: path(person, CHART) for person in CHART}
    part = grow(paths, top="emil")
    assert (part.key, part.subjects) == ("emil", {"cleo", "dev"})
    assert grow(paths, top="nobody's manager").subjects == frozenset()


def test_a_team_that_says_the_same_as_the_one_below_takes_its_place():
    # Neither the head nor the director is under review: only the six who report to the director are.
    paths = dict.fromkeys("abcdef", ("head", "director"))
    assert grow(paths) == Team(EVERYBODY, frozenset("abcdef"))
    assert grow(paths, top="head") == Team("head", frozenset("abcdef"))


def test_a_team_of_fewer_than_five_subjects_is_not_shown():
    assert keys(Team("t", people("t", 5))) == ["t"]
    assert keys(Team("t", people("t", 4))) == []


def test_only_those_count_on_whom_the_figure_rests():
    team = Team("t", people("t", 9))
    assert publishable(team, [*sorted(team.subjects)[:4], *people("elsewhere", 9)]) == ()


@pytest.mark.parametrize(("direct", "shown"), [(0, ["top", "a", "b"]), (4, ["top", "a"]), (5, ["top", "a", "b"])])
def test_what_is_left_of_the_parent_beside_all_its_parts_is_nobody_or_five(direct, shown):
    # Each part and its parent are harmless together; both parts and the parent leave the direct ones.
    tree = Team("top", people("top", direct), (Team("a", people("a", 7)), Team("b", people("b", 6))))
    assert keys(tree) == shown


@pytest.mark.parametrize(("direct", "shown"), [(3, ["top"]), (4, ["top", "inner"]), (5, ["top", "outer"])])
def test_in_place_of_a_team_that_is_not_shown_stand_those_below_it(direct, shown):
    inner = Team("inner", people("inner", 6))
    tree = Team("top", people("top", direct), (Team("outer", people("outer", 1), (inner,)),))
    assert keys(tree) == shown


def test_of_the_people_whose_reports_stay_closed_nobody_is_left_or_five():
    tree = Team("top", people("top", 9), (Team("a", people("a", 8)),))
    assert keys(tree, known=people("a", 3)) == ["top", "a"]
    assert keys(tree, known=people("a", 4)) == ["top"]
    assert keys(tree, known=people("a", 8)) == ["top", "a"]
    assert keys(tree, known=people("top", 6)) == ["top"]
    assert keys(tree, known=people("top", 9)) == ["top", "a"]


@given(st.data())
def test_every_sum_and_difference_is_about_nobody_or_about_five_strangers(data):
    tree, everybody = data.draw(trees())
    known = data.draw(st.sets(st.sampled_from(sorted(everybody))))
    rated = data.draw(st.sets(st.sampled_from(sorted(everybody)), min_size=len(everybody) // 2))
    shown = [team.subjects & rated for team in publishable(tree, rated, known=known)]
    assert all(len(team) >= 5 for team in shown)
    for factors in itertools.product((-1, 0, 1), repeat=len(shown)):
        weights = dict.fromkeys(everybody, 0)
        for factor, team in zip(factors, shown, strict=True):
            for person in team:
                weights[person] += factor
        left = {person for person, weight in weights.items() if weight} - known
        assert not left or len(left) >= 5


def test_after_an_erasure_no_team_is_shown_that_was_not_shown_before():
    # Beside both parts one was left, who is erased now: b would be the top's people of before, less a and that one.
    tree = Team("top", frozenset({"x"}), (Team("a", people("a", 7)), Team("b", people("b", 6))))
    left = tree.subjects - {"x"}
    assert keys(tree) == ["top", "a"]
    assert [team.key for team in publishable(tree, left)] == ["top", "a", "b"]
    assert [team.key for team in lasting(tree, left, lost={"x"})] == ["a"]


def test_after_an_erasure_the_teams_that_nobody_was_lost_from_stay():
    tree = Team("top", people("top", 7), (Team("a", people("a", 7)), Team("b", people("b", 9))))
    left = tree.subjects - {"b0"}
    assert [team.key for team in lasting(tree, left, lost={"b0"})] == ["a"]
    assert [team.key for team in lasting(tree, tree.subjects, lost=())] == ["top", "a", "b"]


@given(st.data())
def test_whatever_was_lost_had_been_nothing_is_shown_beside_what_was_shown_before(data):
    tree, everybody = data.draw(trees())
    some = st.sets(st.sampled_from(sorted(everybody)))
    rated, known = data.draw(some) | set(sorted(everybody)[::2]), data.draw(some)
    lost = data.draw(st.sets(st.sampled_from(sorted(everybody)), min_size=1, max_size=2))
    before = publishable(tree, rated, known=known)
    after = lasting(tree, rated - lost, known=known - lost, lost=lost)
    assert set(after) <= {team for team in before if not team.subjects & lost}


def people(team, number):
    return frozenset(f"{team}{index}" for index in range(number))


def keys(tree, known=()):
    return [team.key for team in publishable(tree, tree.subjects, known=known)]


@st.composite
def trees(draw):
    """A tree of two to four levels with up to seven managers, and everybody in it."""
    managers = ["m0"]
    paths = {"m0": ()}
    for number in range(1, draw(st.integers(2, 6))):
        above = draw(st.sampled_from([manager for manager in managers if len(paths[manager]) < 2]))
        paths[f"m{number}"] = (*paths[above], above)
        managers.append(f"m{number}")
    for manager in managers:
        for index in range(draw(st.sampled_from((0, 3, 4, 5, 6, 9)))):
            paths[f"{manager}-{index}"] = (*paths[manager], manager)
    return grow(paths), frozenset(paths)
