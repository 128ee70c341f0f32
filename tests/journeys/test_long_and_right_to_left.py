"""Every page at 320 px with the longest names that people have, and with names that are read from the right."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import select

from survey import context
from survey.store.competencies import Competency
from survey.store.cycles import Cycle, Review
from survey.store.people import Person
from survey.store.reports import Comment, Report
from tests import servers
from tests.company import csrf
from tests.web import doors

pytestmark = pytest.mark.journey

NARROW = {"width": 320, "height": 700}
VIEWERS = ("noor", "marta", "sam", doors.RATER, "")
LONG = "Featherstonehaughwolfeschlegelstein"
"""A surname of 35 letters."""
HEBREW = "שלום עולם"
WORDS = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamten"
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const isWide = (each) => each.getBoundingClientRect().right > width + 1;
  const wide = [...document.body.querySelectorAll("*")].filter(isWide);
  const inner = wide.filter((each) => ![...each.children].some((child) => wide.includes(child)));
  return inner.slice(0, 3).map((each) => each.outerHTML.slice(0, 150)).concat(document.documentElement.scrollWidth);
}"""
NOT_ISOLATED = """(sample) => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const has = (text) => (text ?? "").includes(sample);
  const takesItsDirection = (each) =>
    each.closest("[dir=auto], bdi, svg") || getComputedStyle(each).unicodeBidi === "plaintext";
  while (walk.nextNode()) {
    if (has(walk.currentNode.data) && !takesItsDirection(walk.currentNode.parentElement)) {
      found.push(walk.currentNode.parentElement.outerHTML.slice(0, 150));
    }
  }
  for (const field of document.querySelectorAll("input:not([type=radio], [type=checkbox], [type=hidden]), textarea")) {
    if (has(field.value) && field.dir !== "auto") found.push(field.outerHTML.slice(0, 150));
  }
  return found;
}"""


def test_no_page_is_wider_than_a_narrow_phone_however_long_the_names(app, chromium):
    world, clients = _world(app)
    _name_everything(name=f"Maximiliana {LONG}", text=f"{WORDS} {WORDS}", address=True)
    wide = {place: found for place, found in _look(world, clients, chromium, TOO_WIDE) if found}
    assert wide == {}


def test_everything_that_people_wrote_takes_its_direction_from_itself(app, chromium):
    world, clients = _world(app)
    _name_everything(name=HEBREW, text=HEBREW, address=False)
    looked = list(_look(world, clients, chromium, NOT_ISOLATED, HEBREW))
    assert {place: found for place, found in looked if found} == {}
    assert len(looked) > 60


def _world(app):
    """Two managers with a round in every phase each, and the browsers of those who look at them."""
    world = doors.build(app)
    return world, {name: _browser(world, name) for name in VIEWERS}


def _name_everything(*, name, text, address):
    """People, teams, rounds, pages and comments are called that."""
    with context.transaction() as session:
        for number, person in enumerate(session.scalars(select(Person))):
            person.name = f"{name} {number}" if address else name
            person.team = text
            if address:
                local, _, domain = person.address.partition("@")
                person.address = f"{local}.{'x' * (74 - len(local) - len(domain))}@{domain}"[:75]
        for row in session.scalars(select(Cycle)):
            row.name = text
            row.greeting = text
        for number, row in enumerate(session.scalars(select(Competency))):
            row.name = f"{text} {number}"
        for report in session.scalars(select(Report)):
            report.body = _said(report.body, text)
        for row in session.scalars(select(Comment)):
            row.text = text
        for review in session.scalars(select(Review)):
            review.questionnaire = _said(review.questionnaire, text)


def _said(stored, text):
    """A questionnaire whose sentences are all these words."""
    if isinstance(stored, dict):
        return {
            key: text if key in {"text", "title", "origin"} and value else _said(value, text)
            for key, value in stored.items()
        }
    return [_said(each, text) for each in stored] if isinstance(stored, list) else stored


def _look(world, clients, chromium, script, *given):
    """What the script finds on each page that each viewer may open, kind of page by kind."""
    seen: set[tuple[object, ...]] = set()
    with servers.web_server(world.app) as base:
        for name, client in clients.items():
            opened = chromium.new_context(base_url=base, viewport=NARROW)
            opened.add_cookies([{"name": one.key, "value": one.value, "url": base} for one in _cookies(client)])
            page = opened.new_page()
            for place, address in _pages(world, client, name, seen):
                page.goto(address)
                page.eval_on_selector_all("details", "all => all.forEach((each) => { each.open = true; })")
                yield f"{name or 'nobody'}: {place}", page.evaluate(script, *given)
            opened.close()


def _browser(world, name):
    if name != doors.RATER:
        return doors.browser(world, name)
    client = world.app.test_client()
    page = client.get(f"/r/{world.tokens[name]}")
    assert client.post(f"/r/{world.tokens[name]}", data={"csrf_token": csrf(page.text)}).status_code == 303
    return client


def _cookies(client):
    return [cookie for name in ("session", "rater", "draft") if (cookie := client.get_cookie(name)) is not None]


def _pages(world, client, name, seen):
    """One address of each kind of page that was not seen yet: by route, and by the phase of the round it is about."""
    for door in doors.doors(world.app):
        if door.method != "GET" or door.endpoint.startswith("responses.") is not (name == doors.RATER):
            continue
        for address, things in doors.addresses(world, door):
            kind = (door.endpoint, *(_phase(thing) for thing in things))
            if kind in seen:
                continue
            with doors.undone(world.app):
                answer = client.get(address)
            if answer.status_code == 200 and answer.mimetype == "text/html":
                seen.add(kind)
                yield f"{door.rule.rule} {kind[1:]}", address


def _phase(thing):
    if thing.round is None or not isinstance(thing.round.cycle_id, uuid.UUID):
        return ""
    with context.reading() as session:
        found = session.get(Cycle, thing.round.cycle_id)
        return found.phase if found else ""


@pytest.fixture
def database_url(databases):
    return databases.make("sqlite")


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr("werkzeug.serving.WSGIRequestHandler.log", lambda *args, **kwargs: None)
