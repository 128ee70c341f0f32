"""Paths that no log may hold: operators are told all of them, and no browser tells them on."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from werkzeug.serving import make_server

import config as settings
from survey import context
from survey.app import create_app
from survey.services import sign_ins
from survey.web import unlogged
from tests import servers
from tests.company import Company
from tests.conftest import Browser

OPERATIONS = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
SECRETS = {"token", "invitation_id"}
HARMLESS = {
    "operations.livez",
    "operations.readyz",
    "operations.metrics",
    "accounts.sign_out",
    "static",
}
"""Public routes that may be logged: nothing about a rater or a sign-in is in their paths."""
EXAMPLES = {
    "nginx": r'location ~ "(\S+)" \{\s+access_log off;\s+error_log /dev/null emerg;',
    "caddy": r"@unlogged path_regexp (\S+)\n\s+log_skip @unlogged",
    "apache": r'SetEnvIf Request_URI "(\S+)" unlogged\nCustomLog .* env=!unlogged\n<LocationMatch "\1">',
}


def test_every_route_without_an_account_or_with_a_secret_has_its_place_on_the_list(app):
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint not in HARMLESS]
    secret = [rule.rule for rule in rules if _is_public(app, rule) or SECRETS & rule.arguments]
    assert len(secret) > 12
    assert [path for path in secret if not unlogged.is_unlogged(path)] == []


def test_the_list_silences_nothing_else(app):
    others = [rule.rule for rule in app.url_map.iter_rules() if not _is_public(app, rule)]
    assert [path for path in others if unlogged.is_unlogged(path)] == []
    assert not unlogged.is_unlogged("/reports")
    assert not unlogged.is_unlogged("/feedbacks")


@pytest.mark.parametrize("server", EXAMPLES)
def test_each_example_for_a_proxy_matches_every_path_on_the_list(app, server):
    (block,) = re.findall(rf"```{server}\n(.*?)```", OPERATIONS.read_text(), re.DOTALL)
    (pattern,) = re.findall(EXAMPLES[server], block)
    assert pattern == unlogged.PATTERN
    for rule in app.url_map.iter_rules():
        assert bool(re.search(pattern, rule.rule)) is unlogged.is_unlogged(rule.rule), rule


def test_the_table_names_every_first_part():
    named = re.findall(r"^\| `/([\w-]+)", OPERATIONS.read_text(), re.MULTILINE)
    assert set(unlogged.FIRST_PARTS) <= set(named)


@pytest.mark.journey
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_request_of_a_browser_names_such_a_page_as_where_it_came_from(environ, clock, chromium, scheme):
    with _served(environ, clock, scheme) as (company, base, seen):
        company.open()
        token = company.tokens()["ana"]
        page = chromium.new_page(base_url=base, ignore_https_errors=True)
        page.goto(f"/r/{token}")
        page.get_by_role("button", name="Start").click()
        page.get_by_role("link", name="I can’t review this person").click()
        page.get_by_role("button", name="Decline").click()
        page.goto(f"/stop/{token}")
        page.get_by_role("button").click()
        page.goto(f"/sign-in/{_sign_in_link(company)}")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/rounds")
        page.close()
    came_from = {urlsplit(referrer).path for _, referrer in seen if referrer}
    assert {path for path in came_from if unlogged.is_unlogged(path)} == set()
    assert "/" in came_from
    posted = [(path, status) for path, status in company.statuses if path.startswith(("/r/", "/sign-in/"))]
    assert {status for _, status in posted} == {303}


def _is_public(app, rule):
    if rule.endpoint == "static" or rule.endpoint in HARMLESS:
        return False
    return app.view_functions[rule.endpoint].action is None


def _sign_in_link(company):
    with context.transaction() as session:
        return sign_ins.link(session, "marta@company.test", now=context.now(), life=timedelta(minutes=10))


@contextmanager
def _served(environ, clock, scheme):
    """A company whose pages are served over this scheme, and what browsers asked for with their `Referer`."""
    port = servers.free_port()
    base = f"{scheme}://localhost:{port}"
    app = create_app(settings.load(environ | {"SURVEY_BASE_URL": base}), clock=clock)
    app.test_client_class = Browser
    seen, statuses, inner = [], [], app.wsgi_app

    def noting(request, start):
        path = request["PATH_INFO"]
        seen.append((path, request.get("HTTP_REFERER", "")))

        def begin(status, *rest):
            if request["REQUEST_METHOD"] == "POST":
                statuses.append((path, int(status[:3])))
            return start(status, *rest)

        return inner(request, begin)

    server = make_server("127.0.0.1", port, noting, threaded=True, ssl_context="adhoc" if scheme == "https" else None)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        with app.app_context():
            company = Company(app)
            company.statuses = statuses
            yield company, base, seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        app.extensions[context.EXTENSION].engine.dispose()


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr("werkzeug.serving.WSGIRequestHandler.log", lambda *args, **kwargs: None)
