"""A12: what follows every link in a mail and presses every button there, as scanners do, scripts running."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from survey import context
from survey.core.relationships import Relationship
from survey.services import cycles, drafts, mailings, nominations, sign_ins
from survey.store.base import Base
from survey.store.changes import AddressLink, UnconfirmedAddress
from survey.store.invitations import InvitationToken, fingerprint, mint
from survey.web import unlogged
from tests.attacks import weakened
from tests.company import csrf, hidden, radios

BUTTONS = "button, input[type=submit], input[type=button], [role=button], summary"
OF_SIGN_INS = {"sign_in", "sign_in_link"}
"""A link that signs somebody in is used up by whoever presses its button, and a sign-in begins."""

pytestmark = pytest.mark.journey


def test_a_scanner_declines_for_the_rater_where_a_button_is_enough(company, web, chromium, monkeypatch):
    monkeypatch.setattr("survey.web.responses.DeclineForm", weakened.NoTick)
    link, *_ = _open(company)
    before = _tables()
    _press_everything(chromium, web, [link])
    assert _changed(before) >= {"invitation"}
    with context.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM invitation WHERE state = 'declined'")) >= 1


def test_a_scanner_stops_reminders_where_a_button_is_enough(company, web, chromium, monkeypatch):
    monkeypatch.setattr("survey.web.responses.TickForm", weakened.Ticked)
    link, *_ = _open(company)
    before = _tables()
    _press_everything(chromium, web, [link])
    assert _changed(before) == {"snooze"}


def test_a_scanner_that_presses_every_button_changes_no_row_of_any_table_and_the_link_works(company, web, chromium):
    link, stop, sign_in = _open(company)
    address = _address_link(company)
    before = _tables()
    seen = _press_everything(chromium, web, [link, stop, sign_in, address])
    assert _changed(before) <= OF_SIGN_INS
    assert {_kind(path) for path in seen} >= _all_that_need_no_account(company.app)
    client = company.app.test_client()
    for path in seen:
        assert client.get(path).status_code in {200, 303, 405, 410}
        assert client.head(path).status_code in {200, 303, 405, 410}
    assert _changed(before) <= OF_SIGN_INS
    _answer_everything(company, link.rpartition("/")[2])


def test_a_scanner_that_meets_a_round_without_reminders_does_not_bring_them_back(company, web, chromium):
    link, stop, _ = _open(company)
    with context.transaction() as session:
        mailings.stop(session, stop.rpartition("/")[2])
    before = _tables()
    assert before["snooze"]
    _press_everything(chromium, web, [link, stop])
    assert _changed(before) == set()


def test_every_form_without_an_account_that_holds_only_what_its_page_put_there_changes_no_row(company):
    """The same without a browser: each button of each form, with what the page filled in by itself."""
    links = [*_open(company), _address_link(company)]
    before = _tables()
    pressed = 0
    for link in links:
        client = company.app.test_client()
        waiting, seen = [link], set()
        while waiting:
            path = waiting.pop()
            if path in seen or not unlogged.is_unlogged(path):
                continue
            seen.add(path)
            page = client.get(path)
            waiting += re.findall(r'href="(/[^"#?]*)"', page.text)
            for action, fields in _as_they_came(page.text, path):
                if "/leave" not in action:
                    answer = client.post(action, data=fields)
                    waiting += [answer.location] if answer.status_code == 303 else []
                    pressed += 1
    assert pressed > 12
    assert _changed(before) <= OF_SIGN_INS


def _open(company):
    """An open round in which Ana is asked about two people: her link, the way out of reminders, and a sign-in link."""
    raters = dict.fromkeys(("ana", "chloe", "dev", "ewa"), Relationship.PEER)
    cycle_id, _ = company.draft(raters)
    with context.transaction() as session:
        review = drafts.add_review(session, cycle_id, company.ids["ben"], [company.page_id])
        nominations.choose(session, review.id, {company.ids[name]: kind for name, kind in raters.items()})
        cycles.open_(session, cycle_id, context.installation().keyring, actor_id=None, now=context.now())
    token = company.tokens()["ana"]
    stop, stop_hash = mint()
    with context.transaction() as session:
        # A reminder's secret, as the mail that comes after a week has it.
        for row in session.scalars(select(InvitationToken).where(InvitationToken.hash == fingerprint(token))):
            row.stop_hash = stop_hash
        sign_in = sign_ins.link(session, "ana@company.test", now=context.now(), life=timedelta(minutes=10))
    return f"/r/{token}", f"/stop/{stop}", f"/sign-in/{sign_in}"


def _address_link(company):
    """What the old address of somebody gets whose address was changed by another person."""
    token, token_hash = mint()
    with context.transaction() as session:
        person_id = company.ids["hugo"]
        was = UnconfirmedAddress(person_id=person_id, proven="old@company.test", since=context.now())
        session.add_all([was, AddressLink(hash=token_hash, person_id=person_id)])
    return f"/address/{token}"


def _press_everything(chromium, web, links):
    """Follows every link from those of the mails on, and presses each button of each page on a form as it came."""
    browser = chromium.new_context(base_url=web)
    page = browser.new_page()
    page.set_default_timeout(10_000)
    waiting, seen = list(links), set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        number = 0
        while number < _buttons(page, links[0], path):
            page.locator(BUTTONS).nth(number).click(no_wait_after=False)
            page.wait_for_load_state()
            waiting += _ways(page)
            number += 1
        waiting += _ways(page)
    browser.close()
    return seen


def _buttons(page, link, path):
    """How many buttons this page has, opened anew in a browser that has followed the mail's link."""
    if path.startswith("/feedback"):
        page.goto(link)
        start = page.get_by_role("button", name="Start")
        if start.count():
            start.click()
        page.wait_for_load_state()
    page.goto(path)
    page.eval_on_selector_all("details", "all => all.forEach((each) => { each.open = true; })")
    return page.locator(BUTTONS).count()


