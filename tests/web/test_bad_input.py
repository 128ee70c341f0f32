"""Whatever is sent to whatever takes something: a sentence comes back, never a failure, and nothing half-written."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import quote_plus

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from survey import context
from tests import servers
from tests.attacks import rounds
from tests.conftest import Browser
from tests.web import doors
from tests.web.doors import Door, World

OFTEN = settings(max_examples=250, derandomize=True, suppress_health_check=list(HealthCheck))
MEGABYTE = 1024 * 1024
IN_THE_LOG = "imports.export"
"""Everybody as a file: the one page for people operations that is recorded whenever it is read."""
ASKED = ("q", "team", "level", "as", "next", "page", "error", "state")
HOSTILE = (
    "",
    "\x00",
    "a\x00b",
    "\ud800",
    "x\udfffy",
    "\u202eabc\u202c שלום",
    "👩‍💻👍🏽",
    "\ufeff\u200b\u2028",
    "x" * 20_000,
    "é" * 400,
    "0000-00-00",
    "0001-01-01",
    "9999-12-31",
    "2026-02-30",
    "-1",
    "²",
    "NaN",
    "9" * 40,
    str(uuid.UUID(int=0)),
    str(uuid.UUID(int=2**128 - 1)),
    "00000000-0000-0000-0000-00000000000g",
    "' OR 1=1 --",
    "{{ 7*7 }} {name} {0.__class__} %s",
    "<script>alert(1)</script>",
    "=HYPERLINK(1)",
    "../../etc/passwd",
    "a@" + "b" * 300 + ".test",
    "\r\nBcc: x@y.test",
)


@dataclass
class Form:
    """A form of a page, and who looks at it; `fields` has what each field may hold by the page's own account."""

    door: Door
    address: str
    client: FlaskClient
    fields: dict[str, list[str]] = field(default_factory=dict)

    def filled(self) -> list[tuple[str, str]]:
        """As somebody fills it in who takes what is offered first."""
        return [(name, values[0]) for name, values in self.fields.items()]

    def send(self, world: World, fields: Sequence[tuple[str, str]]) -> None:
        pairs = [("csrf_token", doors.csrf_token(self.client)), *fields]
        body = b"&".join(
            b"=".join(quote_plus(part.encode("utf-8", "surrogatepass")).encode() for part in pair) for pair in pairs
        )
        send(world, self, body, "application/x-www-form-urlencoded")


def send(world: World, form: Form, body: bytes, kind: str) -> int:
    """The status; held to what must be true of every answer."""
    with doors.undone(world.app) as write:
        answer = form.client.open(form.address, method="POST", data=body, content_type=kind)
    shown = f"{form.door} {body[:300]!r} {kind}"
    assert answer.status_code < 500, shown
    if answer.status_code >= 400 and not is_counted(form.door):
        assert write.written == [], shown
    return answer.status_code


def is_counted(door: Door) -> bool:
    # A wrong passphrase is meant to leave a trace.
    return door.endpoint in {"custody.test", "custody.unlock"}


def test_no_text_in_any_field_makes_a_page_fail(world, forms):
    """Every form meets the first eight, and the others in turns."""
    for number, form in enumerate(forms):
        for text in (*HOSTILE[:8], *HOSTILE[8 + number % 4 :: 4]):
            form.send(world, [(name, text) for name in form.fields])
    assert len(forms) > 30


def test_a_name_with_characters_that_no_keyboard_types_is_kept_without_them(company):
    client = company.sign_in("marta")
    sent = {"csrf_token": doors.csrf_token(client), "name": "Spr\x00ing\x07 \u202e2027", "source": ""}
    assert client.post("/rounds/new", data=sent).status_code == 303
    assert "Spring \u202e2027" in client.get("/rounds").text


def test_json_is_not_taken_in_place_of_a_form(company):
    client = company.sign_in("marta")
    token = {"X-CSRFToken": doors.csrf_token(client)}
    assert client.post("/rounds/new", json={"name": "Spring", "source": ""}, headers=token).status_code == 422


