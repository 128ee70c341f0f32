"""Pictures of the report in four cases, on desktop, phone, in the dark, printed, and as PDF.

Run with `python -m tests.journeys.reports`; they land in artefacts/, and are there to be looked at.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import Flask
from playwright.sync_api import Browser, sync_playwright
from werkzeug.serving import make_server

import config as settings
from survey import context
from survey.app import create_app
from survey.core.plans import Plan
from survey.core.questionnaires import BLOCKS
from survey.core.relationships import Relationship
from survey.services import people, plans, responses, sign_ins
from survey.store import base, schema
from survey.store.cycles import Cycle
from tests import portraits
from tests.company import PEERS, Company
from tests.servers import free_port

ARTEFACTS = Path(__file__).resolve().parents[2] / "artefacts"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SIZES: Mapping[str, Mapping[str, object]] = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 360, "height": 740}},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
}


def main() -> None:
    """Runs a round for each case and photographs its report."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("There is no Chromium on this machine; on Debian, apt-get install chromium.")
    ARTEFACTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for case in sys.argv[1:] or portraits.GROUPS:
            with _served(Path(folder) / case) as (app, web):
                review_id, link = _round(app, case)
                _photograph(browser, f"{web}{link}", f"{web}/reports/{review_id}", case)
        browser.close()


@contextmanager
def _served(folder: Path) -> Iterator[tuple[Flask, str]]:
    # Keys are refused in the folder of the database.
    rows = folder / "rows"
    rows.mkdir(parents=True)
    port = free_port()
    app = create_app(
        settings.load(
            {
                "SURVEY_MODE": "testing",
                "SURVEY_SECRET_KEY": secrets.token_urlsafe(48),
                "SURVEY_DATABASE_URL": f"sqlite:///{rows}/survey.sqlite",
                "SURVEY_REDIS_URL": "redis://127.0.0.1:1/0",
                "SURVEY_KEY_DIRECTORY": str(folder / "keys"),
                "SURVEY_BASE_URL": f"http://127.0.0.1:{port}",
                "SURVEY_SMTP_HOST": "127.0.0.1",
                "SURVEY_MAIL_PACE": "at_once",
            }
        ),
        clock=lambda: _clock[0],
    )
    engine = base.connect(f"sqlite:///{rows}/survey.sqlite")
    schema.upgrade(engine)
    engine.dispose()
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with app.app_context():
            yield app, f"http://127.0.0.1:{port}"
            context.installation().engine.dispose()
    finally:
        server.shutdown()
        thread.join()


_clock = [START]


def _round(app: Flask, case: str) -> tuple[uuid.UUID, str]:
    """The review of the case, and a link that signs its subject in. The rich one has a round before it, and plans."""
    _clock[0] = START
    company = Company(app)
    raters = _raters(company, case)
    if case == "rich":
        _plan(_run(company, case, raters, earlier=True), portraits.planned().earlier)
        _clock[0] += timedelta(days=180)
    review_id = _run(company, case, raters, earlier=False)
    if case == "rich":
        _plan(review_id, portraits.planned().now)
    with context.transaction() as session:
        token = sign_ins.link(session, "sam@company.test", now=context.now(), life=timedelta(hours=1))
    return review_id, f"/sign-in/{token}"


def _plan(review_id: uuid.UUID, plan: Plan) -> None:
    """The subject plans the steps of this plan after the review, and notes what stands in it."""
    with context.transaction() as session:
        day = context.now().date() + timedelta(days=30)
        plans.save(session, review_id, plan.steps, day, now=context.now())
        plans.note(session, review_id, plan.note)


def _raters(company: Company, case: str) -> dict[str, Relationship]:
    groups = portraits.GROUPS[case]
    raters = {"sam": Relationship.SELF, "marta": Relationship.MANAGER}
    raters |= dict.fromkeys(PEERS[: groups[Relationship.PEER]], Relationship.PEER)
    for number in range(groups.get(Relationship.DIRECT_REPORT, 0)):
        name = f"report{number}"
        with context.transaction() as session:
            company.ids[name] = people.add(session, name, f"{name}@company.test").id
        raters[name] = Relationship.DIRECT_REPORT
    return raters


def _run(company: Company, case: str, raters: Mapping[str, Relationship], *, earlier: bool) -> uuid.UUID:
    cycle_id, review_id = company.open(raters, blocks=BLOCKS)
    numbers: dict[Relationship, int] = {}
    for name, token in company.tokens().items():
        relationship = raters[name]
        number = numbers[relationship] = numbers.get(relationship, -1) + 1
        with context.reading() as session:
            waiting = responses.waiting(session, token)[0]
            asked = responses.asked(session, token, waiting.invitation_id)
        given = portraits.answers(case, relationship, number, asked.questionnaire, earlier=earlier)
        company.answer(token, given)
    company.close(cycle_id)
    company.count()
    company.release(cycle_id)
    if earlier:
        with context.transaction() as session:
            session.get_one(Cycle, cycle_id).name = "Autumn round"
    return review_id


def _photograph(browser: Browser, link: str, address: str, case: str) -> None:
    state = None
    for size, options in SIZES.items():
        opened = browser.new_context(storage_state=state, reduced_motion="reduce", **options)
        page = opened.new_page()
        if state is None:
            page.goto(link)
            page.get_by_role("button", name="Sign in").click()
            state = opened.storage_state()
        page.goto(address)
        page.screenshot(path=_named(case, size), full_page=True)
        page.screenshot(path=_named(case, f"{size}-first"))
        if page.evaluate("document.scrollingElement.scrollWidth") > options["viewport"]["width"]:
            sys.exit(f"The report ({case}, {size}) is wider than its window.")
        if size == "desktop":
            printed = ARTEFACTS / f"report-{case}-print.pdf"
            page.pdf(path=printed, prefer_css_page_size=True)
            _as_pictures(printed)
            document = ARTEFACTS / f"report-{case}-document.pdf"
            document.write_bytes(opened.request.get(f"{address}.pdf").body())
            _as_pictures(document)
        opened.close()
    print(f"{case}: artefacts/report-{case}-*.png")


def _as_pictures(document: Path) -> None:
    if pdftoppm := shutil.which("pdftoppm"):
        subprocess.run([pdftoppm, "-r", "70", "-png", str(document), str(document.with_suffix(""))], check=True)


def _named(case: str, what: str) -> Path:
    return ARTEFACTS / f"report-{case}-{what}.png"


if __name__ == "__main__":
    main()
