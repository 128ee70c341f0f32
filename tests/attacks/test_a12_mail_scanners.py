"""A12: what follows every link in a mail and presses every button there, as scanners do, scripts running."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

from survey import context
from survey.core.relationships import Relationship
from survey.services import cycles, drafts, nominations
from tests.attacks import weakened
from tests.company import csrf, hidden, radios

BUTTONS = "button, input[type=submit], input[type=button], [role=button], summary"
ANYTHING = re.compile(r"/(r/[\w-]+|feedback(/[\w-]+)*)$")

pytestmark = pytest.mark.journey


def test_a_scanner_declines_for_the_rater_where_a_button_is_enough(company, web, chromium, monkeypatch):
    monkeypatch.setattr("survey.web.responses.DeclineForm", weakened.NoTick)
    token = _open(company)
    before = _state()
    _press_everything(chromium, web, token)
    assert _state() != before
    with context.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM invitation WHERE state = 'declined'")) >= 1


def test_a_scanner_that_presses_every_button_changes_nothing_and_the_link_works(company, web, chromium):
    token = _open(company)
    before = _state()
    seen = _press_everything(chromium, web, token)
    assert {_kind(path) for path in seen} == {
        "/r/",
        "/feedback",
        "/feedback/*",
        "/feedback/*/decline",
        "/feedback/resume",
    }
    client = company.app.test_client()
    for path in seen:
        assert client.get(path).status_code in {200, 410}
        assert client.head(path).status_code in {200, 410}
    assert _state() == before
    _answer_everything(company, token)


def _open(company):
    """An open round in which Ana is asked about two people; gives her link."""
    raters = dict.fromkeys(("ana", "chloe", "dev", "ewa"), Relationship.PEER)
    cycle_id, _ = company.draft(raters)
    with context.transaction() as session:
        review = drafts.add_review(session, cycle_id, company.ids["ben"], [company.page_id])
        nominations.choose(session, review.id, {company.ids[name]: kind for name, kind in raters.items()})
        cycles.open_(session, cycle_id, context.installation().keyring, actor_id=None, now=context.now())
    return company.tokens()["ana"]


def _press_everything(chromium, web, token):
    """Follows every link from the mail's on, and presses each button of each page on a form as it came."""
    browser = chromium.new_context(base_url=web)
    page = browser.new_page()
    page.set_default_timeout(5_000)
    waiting, seen = [f"/r/{token}"], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        page.goto(path)
        number = 0
        while number < page.locator(BUTTONS).count():
            page.eval_on_selector_all("details", "all => all.forEach((each) => { each.open = true; })")
            page.locator(BUTTONS).nth(number).click()
            page.wait_for_load_state()
            waiting += _ways(page)
            number += 1
            page.goto(path)
        waiting += _ways(page)
    browser.close()
    return seen


def _ways(page):
    """Where this page is, and where it leads."""
    hrefs = page.eval_on_selector_all("a[href]", "links => links.map((link) => link.pathname)")
    here = page.evaluate("location.pathname")
    return [path for path in [*hrefs, here] if ANYTHING.match(path)]


def _kind(path):
    path = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "*", path)
    return "/r/" if path.startswith("/r/") else path


def _state():
    """Everything that tells of raters and of what they said."""
    with context.reading() as session:
        return {
            table: sorted(map(str, session.execute(text(f"SELECT * FROM {table}")).all()))
            for table in ("invitation", "invitation_token", "envelope", "draft", "outbox", "comment")
        }


def _answer_everything(company, token):
    client = company.app.test_client()
    page = client.get(f"/r/{token}")
    client.post(f"/r/{token}", data={"csrf_token": csrf(page.text)})
    for path in re.findall(r'href="(/feedback/[0-9a-f-]{36})"', client.get("/feedback").text):
        form = client.get(path).text
        fields = {"csrf_token": csrf(form), "fingerprint": hidden(form, "fingerprint"), "action": "submit"}
        fields |= {name: values[0] for name, values in radios(form).items()}
        assert client.post(path, data=fields).status_code == 303
    assert client.get(f"/r/{token}").status_code == 410


@pytest.fixture
def database_url(databases):
    """One kind of database: nothing here depends on which."""
    return databases.make("sqlite")


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr("werkzeug.serving.WSGIRequestHandler.log", lambda *args, **kwargs: None)