def test_no_mixture_of_fields_makes_a_page_fail(world, forms):
    """Filled in as the page offers, then some fields changed, left out, sent twice, or made up."""

    @OFTEN
    @given(st.data())
    def mixed(data):
        form = data.draw(st.sampled_from(forms))
        offered = sorted({value for values in form.fields.values() for value in values}) or [""]
        value = st.one_of(st.sampled_from(HOSTILE), st.sampled_from(offered), st.text(max_size=30))
        name = st.one_of(st.sampled_from(sorted(form.fields)), st.sampled_from(HOSTILE)) if form.fields else st.text()
        kept = [pair for pair in form.filled() if data.draw(st.integers(0, 9))]
        changed = data.draw(st.lists(st.tuples(name, value), max_size=4))
        replaced = {name for name, _ in changed} if data.draw(st.booleans()) else set()
        form.send(world, [pair for pair in kept if pair[0] not in replaced] + changed)

    mixed()


def test_no_single_hostile_field_in_a_form_that_is_filled_in_makes_a_page_fail(world, forms):
    for form in forms:
        for name in list(form.fields)[:6]:
            for text in HOSTILE[1:14:3]:
                form.send(world, [(other, text if other == name else value) for other, value in form.filled()])


def test_no_body_makes_a_page_fail(world, forms):
    boundary = "multipart/form-data; boundary=b"
    bodies = [
        (b"", "application/x-www-form-urlencoded"),
        (b"\x00\xff\xfe&&=;=%%%zz", "application/x-www-form-urlencoded"),
        (b"a=1" + b"&a=1" * 5_000, "application/x-www-form-urlencoded"),
        (b"--b", boundary),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--", boundary),
        (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="\xff\x00"\r\n\r\n\x00\xff\r\n--b--\r\n',
            boundary,
        ),
        (b"x", "multipart/form-data"),
        (b'[1, {"a": null}]', "application/json"),
        (b'{"name": "\\ud800\\u0000", "text": [1], "address": {"a": 1}}', "application/json"),
        (b"{", "application/json"),
        (b"<x/>", "text/xml"),
        (b"x", "\xff; =;"),
    ]
    for form in forms:
        token = doors.csrf_token(form.client)
        for body, kind in bodies:
            with doors.undone(world.app) as write:
                answer = form.client.post(form.address, data=body, content_type=kind, headers={"X-CSRFToken": token})
            assert answer.status_code < 500, (str(form.door), body[:80], kind)
            if answer.status_code >= 400 and not is_counted(form.door):
                assert write.written == [], (str(form.door), body[:80], kind)


