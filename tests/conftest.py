"""What most tests need: a fresh database of either kind, an app on it, a clock that can be set, a mailbox."""

from __future__ import annotations

import contextvars
import gc
import os
import secrets
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings as examples
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Playwright, sync_playwright
from werkzeug.test import TestResponse

import config as settings
from survey import app as wiring
from survey import context
from tests import organisation, quick, servers
from tests.attacks import rounds
from tests.company import Company

# No test fails on a time: machines are slow at times.
examples.register_profile("unhurried", deadline=None)
examples.load_profile("unhurried")

WEB = Path(__file__).parent / "web"
ATTACKS = Path(__file__).parent / "attacks"
# Pages whose answer depends on what the database makes of odd texts, or that stand for all pages and all people.
ON_BOTH_DATABASES = ("test_access_matrix", "test_bad_input", "test_responses")
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass
class Clock:
    """The time, which stands still unless it is moved."""

    moment: datetime = START

    def __call__(self) -> datetime:
        return self.moment

    def move(self, **by: float) -> None:
        """Moves the time on, by what `timedelta` takes."""
        self.moment += timedelta(**by)


@dataclass
class Rung:
    """The doorbells that were rung."""

    tasks: list[str] = field(default_factory=list)


def pytest_configure() -> None:
    """Only in a test run: benchmarks import from here too, and measure the program as it is."""
    quick.begin()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out pages on PostgreSQL, to be quick: what they call is tested on it below them. CI leaves out nothing."""
    if os.environ.get("SURVEY_TEST_EVERYTHING"):
        return
    left_out = [
        item
        for item in items
        if item.get_closest_marker("postgresql") and item.path.parent == WEB and item.path.stem not in ON_BOTH_DATABASES
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """What is loaded by now stays: it need not be looked through for garbage hundreds of times."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Databases]:
    made = servers.Databases(tmp_path_factory.mktemp("databases"), settings=servers.UNHURRIED)
    yield made
    made.stop()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, databases: servers.Databases) -> Iterator[str]:
    if request.path.parent == ATTACKS or request.node.get_closest_marker("untouched"):
        yield databases.make(request.param)
        return
    url = databases.lend(request.param)
    yield url
    databases.take_back(url)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def mail_server() -> Iterator[servers.Mailbox]:
    box = servers.Mailbox()
    box.start()
    yield box
    box.stop()


@pytest.fixture
def mailbox(mail_server: servers.Mailbox) -> servers.Mailbox:
    mail_server.messages.clear()
    mail_server.answers.clear()
    return mail_server


@pytest.fixture
def environ(database_url: str, mail_server: servers.Mailbox, tmp_path: Path) -> dict[str, str]:
    return {
        "SURVEY_MODE": "testing",
        "SURVEY_SECRET_KEY": secrets.token_urlsafe(48),
        "SURVEY_DATABASE_URL": database_url,
        # Nobody answers there: what a test waits for, it does itself, or it starts a redis of its own.
        "SURVEY_REDIS_URL": "redis://127.0.0.1:1/0",
        "SURVEY_KEY_DIRECTORY": str(tmp_path / "keys"),
        "SURVEY_BASE_URL": "http://localhost",
        "SURVEY_SMTP_HOST": "127.0.0.1",
        "SURVEY_SMTP_PORT": str(mail_server.port),
        "SURVEY_COMPANY": "Company",
        # Mail goes out when a test looks for it; tests of the pace itself set another one.
        "SURVEY_MAIL_PACE": "at_once",
    }


class Browser(FlaskClient):
    """A client whose requests begin in an empty context, as on a server: nothing of the test's own is seen."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        return contextvars.Context().run(super().open, *args, **kwargs)


@pytest.fixture
def rung() -> Rung:
    return Rung()


@pytest.fixture
def app(environ: dict[str, str], clock: Clock, rung: Rung, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    monkeypatch.setattr(wiring, "_doorbell", lambda url: rung.tasks.append)
    # Commands that a test runs on this app look for no folder of an installation.
    monkeypatch.setenv("SURVEY_MODE", environ["SURVEY_MODE"])
    made = wiring.create_app(settings.load(environ), clock=clock)
    made.test_client_class = Browser
    made.jinja_env.bytecode_cache = quick.TEMPLATES
    with made.app_context():
        yield made
    made.extensions[context.EXTENSION].engine.dispose()


@pytest.fixture
def company(app: Flask) -> Company:
    """Fourteen people, the sample pages, and verbs to run rounds with."""
    return Company(app)


@pytest.fixture
def web(app: Flask) -> Iterator[str]:
    """The address of the app, served on loopback."""
    with servers.web_server(app) as address:
        yield address


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Chromium]:
    """A real browser. Skipped loudly where there is none; CI fails instead."""
    program = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if program is None:
        if os.environ.get("SURVEY_REQUIRE_BROWSER"):
            pytest.fail("There is no Chromium, and SURVEY_REQUIRE_BROWSER asks for one.")
        warnings.warn("NO CHROMIUM HERE: THE BROWSER JOURNEYS WERE SKIPPED", UserWarning, stacklevel=1)
        pytest.skip("no Chromium was found: the browser journeys did not run")
    browser = playwright.chromium.launch(
        executable_path=program,
        args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
    )
    yield browser
    browser.close()


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def built_organisation(
    request: pytest.FixtureRequest, databases: servers.Databases, tmp_path_factory: pytest.TempPathFactory
) -> organisation.Organisation:
    with rounds.installation(databases, request.param, tmp_path_factory.mktemp("organisation")) as made:
        made.test_client_class = Browser
        return organisation.build(made)


@pytest.fixture
def sixty(built_organisation: organisation.Organisation) -> Iterator[organisation.Organisation]:
    """A company of sixty whose round is released. Built once: whoever uses it leaves it as it was."""
    with built_organisation.app.app_context():
        yield built_organisation
        context.installation().engine.dispose()
