"""What every response carries, whatever it is a response to; and cookies, hosts, proxies, limits and changed keys."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace

import pytest

import config as settings
from survey import context
from survey.app import create_app
from tests.company import csrf
from tests.conftest import Browser
from tests.web import doors

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}
INLINE = re.compile(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=\"|javascript:")
OLD, NEW = "o" * 40, "n" * 40


def test_every_door_answers_with_the_headers_to_everybody(world):
    for name in ("noor", "marta", doors.RATER, ""):
        client = doors.browser(world, name)
        for door in doors.doors(world.app):
            address, _ = next(iter(doors.addresses(world, door)))
            with doors.undone(world.app):
                check(doors.open_door(client, door, address), f"{name} {door}")


def test_errors_carry_them_too(company, monkeypatch):
    client = company.app.test_client()
    nosuch = client.get("/nothing/here")
    method = client.delete("/sign-in")
    forged = client.post("/sign-in", data={"address": "marta@company.test"})
    large = client.post("/sign-in", data={"address": "x" * 1_100_000})
    asset = client.get("/static/none.css")
    host = client.get("/sign-in", headers={"Host": "elsewhere.test"})
    trace = client.open("/sign-in", method="TRACE")
    monkeypatch.setitem(company.app.view_functions, "accounts.sign_in", broken)
    answers = [nosuch, method, forged, large, asset, host, trace, client.get("/sign-in")]
    assert [answer.status_code for answer in answers] == [404, 405, 400, 413, 404, 400, 405, 500]
    for answer in answers:
        check(answer, answer.status)
    assert "GET" in method.headers["Allow"]
    assert "eyes" not in answers[-1].text


def broken():
    raise RuntimeError("Not for anybody's eyes.")


broken.action = None


def test_static_files_are_kept_under_a_name_that_changes_with_them_and_nothing_else_is(company):
    client = company.app.test_client()
    name = re.search(r'href="(/static/css/survey\.[0-9a-f]{12}\.css)"', client.get("/sign-in").text).group(1)
    with client.get(name) as answer:
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.mimetype == "text/css"
        assert "Content-Encoding" not in answer.headers
        plain = answer.data
    packed = client.get(name, headers={"Accept-Encoding": "gzip, deflate, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == answer.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["Cache-Control"] == answer.headers["Cache-Control"]
    assert packed.headers["Content-Type"] == answer.headers["Content-Type"]
    assert gzip.decompress(packed.data) == plain
    page = client.get("/sign-in", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in page.headers, "a page holds a token"
    for other in ("/static/css/survey.css", "/static/css/survey.000000000000.css", "/static/css/none.css"):
        answer = client.get(other)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (404, "no-store")


def test_no_page_has_a_script_or_a_style_in_itself(world):
    """The policy would stop them; so none may be needed."""
    client = doors.browser(world, "marta")
    for door in doors.doors(world.app):
        if door.method == "GET":
            for address, _ in doors.addresses(world, door):
                with doors.undone(world.app):  # some are noted when they are read
                    page = client.get(address).get_data().decode(errors="replace")
                if page.lstrip().lower().startswith("<!doctype html"):
                    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=\"|javascript:", page), (
                        door
                    )


def test_every_form_that_is_posted_needs_its_token(world):
    """The rater's form looks at it itself, to keep what was answered."""
    before = doors.rows_of_all_tables()
    for name in ("noor", "marta", "sam", doors.RATER, ""):
        client = doors.browser(world, name)
        for door in doors.doors(world.app):
            if door.method == "POST" and door.endpoint != "mailings.stop":  # its link is what it needs (RFC 8058)
                address, _ = next(iter(doors.addresses(world, door)))
                for token in ({}, {"csrf_token": "guessed"}):
                    answer = client.post(address, data=token)
                    assert answer.status_code in ({410, 422} if door.endpoint == "responses.answer" else {400}), door
    assert doors.rows_of_all_tables() == before


def test_cookies_over_https_are_bound_to_the_host(environ):
    app = create_app(settings.load(environ | {"SURVEY_BASE_URL": "https://feedback.company.test"}))
    client = app.test_client()
    answer = client.get("/sign-in", base_url="https://feedback.company.test")
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-session=")
    assert {part.strip() for part in cookie.split(";")[1:]} == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    app.extensions[context.EXTENSION].engine.dispose()