def test_ten_megabytes_are_refused_at_every_door_with_a_sentence(world, forms):
    body = b"name=" + b"x" * (10 * MEGABYTE)
    for form in forms:
        if form.door.endpoint in {"imports.upload", "mailings.stop"}:
            continue  # the one takes files of that size; the other reads nothing of what is sent
        answer = form.client.post(form.address, data=body, content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 413, str(form.door)
        assert "up to 1 MB" in answer.text


@pytest.mark.parametrize("cookie", ["session", "rater", "draft"])
@pytest.mark.parametrize(
    "value", ["\x7f", "a.b.c", "%00", '"\\000"', "\ud83d", "=" * 4_000, "AAAA", "eyJhIjoxfQ.aaaaaa.bbbb"]
)
def test_no_cookie_makes_a_page_fail(world, cookie, value):
    for path in ("/", "/sign-in", "/feedback", "/feedback/resume", "/feedback/thanks", f"/feedback/{uuid.UUID(int=1)}"):
        client = world.app.test_client()
        raw = f"{cookie}={value}".encode("utf-8", "surrogatepass").decode("latin-1")
        answer = client.get(path, headers={"Cookie": raw})
        assert answer.status_code < 500, path


def test_no_query_and_no_address_makes_a_page_fail(world):
    clients = {name: doors.browser(world, name) for name in ("noor", doors.RATER)}
    texts = [quote_plus(text.encode("utf-8", "surrogatepass"))[:3_000] for text in HOSTILE[1:9]]
    for door in doors.doors(world.app):
        if door.method != "GET" or door.rule.rule.endswith(".pdf") or door.endpoint == IN_THE_LOG:
            continue
        client = clients[doors.RATER if door.endpoint.startswith("responses.") else "noor"]
        address, _ = next(iter(doors.addresses(world, door)))
        for text in texts:
            query = "&".join(
                f"{name}={text}" for name in ("q", "team", "level", "as", "next", "page", "error", "state", text)
            )
            assert client.get(f"{address}?{query}").status_code < 500, (address, query)
        for name in door.rule.arguments:
            for value in (str(uuid.UUID(int=0)), "x", "%00", "%ED%A0%80", "..%2f..", "x" * 2_000):
                path = door.rule.rule.replace(f"<uuid:{name}>", value).replace(f"<{name}>", value)
                path = path.replace("<uuid:cycle_id>", str(world.rounds[0].cycle_id)).replace("<uuid:review_id>", value)
                assert client.get(path).status_code in {200, 303, 308, 404, 410}, path


@pytest.mark.parametrize(
    "content",
    [
        b"\x00" * 50,
        b"\xff\xfe\x00\xd8",
        b"PK\x03\x04" + b"\x00" * 500,
        b"x" * 400_000,
        "👍".encode() * 5_000,
        b"\xef\xbb\xbf",
    ],
    ids=["NUL", "half a character", "a zip file", "too large", "emoji", "only a mark"],
)
def test_a_file_that_is_no_page_is_refused_with_its_reason_and_never_reaches_the_disk(world, content, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "TemporaryFile", _no_disk)
    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", _no_disk)
    client = doors.browser(world, "marta")
    with doors.undone(world.app) as write:
        answer = client.post(
            "/pages/import",
            data={"csrf_token": doors.csrf_token(client), "file": (io.BytesIO(content), "../../page.txt"), "text": ""},
        )
    assert answer.status_code == 400
    assert write.written == []


def _no_disk(*args: object, **kwargs: object) -> None:
    raise AssertionError("An upload was about to be written to disk.")


class _Fields(HTMLParser):
    """The fields of a page, each with the values that it offers."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {}
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        name = has.get("name") or ""
        if tag == "select":
            self._select = name
            self.found.setdefault(name, [])
        elif tag == "option":
            self.found[self._select].append(has.get("value") or "")
        elif tag in {"input", "textarea", "button"} and name and name != "csrf_token":
            self.found.setdefault(name, []).append(has.get("value") or "Words")


def forms_of(world: World) -> Iterator[Form]:
    """A form for each door that takes something, for who gets furthest there, in the first state that has it."""
    clients = {name: doors.browser(world, name) for name in ("noor", "sam", doors.RATER, "")}
    for door in doors.doors(world.app):
        if door.method != "POST" or door.endpoint == "accounts.sign_out":
            continue
        for name in who(door):
            for address, things in doors.addresses(world, door):
                if any(thing.round is not None and thing.round.launcher != "marta" for thing in things):
                    continue
                page = clients[name].get(address)
                if page.status_code == 200 or page.status_code == 405:
                    read = _Fields()
                    read.feed(page.text if page.status_code == 200 else "")
                    fields = {each: values or [""] for each, values in read.found.items()}
                    yield Form(door, address, clients[name], fields or {"name": [""], "key": [""]})
                    break


def who(door: Door) -> tuple[str, ...]:
    if door.endpoint.startswith("responses."):
        return (doors.RATER,)
    if door.endpoint == "nominations.choose":
        return ("noor", "sam")
    return ("",) if door.action is None else ("noor",)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def built(request, databases: servers.Databases, tmp_path_factory) -> Iterator[World]:
    with rounds.installation(databases, request.param, tmp_path_factory.mktemp("bad")) as app:
        app.test_client_class = Browser
        for limiter in app.extensions["limiter"]:
            limiter.enabled = False
        yield doors.build(app)


@pytest.fixture
def world(built: World) -> Iterator[World]:
    with built.app.app_context():
        before = doors.rows_of_all_tables()
        yield built
        assert doors.rows_of_all_tables() == before
        context.installation().engine.dispose()


@pytest.fixture
def forms(world: World) -> list[Form]:
    return list(forms_of(world))
