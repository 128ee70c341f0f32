"""Hints before sending: what they find, that they are seen, and that they stay in the browser and block nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.company import csrf

pytestmark = pytest.mark.journey

SCRIPTS = Path(__file__).resolve().parents[2] / "survey" / "static" / "js"
EXPECTED = [
    "Sam Rivera",
    "Feedback for Sam Rivera",
    "Product Stability, level 3",
    "Uses Observability to guide decisions",
]

FOUND = [
    ("Write to ana.petrov@company.test about it.", {"address": ["ana.petrov@company.test"]}),
    ("I paired with Ana on the import.", {"name": ["Ana"]}),
    ("We decided, and then Ana Petrov and Jean-Luc fixed it.", {"name": ["Ana", "Petrov", "Jean-Luc"]}),
    ("Ana and I could not follow.", {"name": ["Ana"]}),
    ("Good talks. Ben said the same.", {"name": ["Ben"]}),
    ("Chloe Dubois was left alone with the pager.", {"name": ["Chloe", "Dubois"]}),
    ("Ask @farid, or O’Brien’s people.", {"name": ["O’Brien", "@farid"]}),
    ("Please listen more, as I told you at the desk.", {"phrase": ["as I told you"]}),
    ("As we've already said, it is too slow.", {"phrase": ["As we've already said"]}),
    ("I told you so!", {"phrase": ["I told you"]}),
    ("like i mentioned, no", {"phrase": ["like i mentioned"]}),
    ("When we last talked it was better; in our 1:1 too.", {"phrase": ["When we last talked", "in our 1:1"]}),
    ("The outage last Tuesday at 14:30 was avoidable.", {"moment": ["last Tuesday", "14:30"]}),
    ("On 3 March, 2026-03-04, 5.3.2026 and March 6th.", {"moment": ["3 March", "2026-03-04", "5.3.2026"]}),
    ("yesterday at 2 pm", {"moment": ["yesterday", "2 pm"]}),
    ("It has been so since last March.", {"moment": ["last March"]}),
    (
        "As I told you on Monday, Ana said so: a@b.example",
        {"address": ["a@b.example"], "name": ["Ana"], "phrase": ["As I told you"], "moment": ["on Monday"]},
    ),
]

SILENT = [
    "",
    "More of the short risk talks at planning, please. They changed what we built twice this spring.",
    "Sam asks early. I saw Sam Rivera’s review help. Then Rivera shared it.",
    "Postgres, PostgreSQL, GitHub and our API are on call 24/7, and SLOs of 99.9 %.",
    "Planning was good. Reviews are slow! Meetings? None: Nobody knows.\nAnother line\n- Lists are fine",
    "You may march on: it may take 3 people, 10 minutes or version 3.11.",
    "He said that the runbook told people what to do. They said so too.",
    "Observability for Product Stability at Level 3",
    "Die Planung der Ausfälle und die Auswertung der Fehler in der Anwendung kommen nach der Auslieferung.",
    "x" * 20_000,
    "A" + "a" * 20_000,
    "Aa-" * 7_000,
    "as " * 7_000,
]


def test_hints_find_names_addresses_talks_and_moments(detect):
    found = detect([text for text, _ in FOUND])
    assert {text: hints for (text, _), hints in zip(FOUND, found, strict=True)} == dict(FOUND)


def test_ordinary_sentences_and_the_page_s_own_words_are_no_hints(detect):
    found = detect(SILENT)
    assert {text[:60]: hints for text, hints in zip(SILENT, found, strict=True) if hints} == {}


WITHOUT_BLANKS = {
    "one letter": "x",
    "Chinese": "评估系统可靠性的改进措施，",
    "Thai": "การประเมิน",
    "base64": "QWxhZGRpbjpvcGVuIHNlc2FtZQ9aZ+/",
    "address of a page": "https://pages.example/Path-To/Some_Page?x=1&y=2#Z.",
    "e-mail addresses": "ana.b@mail.example,",
    "dots": "a@b.c.",
    "names": "Ana-Ben-",
    "names that end in a number": "Ana-Ben-C3",
    "emoji": "👍",
}


@pytest.mark.parametrize("kind", WITHOUT_BLANKS)
def test_ten_times_the_text_without_blanks_takes_about_ten_times_as_long(clocked, kind):
    """With the square of the time it would take a hundred times as long: here four times ten is still let pass."""
    piece = WITHOUT_BLANKS[kind]
    short, long = (piece * (length // len(piece)) for length in (20_000, 200_000))
    shorter, longer = clocked(short), clocked(long)
    assert longer < 40 * max(shorter, 10), f"{shorter:.0f} ms, {longer:.0f} ms"


def test_what_is_found_in_a_short_text_is_found_beside_a_long_one_too(detect):
    for piece in WITHOUT_BLANKS.values():
        long = piece.replace("@", "").replace("Ana", "").replace("Ben", "") * 400
        (found,) = detect([f"{long} I paired with Dev on it: dev.k@company.test. As I told you. {long}"])
        assert found["address"] == ["dev.k@company.test"]
        assert found["phrase"] == ["As I told you"]


def test_a_hint_is_seen_beside_the_text_sends_nothing_and_blocks_nothing(company, chromium, web):
    company.open()
    page, requests = _enter(company, chromium, web)
    field = page.get_by_role("textbox").first
    place = page.locator(f"[data-care='{field.get_attribute('id')}']")
    assert place.get_attribute("aria-live") == "polite"
    field.fill("Restoring the backup went well.")
    page.wait_for_timeout(900)
    assert place.inner_text() == ""
    requests.clear()
    field.fill("As I told you, Ana did it last Tuesday.")
    expect(place).to_contain_text("“Ana” A name can show whose circle these words come from")
    expect(place).to_contain_text("“As I told you” Whoever was in that conversation")
    expect(place).to_contain_text("“last Tuesday”")
    field.fill("It went well.")
    expect(place).to_be_empty()
    field.fill("As I told you, Ana did it last Tuesday.")
    page.wait_for_timeout(900)
    assert requests == []
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    _answer_all(page)
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()


def test_nobody_s_name_is_shipped_to_the_page_but_the_subject_s(company):
    company.open()
    client = company.app.test_client()
    token = company.tokens()["ana"]
    page = client.get(f"/r/{token}")
    answer = client.post(f"/r/{token}", data={"csrf_token": csrf(page.text)})
    text = client.get(answer.location).text
    assert 'data-hints="Sam Rivera"' in text
    for name in ("Ben", "Chloe", "Marta", "Lindqvist", "Ines", "Noor"):
        assert not re.search(rf"\b{name}\b", text)


def test_without_scripts_there_is_no_hint_and_the_form_is_sent(company, chromium, web):
    company.open()
    page, _ = _enter(company, chromium, web, script=False)
    page.get_by_role("textbox").first.fill("As I told you, Ana did it last Tuesday.")
    assert page.get_by_text("A name can show").count() == 0
    _answer_all(page)
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()


def test_whoever_is_not_anonymous_gets_no_hints(company):
    company.open()
    tokens = company.tokens()
    for name in ("sam", "marta"):
        client = company.app.test_client()
        page = client.get(f"/r/{tokens[name]}")
        answer = client.post(f"/r/{tokens[name]}", data={"csrf_token": csrf(page.text)})
        assert "hints" not in client.get(answer.location).text


def _enter(company, chromium, web, *, script=True):
    page = chromium.new_page(base_url=web, java_script_enabled=script)
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"/r/{company.tokens()['ana']}")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile("/feedback/"))
    return page, requests


def _answer_all(page):
    groups = page.get_by_role("radiogroup")
    for number in range(groups.count()):
        groups.nth(number).get_by_role("radio").nth(1).check(force=True)
    page.get_by_role("button", name="Send my answers").click()


@pytest.fixture
def clocked(detect):
    """Milliseconds that the detection takes for a text, at best of three."""

    def run(text):
        return detect.page.evaluate(
            """async (text) => {
                const { hintsIn } = await import("/hints.js");
                const taken = [1, 2, 3].map(() => {
                    const began = performance.now();
                    hintsIn(text, []);
                    return performance.now() - began;
                });
                return Math.min(...taken);
            }""",
            text,
        )

    return run


@pytest.fixture
def detect(chromium):
    """The detection, run in a page that has nothing else."""
    page = chromium.new_page()
    script = (SCRIPTS / "hints.js").read_text()
    page.route("**/hints.js", lambda route: route.fulfill(content_type="text/javascript", body=script))
    page.route(
        "**/empty", lambda route: route.fulfill(content_type="text/html", body="<!doctype html><title>-</title>")
    )
    page.goto("http://localhost/empty")

    def run(texts):
        found = page.evaluate(
            """async ([texts, expected]) => {
                const { hintsIn } = await import("/hints.js");
                return texts.map((text) => hintsIn(text, expected).map(({ kind, found, why }) => [kind, found, why]));
            }""",
            [texts, EXPECTED],
        )
        assert all(why.endswith(".") for hints in found for _, _, why in hints)
        return [{kind: words for kind, words, _ in hints} for hints in found]

    run.page = page
    yield run
    page.close()


@pytest.fixture
def database_url(databases):
    return databases.make("sqlite")
