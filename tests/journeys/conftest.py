"""A real browser on a real installation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

import config as settings
from survey import app as wiring
from survey import context
from tests import installations, servers
from tests.company import Company
from tests.installations import Installation

ARTEFACTS = Path(__file__).resolve().parents[2] / "artefacts"
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}

expect.set_options(timeout=installations.PATIENCE * 1000)


@dataclass
class Walk:
    """What a journey needs: browsers by size, the mail, and a camera that also checks accessibility."""

    browser: Browser
    installation: Installation
    mailbox: servers.Mailbox
    company: Company
    name: str
    shots: int = 0
    contexts: list[BrowserContext] = field(default_factory=list)
    silent: list[BrowserContext] = field(default_factory=list)

    def open(self, *, phone: bool = False, script: bool = True) -> Page:
        """A page of a fresh browser: of desktop or phone width, with or without JavaScript."""
        opened = self.browser.new_context(
            base_url=self.installation.base_url,
            viewport=PHONE if phone else DESKTOP,
            java_script_enabled=script,
            reduced_motion="reduce",
        )
        opened.set_default_timeout(installations.PATIENCE * 1000)
        self.contexts.append(opened)
        if not script:
            self.silent.append(opened)
        return opened.new_page()

    def sign_in(self, page: Page, name: str) -> None:
        """Signs in as a person would: asks for a link, finds it in the mail, presses the button."""
        address, form = f"{name}@company.test", r"/sign-in/[\w-]+"
        before = len(self._links(address, form))
        page.goto("/sign-in")
        page.get_by_label("Your e-mail address").fill(address)
        page.get_by_role("button").click()
        installations.wait_until(
            lambda: len(self._links(address, form)) > before, installations.PATIENCE, "the sign-in mail"
        )
        page.goto(self.link(address, form))
        page.get_by_role("button", name="Sign in").click()

    def wake(self) -> None:
        """Rings for the mail, as a page does: after what a test did by itself."""
        wiring._doorbell(self.installation.environ["SURVEY_REDIS_URL"])("tasks.outbox.sweep")

    def link(self, address: str, pattern: str = r"/r/[\w-]+") -> str:
        """The newest link of this form in the mails to an address."""
        found = self._links(address, pattern)
        assert found, f"no link to {address}"
        return found[-1]

    def _links(self, address: str, pattern: str) -> list[str]:
        texts = [message.get_body(("plain",)).get_content() for message in self.mailbox.to(address)]
        return [found.group() for found in map(re.compile(pattern).search, texts) if found]

    def look(self, page: Page, what: str) -> None:
        """A screenshot of the whole page, and axe's opinion of it: no violation of any impact.

        Where scripts are off nothing can be run in the page, axe included: then only the picture is taken.
        """
        self.shots += 1
        width = page.viewport_size["width"]
        page.screenshot(path=ARTEFACTS / f"{self.name}-{self.shots:02}-{what}-{width}.png", full_page=True)
        if page.context in self.silent:
            return
        if page.evaluate("document.scrollingElement.scrollWidth") > width:
            raise AssertionError(f"{what} is wider than the window of {width} pixels")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


@pytest.fixture
def walk(
    chromium: Browser,
    environ: dict[str, str],
    mailbox: servers.Mailbox,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Walk]:
    ARTEFACTS.mkdir(exist_ok=True)
    app = wiring.create_app(settings.load(environ))
    with app.app_context():
        company = Company(app)
        context.installation().engine.dispose()
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")
    with installations.running(environ, tmp_path) as installation:
        made = Walk(chromium, installation, mailbox, company, name)
        yield made
        for browser in made.contexts:
            browser.close()
    # Also where the test ended early: what it did by itself left a connection.
    app.extensions[context.EXTENSION].engine.dispose()
