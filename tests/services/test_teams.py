"""Team views: who sees which teams, and that nothing in them moves once the round has opened."""

from __future__ import annotations

import statistics
import uuid

import pytest

from survey import context
from survey.core.access import Standing
from survey.core.errors import NotFound, Unsafe
from survey.core.nodes import Kind
from survey.services import cycles, erasures, teams
from survey.store.cycles import Review
from tests.organisation import paths


def test_people_operations_sees_the_whole_tree_and_no_team_that_would_tell_about_few(sixty):
    # dora's half is held back: beside dirk's it would leave the two of them. lotte has a team of four.
    assert shown(sixty, "noor") == {
        "": 57,
        "dirk": 30,
        "lea": 9,
        "lars": 7,
        "lena": 6,
        "luis": 12,
        "lin": 5,
        "petra": 5,
    }


def test_a_manager_sees_the_part_below_them(sixty):
    assert shown(sixty, "dirk") == {"dirk": 30, "luis": 12, "lin": 5, "petra": 5}
    assert shown(sixty, "luis") == {"luis": 12}
    # Beside lea's and lars's, lena's team would leave the three who lead them.
    assert shown(sixty, "hanna")["lena"] == 6


def test_a_team_of_four_shows_nothing(sixty):
    with context.reading() as session:
        view = teams.view(session, sixty.cycle_id, sixty.ids["lotte"])
    assert (view.nodes, view.withheld) == ((), 1)


def test_the_teams_are_those_of_the_day_on_which_the_round_opened(sixty):
    # Three of lea's nine went to lars before the release: beside the six reports that she reads, nine tell theirs.
    assert shown(sixty, "lea") == {}
    assert shown(sixty, "lars") == {"lars": 7}
    with context.reading() as session:
        frozen = {row.id: row.managers for row in session.query(Review)}
    names = sixty.names()
    for name, managers in paths(sixty).items():
        assert [names[type(sixty.cycle_id)(manager)] for manager in frozen[sixty.reviews[name]]] == managers


def test_a_figure_is_what_the_ratings_behind_published_cells_give(sixty):
    with context.reading() as session:
        view = teams.view(session, sixty.cycle_id, sixty.ids["noor"])
        items = {
            name: {item.text: item.key for item in cycles.questionnaire(session.get(Review, review)).items}
            for name, review in sixty.reviews.items()
        }
    by_id, checked = sixty.names(), 0
    for node in view.nodes:
        for line in node.lines:
            figure = line.figures.get(Kind.MEAN)
            if figure is None:
                continue
            ratings = []
            for subject in node.team.subjects:
                name = by_id[type(sixty.cycle_id)(subject)]
                key = items[name].get(line.sentence.text)
                groups = {}
                for _, kind, answers in sixty.said[name]:
                    if answers.ratings.get(key) is not None:
                        groups.setdefault(kind, []).append(answers.ratings[key])
                answered = [kind for _, kind, _ in sixty.said[name]]
                pooled = [kind for kind in groups if answered.count(kind) < 4]
                if len(pooled) == 1:  # small groups that are alone are dropped
                    del groups[pooled[0]]
                assert len(pooled) < 2
                ratings += [rating for own in groups.values() if len(own) >= 4 for rating in own]
            assert figure.n == len(ratings)
            assert abs(figure.value - statistics.mean(ratings)) <= figure.margin + 1e-9
            checked += 1
    assert checked > 40


def test_how_people_stand_to_the_teams_of_a_round(sixty):
    def standing(name):
        with context.reading() as session:
            return teams.standing(session, sixty.cycle_id, sixty.ids[name])

    assert standing("lea") == standing("hanna") == {Standing.MANAGES}
    assert standing("lea-0") == standing("noor") == frozenset()


def test_the_list_has_the_rounds_of_which_somebody_may_see_teams(sixty):
    with context.reading() as session:
        listed = {name: len(teams.readable(session, sixty.ids[name])) for name in ("noor", "lars", "lea-0", "petra")}
    assert listed == {"noor": 1, "lars": 1, "lea-0": 0, "petra": 1}


