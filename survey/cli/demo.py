"""Sample data: a company, its pages, one finished round and one open one.

Nothing is written past the program: rounds are opened, mails go out over SMTP, and simulated raters follow the
links in their mails and fill in the forms that real ones fill in.
"""

from __future__ import annotations

import contextvars
import email
import email.policy
import random
import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from survey import context
from survey.core import cycles as rules
from survey.core.access import Role
from survey.core.cycles import Phase
from survey.core.errors import SurveyError
from survey.services import canary, competencies, cycles, drafts, nominations, people, sign_ins
from survey.store.people import Person

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
PATIENCE = 60.0  # seconds that the worker may stand still
NEWS = 10.0  # seconds after which it is said what is waited for
SEED = 360

FINISHED, OPEN = "Spring round", "Autumn round"


@dataclass(frozen=True)
class Member:
    """Somebody of the sample company; `on` are the pages of those under review: competency and level."""

    name: str
    role: Role
    reports_to: str | None
    on: tuple[tuple[str, int], ...] = ()
    round: str = ""

    @property
    def address(self) -> str:
        """The first name at the sample company."""
        return f"{self.name.split()[0].lower()}@company.example"


STABILITY, COLLABORATION = "Product Stability", "Technical Collaboration"

COMPANY = (
    Member("Noor Haddad", Role.PEOPLE_OPERATIONS, None),
    Member("Elena Marku", Role.MANAGER, None),
    Member("Marta Lindqvist", Role.MANAGER, "Elena Marku"),
    Member("Ana Petrov", Role.ENGINEER, "Marta Lindqvist", ((STABILITY, 3), (COLLABORATION, 3)), FINISHED),
    Member("Ben Okafor", Role.ENGINEER, "Marta Lindqvist", ((STABILITY, 2),), FINISHED),
    Member("Chloe Dubois", Role.ENGINEER, "Marta Lindqvist", ((STABILITY, 3),), FINISHED),
    Member("Dev Raman", Role.ENGINEER, "Marta Lindqvist", ((STABILITY, 2), (COLLABORATION, 2)), OPEN),
    Member("Ewa Nowak", Role.ENGINEER, "Marta Lindqvist", ((STABILITY, 1),), OPEN),
    Member("Farid Aziz", Role.ENGINEER, "Marta Lindqvist", ((STABILITY, 4),), OPEN),
    Member("Grace Kim", Role.ENGINEER, "Marta Lindqvist"),
    Member("Hugo Santos", Role.ENGINEER, "Ana Petrov"),
    Member("Ines Weber", Role.ENGINEER, "Ana Petrov"),
)

COMMENTS = (
    "Ask earlier who will carry the pager for this. We decided the rollout before we knew.",
    "I feel least sure about the nightly import. Nobody has restored it from a backup this year.",
    "Customers forgave the outage because the status page was honest. Keep writing it like that.",
    "The hidden cost is the hour each release takes from whoever is on call.",
    "More of the short risk talks at planning, please. They changed what we built twice this spring.",
    "Some alerts have been red for weeks. People have stopped looking at them.",
    "I would like to see the reasoning when we choose speed over a test. It is often fine, but it is not said.",
    "The runbook for the queue saved me at two in the morning. The others could be as good.",
)

REFLECTIONS = (
    "The import job and the certificate renewals: both broke twice for the same reason.",
    "Only two of us know how the failover really works. I should write it down and have somebody else run it.",
    "By pairing on the next post-mortem instead of writing it alone.",
)


def fill(app: Flask, mailbox: Path) -> None:
    """Makes the sample data, unless it is there. Needs the worker and the mailbox to be running."""
    with context.reading() as session:
        there = {cycle.name for cycle in cycles.everything(session)}
    if OPEN in there:
        return
    if there or _is_peopled():
        raise SurveyError("The sample data was not finished at the first start. Start over: survey demo --fresh")
    print("Making sample data: people, pages, a finished round with its raters' answers, an open one …", flush=True)
    _make_company()
    finished = _open_round(FINISHED)
    _wait_until("the invitations", lambda: len(_letters(mailbox, "invitation")) >= _asked(finished))
    _answer(app, mailbox, finished)
    with context.transaction() as session:
        cycles.close(session, finished, actor_id=None, now=context.now())
    context.wake("tasks.tally.sweep")
    _wait_until("the tally", lambda: _is_counted(finished))
    with context.transaction() as session:
        cycles.release(session, finished, actor_id=None, now=context.now())
    before = len(_letters(mailbox, "invitation"))
    opened = _open_round(OPEN)
    _wait_until("the second invitations", lambda: len(_letters(mailbox, "invitation")) >= before + _asked(opened))