def test_a_raters_cookies_over_https_are_bound_to_the_host(company):
    company.open()
    token = company.tokens()["ana"]
    company.app.extensions[context.EXTENSION] = replace(context.installation(), secure=True)
    client = company.app.test_client()
    address = f"https://localhost/r/{token}"
    page = client.get(address)
    entered = client.post(address, data={"csrf_token": csrf(page.text)}, headers={"Referer": address})
    (cookie,) = [each for each in entered.headers.getlist("Set-Cookie") if "rater" in each]
    assert cookie.startswith("__Host-rater=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie


def test_over_http_on_this_machine_no_browser_is_told_to_insist_on_https(company):
    answer = company.app.test_client().get("/sign-in")
    assert "Strict-Transport-Security" not in answer.headers
    assert "Secure" not in answer.headers["Set-Cookie"]


def test_forms_that_come_from_another_site_are_refused_over_https(company):
    client = company.app.test_client()
    address = "https://localhost/sign-in"
    sent = {"csrf_token": csrf(client.get(address).text), "address": "marta@company.test"}
    assert client.post(address, data=sent, headers={"Referer": "https://elsewhere.test/"}).status_code == 400
    assert client.post(address, data=sent).status_code == 400
    assert client.post(address, data=sent, headers={"Referer": address}).status_code == 200


@pytest.mark.parametrize(("hops", "proto"), [("0", "http"), ("1", "https")])
def test_a_proxy_is_believed_only_where_there_is_one(environ, hops, proto):
    app = create_app(settings.load(environ | {"SURVEY_PROXY_HOPS": hops}))
    seen = {}
    app.before_request(lambda: seen.update(proto=_request().scheme, place=_request().remote_addr))
    # Whoever sits before the one proxy writes the first of two values; the proxy appends the second.
    app.test_client().get(
        "/sign-in", headers={"X-Forwarded-For": "6.6.6.6, 7.7.7.7", "X-Forwarded-Proto": "http, https"}
    )
    assert seen == {"proto": proto, "place": "7.7.7.7" if hops == "1" else "127.0.0.1"}
    app.extensions[context.EXTENSION].engine.dispose()


def _request():
    from flask import request

    return request


def test_after_a_change_of_the_secret_key_sign_ins_and_open_pages_go_on(environ, company):
    before = running(environ | {"SURVEY_SECRET_KEY": OLD})
    company.app = before
    client = company.sign_in("marta")
    open_page = csrf(client.get("/rounds/new").text)
    kept = client.get_cookie("session").value

    after = running(environ | {"SURVEY_SECRET_KEY": NEW, "SURVEY_SECRET_KEY_FALLBACKS": OLD})
    later = after.test_client()
    later.set_cookie("session", kept)
    assert "Marta Lindqvist" in later.get("/rounds").text
    made = later.post("/rounds/new", data={"csrf_token": open_page, "name": "Autumn", "source": ""})
    assert made.status_code == 303, made.text

    without = running(environ | {"SURVEY_SECRET_KEY": NEW})
    stranger = without.test_client()
    stranger.set_cookie("session", kept)
    assert stranger.get("/rounds").status_code == 303
    company.app = after
    renewed = without.test_client()
    renewed.set_cookie("session", company.sign_in("marta").get_cookie("session").value)
    assert renewed.get("/rounds").status_code == 200, "what is signed meanwhile is signed with the new key"
    for app in (before, after, without):
        app.extensions[context.EXTENSION].engine.dispose()


def running(environ):
    app = create_app(settings.load(environ))
    app.extensions[context.EXTENSION] = replace(app.extensions[context.EXTENSION], clock=context.installation().clock)
    app.test_client_class = Browser
    return app


def check(answer, where):
    policy = dict(each.split(" ", 1) for each in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'", where
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'", where
    assert "unsafe" not in str(policy), where
    for name, value in EVERYWHERE.items():
        assert answer.headers[name] == value, where
    assert answer.headers["Referrer-Policy"] in {"same-origin", "strict-origin"}, where  # test_unlogged.py says which
    assert answer.headers["Cache-Control"] == "no-store", where
    if answer.mimetype.startswith("text/"):
        assert answer.mimetype_params["charset"].lower() == "utf-8", where
    for cookie in answer.headers.getlist("Set-Cookie"):
        assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}, where
        assert "Domain" not in cookie, where
