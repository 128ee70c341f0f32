"""Whatever is sent to whatever takes something: a sentence comes back, never a failure, and nothing half-written.

SURVEY_FUZZ=100 tries a hundred times as many examples, and others in every run.
"""

from __future__ import annotations

import io
import os
import tempfile
import uuid
from collections.abc import Callable, Sequence
from urllib.parse import quote_plus
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from werkzeug import formparser
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import stream_encode_multipart

from survey.core.imports import LARGEST
from tests.web import doors, forms
from tests.web.doors import World
from tests.web.forms import Form

TIMES = int(os.environ.get("SURVEY_FUZZ", "1"))
EXAMPLES = 3
"""Of each form."""
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
FILES = {
    "NUL": b"\x00" * 50,
    "half a character": b"\xff\xfe\x00\xd8",
    "a zip file": b"PK\x03\x04" + b"\x00" * 500,
    "too large": b"x" * 400_000,
    "emoji": "👍".encode() * 5_000,
    "only a mark": b"\xef\xbb\xbf",
    "a table of odd cells": b'Name,Address\n"\x00","\xed\xa0\x80@x.test"\n=1+1,"' + b"y" * 3_000 + b"\n,,,,,,,,\n",
}


def send(
    world: World, form: Form, fields: Sequence[tuple[str, str]], files: Sequence[tuple[str, bytes, str]] = ()
) -> int:
    """The status of these fields and files, held to what must be true of every answer."""
    pairs = [("csrf_token", doors.csrf_token(form.client)), *fields]
    if not files:
        body = b"&".join(
            b"=".join(quote_plus(part.encode("utf-8", "surrogatepass")).encode() for part in pair) for pair in pairs
        )
        return post(world, form, body, "application/x-www-form-urlencoded")
    sent: MultiDict[str, object] = MultiDict(
        (name.encode(errors="replace").decode(), value.encode(errors="replace").decode()) for name, value in pairs
    )
    for name, content, filename in files:
        sent.add(name, FileStorage(io.BytesIO(content), filename))
    stream, _, boundary = stream_encode_multipart(sent, use_tempfile=False)
    return post(world, form, stream.read(), f"multipart/form-data; boundary={boundary}")


def post(world: World, form: Form, body: bytes, kind: str, **headers: str) -> int:
    with doors.undone(world.app) as write:
        answer = form.client.post(form.address, data=body, content_type=kind, headers=headers)
    shown = f"{form.door} {body[:300]!r} {kind}"
    assert answer.status_code < 500, shown
    if answer.status_code >= 400 and form.door.endpoint not in {"custody.test", "custody.unlock"}:
        # A wrong passphrase is meant to leave a trace; nothing else that was refused is.
        assert write.written == [], shown
    return answer.status_code


def test_every_door_that_takes_something_is_tried(world, every_form):
    tried = {form.door.endpoint for form in every_form}
    takers = {door.endpoint for door in doors.doors(world.app) if door.method == "POST"}
    assert takers - tried == {"accounts.sign_out"}
    assert sum(bool(form.files) for form in every_form) >= 2


def test_no_text_in_any_field_makes_a_page_fail(world, every_form):
    """Every field of a form at once; in turns, so that all texts meet some form and the worst meet every one."""
    for number, form in enumerate(every_form):
        for text in (*HOSTILE[1:4:2], *HOSTILE[4 + number % 8 :: 8]):
            send(world, form, [(name, text) for name in form.fields])


def test_nothing_in_a_form_that_is_filled_in_makes_a_page_fail(world, every_form):
    """Filled in as the page offers, then some fields changed, left out, sent twice, or made up; and any file."""
    for form in every_form:
        # The same examples in every run of the suite, others for each form; new ones where many are asked for.
        tried = mixed(world, form)
        (tried if TIMES > 1 else seed(crc32(str(form.door).encode()))(tried))()