def tell(app: Flask, mailbox: Path, web: str, mailbox_page: str) -> None:
    """Prints where everything is, with a sign-in link per role."""
    lines = [("Seek Feedback", web), ("Mailbox", mailbox_page), ("", "")]
    with context.transaction() as session:
        for label, name in (
            ("People operations", "Noor Haddad"),
            ("Manager", "Marta Lindqvist"),
            ("Engineer", "Ana Petrov"),
        ):
            address = _member(name).address
            token = sign_ins.link(session, address, now=context.now(), life=timedelta(days=1))
            lines.append((f"{label} ({name})", f"{web}/sign-in/{token}"))
    letters = _letters(mailbox, "invitation") + _letters(mailbox, "reminder")
    link = next(
        (link for _, link in reversed(letters) if app.test_client().get(link, base_url=web).status_code == 200), ""
    )
    if link:
        lines.append(("A rater", web + link))
    width = max(len(label) for label, _ in lines)
    print()
    for label, value in lines:
        print(f"  {label:<{width}}  {value}" if label else "")
    print("\nCtrl-C stops everything; the data stays. `survey demo --fresh` starts over.\n", flush=True)


def _is_peopled() -> bool:
    with context.reading() as session:
        return bool(people.everybody(session))


def _make_company() -> None:
    with context.transaction() as session:
        made: dict[str, Person] = {}
        for member in COMPANY:
            manager = made[member.reports_to].id if member.reports_to else None
            made[member.name] = people.add(
                session,
                member.name,
                member.address,
                role=member.role,
                manager_id=manager,
                team="Platform" if member.reports_to else "",
                level=member.on[0][1] if member.on else None,
            )
        for path in sorted(SAMPLES.glob("*.txt")):
            # The first page is its owner's text, which does not state the competency.
            competencies.import_page(session, path.read_bytes(), competency=STABILITY)


def _open_round(name: str) -> uuid.UUID:
    with context.transaction() as session:
        pages = {(page.competency.name, page.level): page.id for page in competencies.newest(session)}
        ids = {person.name: person for person in people.everybody(session)}
        cycle = drafts.make(
            session,
            name,
            launcher_id=ids["Marta Lindqvist"].id,
            minimum=rules.DEFAULT_MINIMUM,
            zone=context.installation().pace.home,
            now=context.now(),
        )
        for member in COMPANY:
            if member.round == name:
                review = drafts.add_review(session, cycle.id, ids[member.name].id, [pages[on] for on in member.on])
                nominations.choose(session, review.id, nominations.suggest(session, review.subject))
        parts = context.installation()
        cycles.open_(session, cycle.id, parts.keyring, pace=parts.pace, actor_id=None, now=context.now())
    context.wake("tasks.outbox.sweep")
    return cycle.id


def _answer(app: Flask, mailbox: Path, cycle_id: uuid.UUID) -> None:
    """Every invited person follows their link and answers about everybody on the list; two people never do."""
    dice = random.Random(SEED)  # noqa: S311 - sample data, the same on every machine
    comments = iter(_shuffled(COMMENTS, dice))
    web = context.installation().base_url
    for address, link in sorted(_letters(mailbox, "invitation")):
        if address in {_member("Grace Kim").address}:
            continue
        # In an empty context, as a server's requests are: nothing of one rater is seen by the next.
        contextvars.Context().run(_answer_all, app.test_client(), web, link, dice, comments)


