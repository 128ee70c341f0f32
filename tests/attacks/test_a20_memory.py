"""A20: after the count no process holds a body, a comment, a link or a key: root reads the memory of all of them."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

import config as settings
from survey import context
from survey.app import create_app
from survey.core.relationships import Relationship
from tests import installations, servers
from tests.attacks import memories
from tests.attacks.browsers import Browser, filled_in
from tests.attacks.memories import Found
from tests.company import Company
from tests.installations import Installation, wait_until

pytestmark = pytest.mark.processes

PATIENCE = 180
ANSWERING = ("sam", "marta", "ana", "ben", "chloe", "dev", "ewa", "farid", "grace", "hugo", "ines", "jonas")
KINDS = ("words", "bodies", "links", "forms", "cookies", "keys")


def test_what_raters_sent_is_in_memory_while_the_round_is_open_and_nowhere_after_the_count(installation_with, capsys):
    with installation_with() as walk:
        walk.let_everybody_answer()
        before = walk.search()
        walk.close_and_count()
        walk.wait_for_replacements()
        after = walk.search()
    with capsys.disabled():
        print(f"\nA20 on {walk.kind}, while open\n{memories.table(before, KINDS)}")
        print(f"after the count\n{memories.table(after, KINDS)}")
    # Memory that was given back may be written over, so not everything of everybody is there at each moment.
    held = memories.total(before)
    assert held["words"] >= len(ANSWERING) * 2 / 3
    assert min(held["bodies"], held["links"], held["forms"], held["cookies"]) >= len(ANSWERING) / 2
    assert Counter(found.part for found in after) > Counter({"web": 2, "worker": 1, "beat": 0, "redis": 0})
    # The comments that may be shown are rows of the database. Nothing there leads from one to a rater.
    program = [found for found in after if found.part != "postgresql"]
    assert memories.total(program) == {}
    assert {kind for found in after for kind in found.hits} <= {"words"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_replacements_the_search_finds_them_after_the_count(installation_with, capsys):
    web, worker = "tests.attacks.weakened:unwatched_app()", ("--max-tasks-per-child", "1000")
    with installation_with(web=web, worker=worker) as walk:
        walk.let_everybody_answer()
        walk.close_and_count()
        after = walk.search()
    with capsys.disabled():
        print(f"\nA20 without replacements, after the count\n{memories.table(after, KINDS)}")
    in_the_web = memories.total([found for found in after if found.part == "web"])
    in_the_worker = memories.total([found for found in after if found.part == "worker"])
    assert in_the_web["bodies"] >= len(ANSWERING) / 2
    assert in_the_web["forms"] >= len(ANSWERING) / 2
    assert in_the_worker["words"] >= len(ANSWERING) / 2
    assert in_the_worker["links"]


@dataclass
class Walk:
    """A round on real servers, and what each of its raters sent."""

    installation: Installation
    mailbox: servers.Mailbox
    company: Company
    database: dict[str, int]
    kind: str
    names: Sequence[str] = ANSWERING
    cycle_id: object = None
    manager: Browser | None = None
    needles: dict[str, list[bytes]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    served: set[int] = field(default_factory=set)
    sent: list[set[bytes]] = field(default_factory=list)
    """Of each rater: body, link, token of the form and cookies, which lead from one to the next."""

    def let_everybody_answer(self) -> None:
        """Opens a round; everybody who is asked follows the link of the mail, and answers."""
        self.manager = self._signed_in("marta")
        others = dict.fromkeys(self.names, Relationship.PEER)
        self.cycle_id, _ = self.company.draft(others | self.company.usual_raters(8))
        assert self.manager.press(f"/rounds/{self.cycle_id}/open").status == 200
        key = Path(self.installation.environ["SURVEY_KEY_DIRECTORY"]) / f"{self.cycle_id}.key"
        self.needles["keys"].append(key.read_bytes())
        for number, name in enumerate(self.names):
            self._answer(name, number)

    def close_and_count(self) -> None:
        """The manager closes the round, and it is counted."""
        self.served = {process.pid for process in memories.family(self.installation.pids["web"])}
        assert self.manager.press(f"/rounds/{self.cycle_id}/close").status == 200
        path = f"/rounds/{self.cycle_id}"
        wait_until(lambda: "Release the reports" in self.manager.get(path).text, PATIENCE, "the tally")

    def wait_for_replacements(self) -> None:
        """Until every process of the web server is a new one, but the first, which answers nobody."""

        def are_new() -> bool:
            children = psutil.Process(self.installation.pids["web"]).children()
            return len(children) == 2 and not self.served & {child.pid for child in children}

        wait_until(are_new, PATIENCE, "new processes of the web server")

    def search(self) -> list[Found]:
        """Looks into every process of the installation, redis and PostgreSQL included."""
        return memories.search(self.installation.pids | self.database, self.needles)

    def _answer(self, name: str, number: int) -> None:
        link = self._link(f"{name}@company.test", "/r/")
        browser = Browser(self.installation.base_url)
        page = browser.press(link)
        assert page.status == 200
        word = secrets.token_hex(8)
        form = filled_in(page.text, 1 + number % 5, f"{word} is what {name} has to say.")
        path = page.address.removeprefix(self.installation.base_url)
        assert browser.post(path, form | {"action": "submit"}).status == 200
        chain = {
            "bodies": f"{word}+is+what+{name}+has+to+say",
            "forms": form["csrf_token"],
            "cookies": browser.cookie("session"),
            "links": link.removeprefix("/r/"),
        }
        self.needles["words"].append(word.encode())
        for kind, needle in chain.items():
            self.needles[kind].append(needle.encode())
        self.sent.append({needle.encode() for needle in chain.values()})

    def linked(self, found: Sequence[Found]) -> int:
        """How many raters' bodies lead over the token of their form and their cookie to the link they were mailed."""
        seen = {needle for each in found for needle in each.needles}
        return sum(chain <= seen for chain in self.sent)

    def _signed_in(self, name: str) -> Browser:
        address = f"{name}@company.test"
        browser = Browser(self.installation.base_url)
        assert browser.press("/sign-in", {"address": address}).status == 200
        assert browser.press(self._link(address, "/sign-in/")).status == 200
        return browser

    def _link(self, address: str, kind: str) -> str:
        links: list[str] = []

        def has_come() -> list[str]:
            for mail in self.mailbox.to(address):
                links.extend(re.findall(rf"{kind}[\w-]{{36,}}", mail.get_body(("plain",)).get_content()))
            return links

        wait_until(has_come, PATIENCE, f"the mail to {address}")
        return links[-1]


@pytest.fixture
def installation_with(environ, mailbox, databases, tmp_path, request):
    """Starts an installation with a company on it, whose memory may be read."""

    @contextmanager
    def start(**kwargs):
        app = create_app(settings.load(environ))
        with ExitStack() as stack:
            stack.enter_context(app.app_context())
            company = Company(app)
            engine = context.installation().engine
            request.addfinalizer(engine.dispose)
            kind = engine.dialect.name
            installation = stack.enter_context(installations.running(environ, tmp_path, is_readable=True, **kwargs))
            database = {kind: databases.pid()} if kind == "postgresql" else {}
            yield Walk(installation, mailbox, company, database, kind)

    return start
