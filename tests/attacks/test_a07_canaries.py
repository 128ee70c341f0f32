"""A7: a full round on real servers; then every log, all of redis and the database are searched for canaries."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select

import config as settings
from survey import context
from survey.app import create_app
from survey.store.invitations import Invitation
from tests import installations, servers
from tests.attacks import attackers, searches
from tests.attacks.browsers import Browser, filled_in
from tests.company import Company
from tests.installations import Installation, wait_until

pytestmark = pytest.mark.processes

PATIENCE = 180
ANSWERING = ("ana", "ben", "chloe", "dev", "ewa", "ines", "jonas", "marta", "sam")
DECLINING, REFUSED, DELAYED = "farid", "hugo", "grace"

HOMES = {
    # An address that a mail server refused is kept for people operations, who alone can put it right.
    "addresses": {"person", "refused_address", "the file", "the file-wal"},
    "comments": {"comment", "the file", "the file-wal"},
    "invitations": {"invitation", "invitation_token", "the file", "the file-wal"},
}
"""Where a canary belongs: not searched for there, but counted, to show that the search finds what is there."""


def test_a_full_round_leaves_no_canary_in_logs_redis_or_the_database(servers_with, capsys):
    with servers_with() as walk:
        walk.open_the_round()
        walk.answer()
        walk.search("while open", is_counted=False)
        walk.close_and_release()
        walk.search("after release")
        walk.read_the_report()
        walk.installation.survey("cycle", "list")
    walk.search("at the end, servers stopped", has_redis=False)
    with capsys.disabled():
        print("\n" + walk.table())
    assert walk.at_home["after release"]["addresses"] == len(walk.canaries["addresses"])
    assert walk.at_home["after release"]["comments"] >= len(ANSWERING) - 3
    assert walk.at_home["while open"]["invitations"] == len(walk.canaries["invitations"])
    assert len(walk.canaries["links"]) >= len(ANSWERING) + 4
    assert {"web.log", "worker.log", "beat.log"} <= {place for _, place in walk.found}
    assert {place: +count for place, count in walk.found.items() if +count} == {}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_build_that_talks_is_found_out_in_all_three_places(servers_with):
    with servers_with(web="tests.attacks.weakened:talking_app()") as walk:
        walk.open_the_round()
        walk.answer()
        walk.search("while open", is_counted=False)
    for place in ("web.log", "redis: keys", "redis: all commands", "outbox"):
        found = walk.found["while open", place]
        assert found["links"] >= len(ANSWERING)
        assert found["addresses"] == found["comments"] == len(ANSWERING)
        assert found["invitations"] >= len(ANSWERING)


@dataclass
class Walk:
    """A round on real servers, and what was found of it where."""

    installation: Installation
    mailbox: servers.Mailbox
    company: Company
    engine: object
    commands: Path
    server_log: Path | None
    canaries: dict[str, set[str]]
    round_path: str = ""
    manager: Browser | None = None
    sizes: Counter[tuple[str, str]] = field(default_factory=Counter)
    found: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    at_home: dict[str, Counter[str]] = field(default_factory=dict)

    def open_the_round(self) -> None:
        """The manager signs in and opens a round; two addresses do not take their mail."""
        self.mailbox.answers[f"{REFUSED}@company.test"] = f"550 No such user {REFUSED}@company.test"
        self.mailbox.answers[f"{DELAYED}@company.test"] = f"450 {DELAYED}@company.test is busy"
        self.manager = self.sign_in("marta")
        cycle_id, _ = self.company.draft(self.company.usual_raters(8))
        self.round_path = f"/rounds/{cycle_id}"
        assert self.manager.press(f"{self.round_path}/open").status == 200
        with context.reading() as session:
            ids = session.scalars(select(Invitation.id)).all()
        self.canaries["invitations"] = {str(key) for key in ids}
        wait_until(lambda: len(self._links("/r/")) >= len(ANSWERING) + 1, PATIENCE, "the invitations")

    def answer(self) -> None:
        """Everybody answers, with the mishaps of real life."""
        stranger = Browser(self.installation.base_url)
        assert stranger.get(f"/r/{secrets.token_urlsafe(32)}").status == 410
        for number, name in enumerate(ANSWERING):
            self._answer(name, number)
        browser, path = self._enter(DECLINING)
        assert browser.press(f"{path}/decline", {"is_meant": "y"}).status == 200

    def _answer(self, name: str, number: int) -> None:
        browser, path = self._enter(name)
        word = secrets.token_hex(8)
        self.canaries["comments"].add(word)
        form = filled_in(browser.get(path).text, 1 + number % 5, f"{word} is what {name} has to say.")
        if number == 0:  # leaves a gap, forgets the token of the form, writes too much, and far too much
            rated = next(key for key, value in form.items() if value.isdecimal())
            assert browser.post(path, {key: value for key, value in form.items() if key != rated}).status == 422
            assert browser.post(path, form | {"csrf_token": "none"}).status == 422
            assert browser.post(path, {key: value * 60 for key, value in form.items()}).status == 422
            assert browser.post(path, form | {"more": word * 100_000}).status == 413
        if number == 1:
            assert browser.post(path, form | {"action": "save"}).status == 200
            self.canaries["cookies"].add(browser.cookie("draft").strip('"='))
        self.canaries["cookies"].add(browser.cookie("session"))
        assert browser.post(path, form | {"action": "submit"}).status == 200
        # The same form once more leads to thanks; in another browser the link is used up.
        assert browser.post(path, form | {"action": "submit"}).status == 200
        elsewhere = Browser(self.installation.base_url)
        assert elsewhere.get(self._link(f"{name}@company.test", "/r/")).status == 410

    def close_and_release(self) -> None:
        """The manager closes the round; it is counted, and released."""
        assert self.manager.press(f"{self.round_path}/close").status == 200
        wait_until(lambda: "Release the reports" in self.manager.get(self.round_path).text, PATIENCE, "the tally")
        assert self.manager.press(f"{self.round_path}/release").status == 200
        wait_until(lambda: self._links("/reports/"), PATIENCE, "the mail about the report")

    def read_the_report(self) -> None:
        """The subject reads, and somebody else is not let in."""
        path = self._link("sam@company.test", "/reports/")
        assert self.sign_in("sam").get(path).status == 200
        assert self.sign_in("ana").get(path).status in {403, 404}

    def sign_in(self, name: str) -> Browser:
        """A browser in which this person is signed in, by a link from a mail."""
        address, before = f"{name}@company.test", len(self.mailbox.to(f"{name}@company.test"))
        browser = Browser(self.installation.base_url)
        assert browser.press("/sign-in", {"address": address}).status == 200
        wait_until(lambda: len(self.mailbox.to(address)) > before, PATIENCE, "the sign-in mail")
        assert browser.press(self._link(address, "/sign-in/")).status == 200
        self.canaries["cookies"].add(browser.cookie("session"))
        return browser

    def search(self, moment: str, *, is_counted: bool = True, has_redis: bool = True) -> None:
        """Looks for every canary in every place there is. Before the count a comment is at home nowhere."""
        self.canaries["links"] = self._links("/r/") | self._links("/sign-in/")
        content = searches.folder(self.installation.logs) | attackers.dump(self.engine)
        keys = searches.folder(Path(self.installation.environ["SURVEY_KEY_DIRECTORY"]))
        content["the key directory"] = b"".join(keys.values())
        if has_redis:
            url = self.installation.environ["SURVEY_REDIS_URL"]
            content |= searches.redis_now(url)
            searches.commands_so_far(url, self.commands)
        content["redis: all commands"] = self.commands.read_bytes()
        if self.server_log:
            content["PostgreSQL's log"] = self.server_log.read_bytes()
        self.at_home[moment] = Counter()
        for place, plain in content.items():
            self.sizes[moment, place] = len(plain)
            self.found[moment, place] = Counter()
        for kind, words in self.canaries.items():
            # SQLite writes ids without dashes.
            forms = {word.replace("-", "") for word in words} if kind == "invitations" else set()
            for place, number in searches.hits(content, sorted(words | forms)).items():
                if place not in HOMES.get(kind, set()) or (kind == "comments" and not is_counted):
                    self.found[moment, place][kind] = number
                elif not place.startswith("the file"):
                    self.at_home[moment][kind] = max(self.at_home[moment][kind], number)

    def table(self) -> str:
        """What was searched, when, how much, and how many canaries were there."""
        kinds = list(self.canaries)
        lines = [
            f"A7 on {self.engine.dialect.name}: "
            + ", ".join(f"{len(words)} {kind}" for kind, words in self.canaries.items()),
            "",
            f"{'searched':<28}{'when':<30}{'bytes':>10}" + "".join(f"{kind:>13}" for kind in kinds),
        ]
        for (moment, place), found in self.found.items():
            counts = "".join(f"{found.get(kind, 'at home'):>13}" for kind in kinds)
            lines.append(f"{place:<28}{moment:<30}{self.sizes[moment, place]:>10,}{counts}")
        hits = sum(found.total() for found in self.found.values())
        at_home = ", ".join(f"{number} {kind}" for kind, number in self.at_home["after release"].items())
        return "\n".join([*lines, "", f"{hits} hits. Found where they belong, after the release: {at_home}.", ""])

    def _enter(self, name: str) -> tuple[Browser, str]:
        """A rater's browser after the link of the mail, and the path of the form. A mail scanner was there first."""
        link = self._link(f"{name}@company.test", "/r/")
        assert Browser(self.installation.base_url).get(link).status == 200
        browser = Browser(self.installation.base_url)
        page = browser.press(link)
        assert page.status == 200
        return browser, page.address.removeprefix(self.installation.base_url)

    def _link(self, address: str, kind: str) -> str:
        for mail in reversed(self.mailbox.to(address)):
            if found := re.search(rf"{kind}[\w-]+", mail.get_body(("plain",)).get_content()):
                return found.group()
        raise AssertionError(f"no link {kind} was mailed")

    def _links(self, kind: str) -> set[str]:
        texts = [mail.get_body(("plain",)).get_content() for mail in self.mailbox.messages]
        return {token for text in texts for token in re.findall(rf"{kind}([\w-]{{36,}})", text)}


@pytest.fixture
def servers_with(environ, mailbox, databases, tmp_path, request):
    """Starts an installation with a company on it, and a redis whose every command is written down."""

    @contextmanager
    def start(**kwargs):
        app = create_app(settings.load(environ))
        commands = tmp_path / "commands"
        with ExitStack() as stack:
            stack.enter_context(app.app_context())
            company = Company(app)
            engine = context.installation().engine
            request.addfinalizer(engine.dispose)
            installation = stack.enter_context(installations.running(environ, tmp_path, **kwargs))
            stack.enter_context(searches.all_commands(installation.environ["SURVEY_REDIS_URL"], commands))
            yield Walk(
                installation,
                mailbox,
                company,
                engine,
                commands,
                databases.log() if engine.dialect.name == "postgresql" else None,
                {
                    "links": set(),
                    "addresses": {f"{name}@company.test" for name in company.ids},
                    "comments": set(),
                    "cookies": set(),
                },
            )

    return start
