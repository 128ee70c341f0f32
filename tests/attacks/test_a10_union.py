"""A10: all reports and all team figures that one person may see together, and linear algebra over the union."""

from __future__ import annotations

import pytest

from survey import context
from survey.core import nodes
from survey.core import teams as tree
from survey.core.errors import Unsafe
from survey.services import teams
from tests.attacks import unions
from tests.organisation import K

READERS = ("noor", "petra", "hanna", "dora", "dirk", "lea", "lars", "luis", "lotte", "lea-0")


@pytest.mark.parametrize("name", READERS)
def test_what_one_person_sees_together_isolates_nobody(sixty, name):
    assert unions.findings(sixty, name, K) == set()


def test_the_attacker_has_something_to_work_with(sixty):
    seen = {name: list(unions.look(sixty, name)) for name in ("noor", "petra", "dirk")}
    assert all(max(len(each.teams) for each in seen[name]) >= 4 for name in ("noor", "petra"))
    assert max(len(each.reports) for each in seen["dirk"]) > 15
    assert not any(each.reports for each in seen["noor"])


def without_rest(team, everybody, strangers):
    return [
        below
        for part in team.teams
        if tree._is_enough(part.subjects, everybody, strangers)
        for below in (part, *without_rest(part, everybody, strangers))
    ]


def without_strangers(team, subjects, *, known=()):
    return PUBLISHABLE(team, subjects)


def without_rules(team, subjects, *, known=()):
    return [each for each in team.tree if each.subjects & set(subjects)]


def per_team(team, subjects, *, known=()):
    """The subjects of the team are counted, whether they have a figure for the sentence or not."""
    return [each for each in PUBLISHABLE(team, team.subjects, known=known) if each.subjects & set(subjects)]


PUBLISHABLE = tree.publishable
MUTANTS = {
    "no rule for what is left of the parent": (tree, "_parts", without_rest, "noor"),
    "reports that the reader has are forgotten": (tree, "publishable", without_strangers, "lea"),
    "no rule at all": (tree, "publishable", without_rules, "noor"),
    "subjects without a figure are counted": (tree, "publishable", per_team, "noor"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_each_weakened_build_is_caught_and_its_page_shows_nothing(sixty, monkeypatch, mutant):
    module, name, weak, reader = MUTANTS[mutant]
    monkeypatch.setattr(module, name, weak)
    with context.reading() as session, pytest.raises(Unsafe):
        teams.view(session, sixty.cycle_id, sixty.ids[reader])
    assert sixty.sign_in(reader).get(f"/teams/{sixty.cycle_id}").status_code == 503
    monkeypatch.setattr(nodes, "audit_union", lambda *args, **kwargs: None)
    assert "subjects" in unions.findings(sixty, reader, K)


def test_the_attackers_algebra_finds_what_only_several_figures_together_betray():
    two, four, eight = frozenset({8, 9}), frozenset(range(4)), frozenset(range(8))
    assert unions.isolated([four, eight], 4) is None
    assert unions.isolated([four, eight, eight | two], 4) == two
    assert unions.isolated([four | two, eight | two, eight], 3) == two
