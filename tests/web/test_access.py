"""Who may open what: every page is marked, and the table decides."""

from __future__ import annotations

import pytest

from survey import context
from survey.core.access import Action, Role, Standing, is_allowed
from tests.company import csrf

PUBLIC = {
    "accounts.sign_in",
    "accounts.ask_sign_in",
    "accounts.confirm",
    "accounts.enter",
    "accounts.sign_out",
    "accounts.confirm_address",
    "company_accounts.leave",
    "company_accounts.back",
    "operations.livez",
    "operations.metrics",
    "operations.readyz",
    "responses.start",
    "responses.enter",
    "responses.index",
    "responses.answer",
    "responses.decline",
    "responses.thanks",
    "responses.resume",
    "responses.leave",
    "responses.stay",
    "responses.later",
    "responses.later_from_mail",
    "mailings.stop",
}


def test_every_page_is_marked_and_exactly_these_need_no_account(app):
    views = {name: view for name, view in app.view_functions.items() if name != "static"}
    assert all(hasattr(view, "action") for view in views.values())
    assert {name for name, view in views.items() if view.action is None} == PUBLIC


def test_a_page_without_a_mark_does_not_exist(app):
    app.add_url_rule("/unmarked", "unmarked", lambda: "secret")
    assert app.test_client().get("/unmarked").status_code == 404


def test_every_page_behind_the_sign_in_refuses_a_stranger(company):
    cycle_id, review_id = company.run()
    values = {
        "cycle_id": cycle_id,
        "review_id": review_id,
        "page_id": company.page_id,
        "person_id": company.ids["sam"],
        "import_id": company.ids["sam"],
    }
    adapter = company.app.url_map.bind("localhost")
    for rule in company.app.url_map.iter_rules():
        if rule.endpoint in PUBLIC | {"static"}:
            continue
        path = adapter.build(rule.endpoint, {name: values[name] for name in rule.arguments})
        answer = company.app.test_client().get(path) if "GET" in rule.methods else None
        if answer is not None:
            assert answer.status_code == 303, path
            assert answer.location.startswith("/sign-in")


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("ana", "/rounds", 403),
        ("ana", "/rounds/new", 403),
        ("ana", "/people", 403),
        ("ana", "/pages/import", 403),
        ("ana", "/reports", 200),
        ("ana", "/people/import", 403),
        ("ana", "/people/new", 403),
        ("marta", "/people", 200),
        ("marta", "/people/new", 403),
        ("marta", "/people/import", 403),
        ("marta", "/people/import/everybody.csv", 403),
        ("marta", "/rounds", 200),
        ("noor", "/people", 200),
        ("noor", "/rounds", 200),
        ("ana", "/teams", 403),
        ("marta", "/teams", 200),
        ("noor", "/teams", 200),
    ],
)
def test_roles_see_their_pages(company, name, path, status):
    assert company.sign_in(name).get(path).status_code == status


def test_a_manager_runs_only_the_rounds_that_they_launched(company):
    cycle_id, review_id = company.draft()
    with context.transaction() as session:
        person = session.get(type(company.person("ana")), company.ids["ana"])
        person.role = Role.MANAGER
    for path in (
        f"/rounds/{cycle_id}/setup",
        f"/rounds/{cycle_id}/setup/people",
        f"/rounds/{cycle_id}/setup/raters",
        f"/rounds/{cycle_id}/setup/questions",
        f"/rounds/{cycle_id}/setup/dates",
        f"/rounds/{cycle_id}/setup/words",
        f"/rounds/{cycle_id}/open",
        f"/rounds/{cycle_id}/delete",
        f"/reviews/{review_id}/raters",
        f"/rounds/{cycle_id}/reviews/{review_id}/preview",
    ):
        assert company.sign_in("ana").get(path).status_code == 403, path
        assert company.sign_in("marta").get(path).status_code == 200, path


@pytest.mark.parametrize("page", ["preview", "remove"])
def test_a_review_is_not_there_under_the_address_of_another_round(company, page):
    (one, review), (other, _) = company.draft(), company.draft()
    for name in ("marta", "noor"):
        client = company.sign_in(name)
        assert client.get(f"/rounds/{one}/reviews/{review}/{page}").status_code == 200
        assert client.get(f"/rounds/{other}/reviews/{review}/{page}").status_code == 404


@pytest.mark.parametrize(("name", "status"), [("sam", 200), ("marta", 200), ("ana", 404), ("noor", 404)])
def test_a_report_is_there_for_its_subject_and_their_manager_alone(company, name, status):
    _, review_id = company.run()
    assert company.sign_in(name).get(f"/reports/{review_id}").status_code == status


@pytest.mark.parametrize(("name", "status"), [("sam", 404), ("marta", 200), ("ana", 404), ("noor", 200)])
def test_team_figures_are_there_for_managers_of_the_team_and_people_operations(company, name, status):
    cycle_id, _ = company.run()
    assert company.sign_in(name).get(f"/teams/{cycle_id}").status_code == status


def test_team_figures_are_there_for_nobody_before_the_release(company):
    cycle_id, _ = company.open()
    for name in ("marta", "noor"):
        assert company.sign_in(name).get(f"/teams/{cycle_id}").status_code == 404


def test_a_report_is_there_for_nobody_before_its_release(company):
    cycle_id, review_id = company.open()
    company.close(cycle_id)
    company.count()
    for name in ("sam", "marta", "noor"):
        assert company.sign_in(name).get(f"/reports/{review_id}").status_code == 404


def test_a_request_without_the_forms_token_changes_nothing(company):
    cycle_id, _ = company.draft()
    client = company.sign_in("marta")
    assert client.post(f"/rounds/{cycle_id}/open").status_code == 400
    page = client.get(f"/rounds/{cycle_id}/open")
    assert client.post(f"/rounds/{cycle_id}/open", data={"csrf_token": csrf(page.text)}).status_code == 303


@pytest.mark.parametrize("role", Role)
def test_a_plan_is_changed_by_its_subject_alone_and_a_conversation_prepared_by_a_manager(role):
    assert is_allowed(Action.CHANGE_PLAN, role, frozenset({Standing.OWN}))
    assert not is_allowed(Action.CHANGE_PLAN, role, frozenset(Standing) - {Standing.OWN, Standing.ANYONE})
    assert is_allowed(Action.READ_PLAN, role, frozenset({Standing.MANAGES}))
    assert not is_allowed(Action.READ_PLAN, role)
    assert is_allowed(Action.PREPARE_CONVERSATION, role, frozenset({Standing.MANAGES}))
    assert not is_allowed(Action.PREPARE_CONVERSATION, role, frozenset({Standing.OWN, Standing.LAUNCHED}))


def test_what_the_table_does_not_name_is_denied():
    assert not is_allowed(Action.CHANGE_PEOPLE, Role.ENGINEER, frozenset(Standing) - {Standing.ANYONE})
    assert not is_allowed(Action.RUN_CYCLE, Role.MANAGER)
    assert is_allowed(Action.RUN_CYCLE, Role.MANAGER, frozenset({Standing.LAUNCHED}))
    assert not is_allowed(Action.SEE_TEAM, Role.MANAGER)
    assert not is_allowed(Action.SEE_TEAM, Role.ENGINEER, frozenset(Standing) - {Standing.ANYONE})
