"""Team figures in the browser: for people operations and for managers, without a name of anybody under review."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from survey import context
from survey.core.audit import Event
from survey.core.errors import Unsafe
from survey.services import teams
from survey.store.audit import AuditEntry


@pytest.mark.parametrize(
    ("name", "status", "listed"),
    [("noor", 200, 200), ("dirk", 200, 200), ("luis", 200, 200), ("luis-0", 404, 403), ("lea-0", 404, 403)],
)
def test_teams_are_there_for_people_operations_and_for_those_who_manage_one(sixty, name, status, listed):
    client = sixty.sign_in(name)
    assert client.get(f"/teams/{sixty.cycle_id}").status_code == status
    assert client.get("/teams").status_code == listed


def test_the_page_names_teams_by_their_managers_and_nobody_else(sixty):
    page = main(sixty.sign_in("dirk").get(f"/teams/{sixty.cycle_id}").text)
    assert "Everybody who reports to you" in page
    assert "Team of Luis of Company" in page
    named = {name for name in sixty.ids if f"{name.capitalize()} of Company" in page}
    assert named == {"luis", "lin", "petra"}


def test_every_figure_says_what_it_rests_on_and_every_gap_says_why(sixty):
    page = main(sixty.sign_in("luis").get(f"/teams/{sixty.cycle_id}").text)
    assert page.count('class="bar"') == page.count(" %</strong>") > 0
    assert page.count("<tr>") > 3
    assert page.count("ratings about") >= page.count("<strong>")
    assert "often or always" in page
    assert "Fewer than five people have enough answers." in page


def test_of_struggles_the_page_counts_who_has_not_seen_them(sixty):
    page = main(sixty.sign_in("noor").get(f"/teams/{sixty.cycle_id}").text)
    assert "not seen" in page.split("Common Struggles", 1)[1]


def test_a_team_that_is_too_small_shows_a_sentence(sixty):
    page = main(sixty.sign_in("lotte").get(f"/teams/{sixty.cycle_id}").text)
    assert "No figures for this team" in page
    assert "<table" not in page


def test_after_an_erasure_the_page_says_which_figures_are_gone_and_why(sixty, monkeypatch):
    monkeypatch.setattr(teams, "_erased", lambda session, cycle_id: {str(sixty.ids["luis-3"])})
    page = main(sixty.sign_in("noor").get(f"/teams/{sixty.cycle_id}").text)
    assert "3 teams are not shown any more: a report in each of them has been erased" in page
    assert "2 teams are not shown: fewer than five people" in page
    assert "Team of Lin of Company" in page
    assert "Everybody in this round" not in page
    gone = sixty.sign_in("luis").get(f"/teams/{sixty.cycle_id}")
    assert gone.status_code == 404
    assert "A report of this team has been erased." in gone.text


def test_when_the_auditor_objects_nothing_is_shown_and_it_is_in_the_log(sixty, monkeypatch):
    def refuse(*args, **kwargs):
        raise Unsafe("What is seen together would isolate somebody.")

    monkeypatch.setattr(teams.nodes, "audit_union", refuse)
    answer = sixty.sign_in("noor").get(f"/teams/{sixty.cycle_id}")
    assert answer.status_code == 503
    assert "nothing is shown" in answer.text
    assert "%" not in main(answer.text)
    with context.reading() as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.number.desc())).first()
    assert (entry.event, entry.about, entry.actor_id) == (Event.AUDITOR_OBJECTED, sixty.cycle_id, None)


def test_a_released_round_leads_to_its_teams(sixty):
    assert f"/teams/{sixty.cycle_id}" in sixty.sign_in("noor").get(f"/rounds/{sixty.cycle_id}").text
    assert f"/teams/{sixty.cycle_id}" in sixty.sign_in("luis").get("/teams").text


def main(page):
    return page.split("<main", 1)[1].split("</main>")[0]