@pytest.mark.parametrize("name", ["lars-0", "lea-0"])
def test_for_whom_there_is_no_team_there_are_no_figures(sixty, name):
    with context.reading() as session, pytest.raises(NotFound):
        teams.view(session, sixty.cycle_id, sixty.ids[name])


def test_before_the_release_there_are_no_figures(company):
    cycle_id, _ = company.open()
    with context.reading() as session, pytest.raises(NotFound):
        teams.view(session, cycle_id, company.ids["noor"])


@pytest.mark.parametrize("gone", [["luis-3"], ["dora"], ["lea-4", "lin-2"], ["dirk", "lars-0", "petra-1"]])
def test_after_an_erasure_everybody_sees_the_same_figures_as_before_or_none(sixty, gone):
    readers = ("noor", "hanna", "dirk", "dora", "luis", "lars", "petra")
    with context.reading() as session:
        before = {name: figures(session, sixty, name) for name in readers}
    with context.installation().write() as session:
        for name in gone:
            erasures.erase(session, sixty.ids[name], actor_id=sixty.ids["noor"], now=context.now())
        after = {name: figures(session, sixty, name) for name in readers if name not in gone}
        session.rollback()
    for name, seen in after.items():
        assert seen.items() <= before[name].items()
    assert after["noor"]


def test_after_an_erasure_the_teams_that_the_person_stood_in_are_not_shown(sixty):
    with context.installation().write() as session:
        erasures.erase(session, sixty.ids["luis-3"], actor_id=sixty.ids["noor"], now=context.now())
        view = teams.view(session, sixty.cycle_id, sixty.ids["noor"])
        assert {sixty.names()[uuid.UUID(node.team.key)] for node in view.nodes} == {
            "lea",
            "lars",
            "lena",
            "lin",
            "petra",
        }
        assert (view.erased, view.withheld) == (3, 5)
        with pytest.raises(NotFound, match="has been erased"):
            teams.view(session, sixty.cycle_id, sixty.ids["luis"])
        session.rollback()


def test_after_more_erasures_than_can_be_thought_through_nothing_is_shown(sixty):
    with context.installation().write() as session:
        for number in range(4):
            erasures.erase(session, sixty.ids[f"luis-{number}"], actor_id=sixty.ids["noor"], now=context.now())
        for name in ("noor", "dirk", "luis"):
            with pytest.raises(NotFound, match="More than 3 reports have been erased"):
                teams.view(session, sixty.cycle_id, sixty.ids[name])
        assert teams.view(session, sixty.cycle_id, sixty.ids["dora"]).nodes
        session.rollback()


def test_the_auditor_looks_at_what_is_seen_together_before_anything_is_shown(sixty, monkeypatch):
    asked = []

    def refuse(nodes, reviews, *, known, k):
        asked.append((len(reviews), len(known), k))
        raise Unsafe("No.")

    monkeypatch.setattr(teams.nodes, "audit_union", refuse)
    with context.reading() as session, pytest.raises(Unsafe):
        teams.view(session, sixty.cycle_id, sixty.ids["petra"])
    assert asked == [(len(sixty.reviews), 6, 4)]


def figures(session, sixty, name):
    """Every figure that this person sees, by team, sentence and kind."""
    try:
        view = teams.view(session, sixty.cycle_id, sixty.ids[name])
    except NotFound:
        return {}
    return {
        (node.team.key, line.sentence.text, kind): (figure.value, figure.n, figure.subjects)
        for node in view.nodes
        for line in node.lines
        for kind, figure in line.figures.items()
    }


def shown(sixty, name):
    """The sizes of the teams that this person is shown, by the manager's first name."""
    with context.reading() as session:
        view = teams.view(session, sixty.cycle_id, sixty.ids[name])
    names = sixty.names()
    return {
        names[type(sixty.cycle_id)(node.team.key)] if node.team.key else "": len(node.team.subjects)
        for node in view.nodes
    }