def mixed(world: World, form: Form) -> Callable[[], None]:
    """Sends this form with what Hypothesis thinks of."""
    offered = sorted({value for values in form.fields.values() for value in values}) or [""]
    value = st.one_of(st.sampled_from(HOSTILE), st.sampled_from(offered), st.text(max_size=30))
    name = st.one_of(st.sampled_from(form.names), st.sampled_from(HOSTILE)) if form.fields else st.text()
    file = st.tuples(
        st.sampled_from(form.files or ["file"]),
        st.one_of(st.sampled_from(sorted(FILES.values())), st.binary(max_size=300)),
        st.sampled_from(["page.txt", "../../page.txt", "\x01", "x" * 300, ""]),
    )

    @settings(max_examples=EXAMPLES * TIMES, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def mixed(data: st.DataObject) -> None:
        left_out = data.draw(st.sets(st.sampled_from(form.names), max_size=2)) if form.fields else set()
        changed = data.draw(st.lists(st.tuples(name, value), min_size=1, max_size=4))
        replaced = {name for name, _ in changed} if data.draw(st.booleans()) else set()
        kept = [pair for pair in form.filled() if pair[0] not in left_out | replaced]
        send(world, form, kept + changed, data.draw(st.lists(file, max_size=2)) if form.files else ())

    return mixed


def test_a_name_with_characters_that_no_keyboard_types_is_kept_without_them(company):
    client = company.sign_in("marta")
    sent = {"csrf_token": doors.csrf_token(client), "name": "Spr\x00ing\x07 \u202e2027", "source": ""}
    assert client.post("/rounds/new", data=sent).status_code == 303
    assert "Spring \u202e2027" in client.get("/rounds").text


def test_json_is_not_taken_in_place_of_a_form(company):
    client = company.sign_in("marta")
    token = {"X-CSRFToken": doors.csrf_token(client)}
    assert client.post("/rounds/new", json={"name": "Spring", "source": ""}, headers=token).status_code == 422


def test_no_body_makes_a_page_fail(world, every_form):
    """All of them at each door, in four turns of doors."""
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
    for number, form in enumerate(every_form):
        token = doors.csrf_token(form.client)
        for body, kind in bodies[number % 4 :: 1 if TIMES > 1 else 4]:
            post(world, form, body, kind, **{"X-CSRFToken": token})


def test_ten_megabytes_are_refused_at_every_door_with_a_sentence(world, every_form):
    for form in every_form:
        if form.door.endpoint == "mailings.stop":
            continue  # it reads nothing of what is sent
        body = b"name=" + b"x" * max(10 * MEGABYTE, 2 * LARGEST * (form.door.endpoint == "imports.upload"))
        answer = form.client.post(form.address, data=body, content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 413, str(form.door)
        assert " MB together" in answer.text


@pytest.mark.parametrize("cookie", ["session", "rater", "draft"])
def test_no_cookie_makes_a_page_fail(world, cookie):
    values = ("\x7f", "a.b.c", "%00", '"\\000"', "\ud83d", "=" * 4_000, "AAAA", "eyJhIjoxfQ.aaaaaa.bbbb")
    for value in values:
        for path in ("/", "/feedback", "/feedback/resume", "/feedback/thanks", f"/feedback/{uuid.UUID(int=1)}"):
            raw = f"{cookie}={value}".encode("utf-8", "surrogatepass").decode("latin-1")
            answer = world.app.test_client().get(path, headers={"Cookie": raw})
            assert answer.status_code < 500, (path, value)


def test_no_query_and_no_address_makes_a_page_fail(world):
    clients = {name: doors.browser(world, name) for name in ("noor", doors.RATER)}
    texts = [quote_plus(text.encode("utf-8", "surrogatepass"))[:3_000] for text in HOSTILE[1:9]]
    for number, door in enumerate(doors.doors(world.app)):
        if door.method != "GET" or door.rule.rule.endswith(".pdf") or door.endpoint == IN_THE_LOG:
            continue
        client = clients[doors.RATER if door.endpoint.startswith("responses.") else "noor"]
        address, _ = next(iter(doors.addresses(world, door)))
        for text in texts[number % 4 :: 4]:
            query = "&".join(f"{name}={text}" for name in (*ASKED, text))
            assert client.get(f"{address}?{query}").status_code < 500, (address, query)
        for name in door.rule.arguments:
            for value in (str(uuid.UUID(int=0)), "x", "%00", "%ED%A0%80", "..%2f..", "x" * 2_000):
                path = door.rule.rule.replace(f"<uuid:{name}>", value).replace(f"<{name}>", value)
                path = path.replace("<uuid:cycle_id>", str(world.rounds[0].cycle_id)).replace("<uuid:review_id>", value)
                assert client.get(path).status_code in {200, 303, 308, 404, 410}, path


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_a_file_that_is_no_page_is_refused_with_its_reason(world, content):
    client = doors.browser(world, "marta")
    with doors.undone(world.app) as write:
        answer = client.post(
            "/pages/import",
            data={"csrf_token": doors.csrf_token(client), "file": (io.BytesIO(content), "../../page.txt"), "text": ""},
        )
    assert answer.status_code == 400
    assert write.written == []


def test_no_upload_reaches_the_disk(world, every_form, monkeypatch):
    """However large it may be there: nine megabytes of people, or as much of a page as a request may hold."""
    monkeypatch.setattr(tempfile, "TemporaryFile", _no_disk)
    monkeypatch.setattr(formparser, "SpooledTemporaryFile", _no_disk)
    for form in every_form:
        for name in form.files:
            size = 9 * MEGABYTE if form.door.endpoint == "imports.upload" else 900_000
            send(world, form, form.filled(), [(name, b"x" * size, "file.csv")])


def _no_disk(*args: object, **kwargs: object) -> None:
    raise AssertionError("An upload was about to be written to disk.")


@pytest.fixture(scope="session")
def kept_forms() -> dict[int, list[Form]]:
    return {}


@pytest.fixture
def every_form(world: World, kept_forms: dict[int, list[Form]]) -> list[Form]:
    """Looked for once in each world."""
    if id(world) not in kept_forms:
        kept_forms[id(world)] = forms.all_of(world)
    return kept_forms[id(world)]