def _ways(page):
    """Where this page is, and where it leads, without an account."""
    hrefs = page.eval_on_selector_all("a[href]", "links => links.map((link) => link.pathname)")
    here = page.evaluate("location.pathname")
    return [path for path in [*hrefs, here] if unlogged.is_unlogged(path)]


def _kind(path):
    path = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "*", path)
    return re.sub(r"^/(r|stop|sign-in|address)/[\w-]{20,}", r"/\1/*", path)


def _all_that_need_no_account(app):
    """The pages that a mailed link leads to without a sign-in. Thanks follow an answer alone."""
    rules = {
        re.sub(r"<[^>]+>", "*", rule.rule)
        for rule in app.url_map.iter_rules()
        if "GET" in rule.methods and unlogged.is_unlogged(rule.rule)
    }
    return rules - {"/feedback/thanks", "/sign-in/company", "/sign-in/company/back", "/sign-in"}


def _as_they_came(page, here):
    """The forms of a page as they came, once for each of their buttons: where they go, and what they hold."""
    for form in re.findall(r"<form\b.*?</form>", page, re.DOTALL):
        if 'method="post"' not in form:
            continue
        action = re.search(r'^<form[^>]*\baction="([^"]+)"', form)
        hidden_fields = re.findall(r'<input[^>]*type="hidden"[^>]*>', form)
        fields = dict(_named(tag) for tag in hidden_fields)
        selects = re.findall(r'<select[^>]*name="([^"]+)"[^>]*>\s*<option value="([^"]*)"', form)
        buttons = re.findall(r"<button[^>]*>", form)
        for button in buttons:
            yield (action.group(1) if action else here), fields | dict(selects) | dict([_named(button)])


def _named(tag):
    name = re.search(r'\bname="([^"]*)"', tag)
    value = re.search(r'\bvalue="([^"]*)"', tag)
    return (name.group(1) if name else "nothing"), (value.group(1) if value else "")


def _tables():
    """Every row of every table."""
    with context.reading() as session:
        return {
            name: sorted(map(str, session.execute(select(table)).all())) for name, table in Base.metadata.tables.items()
        }


def _changed(before):
    after = _tables()
    return {name for name in before if before[name] != after[name]}


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


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr("werkzeug.serving.WSGIRequestHandler.log", lambda *args, **kwargs: None)