def _answer_all(client: FlaskClient, web: str, link: str, dice: random.Random, comments: Iterator[str]) -> None:
    page = client.get(link, base_url=web)
    client.post(link, base_url=web, data={"csrf_token": _csrf(page.text)})
    waiting = client.get("/feedback", base_url=web)
    if waiting.status_code != 200:
        raise SurveyError(f"A simulated rater's link did not open (status {waiting.status_code}).")
    for path in dict.fromkeys(re.findall(r'href="(/feedback/[0-9a-f-]{36})"', waiting.text)):
        _fill_in(client, web, path, dice, comments)


def _fill_in(client: FlaskClient, web: str, path: str, dice: random.Random, comments: Iterator[str]) -> None:
    page = client.get(path, base_url=web).text
    form = {"csrf_token": _csrf(page), "fingerprint": _value(page, "fingerprint"), "action": "submit"}
    for name in dict.fromkeys(re.findall(r'type="radio"[^>]*name="([^"]+)"|name="([^"]+)"[^>]*type="radio"', page)):
        key = name[0] or name[1]
        form[key] = _rating(key, dice)
    private = iter(REFLECTIONS)
    for key in dict.fromkeys(re.findall(r'<textarea[^>]*name="([^"]+)"', page)):
        if "questions_to_ask_yourself" in key:
            form[key] = next(private, "")
        elif dice.random() < 0.75:
            form[key] = next(comments)
    answer = client.post(path, base_url=web, data=form)
    if answer.status_code != 303:
        raise SurveyError(f"A simulated rater's answer was refused (status {answer.status_code}).")


def _rating(key: str, dice: random.Random) -> str:
    """A rating with a height of its own per item, and now and then “not observed”."""
    if dice.random() < 0.06:
        return "none"
    height = 2.4 + (sum(key.encode()) * 7 % 23) / 10
    return str(min(5, max(1, round(dice.gauss(height, 0.8)))))


def _shuffled(texts: tuple[str, ...], dice: random.Random) -> Iterator[str]:
    while True:
        yield from dice.sample(texts, len(texts))


def _letters(mailbox: Path, kind: str) -> list[tuple[str, str]]:
    """Address and link (as a path) of every mail of this kind, the oldest first."""
    letters = []
    for path in sorted(mailbox.glob("*.eml"), key=lambda path: path.stat().st_mtime):
        with path.open("rb") as file:
            message = email.message_from_binary_file(file, policy=email.policy.default)
        assert isinstance(message, EmailMessage)  # noqa: S101 - what the default policy makes
        body = message.get_body(("plain",))
        found = re.search(r"/r/[\w-]+", body.get_content() if body else "")
        is_reminder = "List-Unsubscribe" in message
        if found and is_reminder == (kind == "reminder"):
            letters.append((message["To"].addresses[0].addr_spec, found.group()))
    return letters


def _csrf(page: str) -> str:
    return _value(page, "csrf_token")


def _value(page: str, name: str) -> str:
    tag = re.search(rf'<input[^>]*name="{name}"[^>]*>', page)
    value = re.search(r'value="([^"]*)"', tag.group()) if tag else None
    if value is None:
        raise SurveyError(f"A page for raters has no {name}.")
    return value.group(1)


def _asked(cycle_id: uuid.UUID) -> int:
    with context.reading() as session:
        return len(nominations.load(session, cycle_id))


def _is_counted(cycle_id: uuid.UUID) -> bool:
    with context.reading() as session:
        row = cycles.get(session, cycle_id)
        return row.phase == Phase.TALLIED and row.is_key_destroyed


def _wait_until(what: str, is_done: Callable[[], bool]) -> None:
    """Returns when it is done, however long that takes while the worker works."""
    until, told = time.monotonic() + PATIENCE, time.monotonic()
    while not is_done():
        if _worker_works():
            until = time.monotonic() + PATIENCE
        if time.monotonic() > until:
            raise SurveyError(f"The worker stands still, and has not finished {what}; see the logs folder.")
        if time.monotonic() > told + NEWS:
            told = time.monotonic()
            print(f"Still waiting for {what} …", flush=True)
        time.sleep(0.2)


def _worker_works() -> bool:
    with context.reading() as session:
        return canary.is_alive(session, now=context.now())


def _member(name: str) -> Member:
    return next(member for member in COMPANY if member.name == name)
