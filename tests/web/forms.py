"""Every form of the program, found by looking: what its pages render, and what the code behind them reads.

A form is met by itself: no test names it, and a door that takes something and has no form anywhere fails the tests.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from flask.testing import FlaskClient
from flask_wtf import FlaskForm
from wtforms.fields import FileField

from tests.web import doors
from tests.web.doors import Door, Thing, World

VIEWERS = ("noor", "sam", doors.RATER)
"""Together they may open every door: people operations, a subject, and a rater."""
BASE = "http://localhost"
READ = re.compile(r"""request\.form(?:\.get|\.getlist)?[(\[]["']([\w-]+)["']""")


@dataclass
class Form:
    """A form, and who looks at it; `fields` has what each field may hold by the page's own account.

    `files` are the fields that take a file.
    """

    door: Door
    address: str
    client: FlaskClient
    fields: dict[str, list[str]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    def filled(self) -> list[tuple[str, str]]:
        """As somebody fills it in who takes what is offered first."""
        return [(name, values[0] if values else "") for name, values in self.fields.items()]

    @property
    def names(self) -> list[str]:
        return sorted(self.fields)


def all_of(world: World) -> list[Form]:
    """A form for each door that takes something; several, where viewers see forms with different fields."""
    clients = {name: doors.browser(world, name) for name in (*VIEWERS, "")}
    found: dict[tuple[str, str], Form] = {}
    for name in VIEWERS:
        for form in _rendered(world, name, clients[name]):
            found.setdefault((form.door.endpoint, name if form.door.endpoint == "nominations.choose" else ""), form)
    for door in _takers(world):
        if not any(endpoint == door.endpoint for endpoint, _ in found):
            found[door.endpoint, ""] = _read_by_the_code(world, door, clients)
    # To sign out would end what the others are looked at with.
    return [form for (endpoint, _), form in found.items() if endpoint != "accounts.sign_out"]


def _takers(world: World) -> list[Door]:
    return [door for door in doors.doors(world.app) if door.method == "POST"]


def _rendered(world: World, name: str, client: FlaskClient) -> Iterator[Form]:
    """The forms on all pages that this person may open."""
    takers = {door.endpoint: door for door in _takers(world)}
    routes = world.app.url_map.bind("localhost")
    for door in doors.doors(world.app):
        if door.method != "GET" or (door.endpoint.startswith("responses.") is not (name == doors.RATER)):
            continue
        for address, things in doors.addresses(world, door):
            if any(_is_of_otto(thing) for thing in things):
                continue
            with doors.undone(world.app):  # some pages are noted when they are read
                page = client.get(address)
            if page.status_code != 200 or page.mimetype != "text/html":
                continue
            for action, fields, files in _forms_in(page.text):
                target = urlsplit(urljoin(BASE + address, action)).path
                rule, _ = routes.match(target, method="POST", return_rule=True)
                yield Form(takers[rule.endpoint], target, client, fields, files)


def _is_of_otto(thing: Thing) -> bool:
    return thing.round is not None and thing.round.launcher in {"otto", "olga"}


def _read_by_the_code(world: World, door: Door, clients: dict[str, FlaskClient]) -> Form:
    """A form that no page of this world shows just now: the fields that its module knows."""
    view = inspect.unwrap(world.app.view_functions[door.endpoint])
    module = sys.modules[view.__module__]
    fields: dict[str, list[str]] = {name: [""] for name in READ.findall(inspect.getsource(module))}
    files = []
    with world.app.test_request_context():
        for kind in vars(module).values():
            if inspect.isclass(kind) and issubclass(kind, FlaskForm) and kind is not FlaskForm:
                for each in kind():
                    (files.append(each.name) if isinstance(each, FileField) else fields.setdefault(each.name, [""]))
    fields.pop("csrf_token", None)
    name = doors.RATER if door.endpoint.startswith("responses.") else "" if door.action is None else "noor"
    if door.endpoint.startswith(("plans.", "reports.")):
        name = "sam"
    address, _ = next(
        found for found in doors.addresses(world, door) if not any(_is_of_otto(thing) for thing in found[1])
    )
    return Form(door, address, clients[name], fields, files)


def _forms_in(page: str) -> Iterator[tuple[str, dict[str, list[str]], list[str]]]:
    """The forms of a page that are posted: where to, their fields with the values that they offer, and their files."""
    read = _Forms()
    read.feed(page)
    for form in read.forms:
        if form.is_posted:
            yield form.action, form.fields, form.files


@dataclass
class _Found:
    action: str
    is_posted: bool
    fields: dict[str, list[str]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[_Found] = []
        self._by_id: dict[str, _Found] = {}
        self._open: _Found | None = None
        self._select: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = _Found(has.get("action", ""), has.get("method", "").lower() == "post")
            self.forms.append(self._open)
            self._by_id[has.get("id", "")] = self._open
        elif tag == "option":
            self._select.append(has.get("value", ""))
        elif tag in {"input", "textarea", "button", "select"} and (name := has.get("name")):
            form = self._by_id.get(has["form"]) if "form" in has else self._open
            if form is None or name == "csrf_token":
                return
            if has.get("type") == "file":
                form.files.append(name)
                return
            values = form.fields.setdefault(name, [])
            if tag == "select":
                self._select = values
            else:
                values.append(has.get("value") or "Words")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
