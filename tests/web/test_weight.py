"""What a page weighs: bytes over the wire, and questions to the database, whose number nobody's colleagues change."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import event

from survey import context
from survey.core.questionnaires import BLOCKS
from survey.core.relationships import Relationship
from survey.services import cycles, drafts, nominations, people
from tests.company import PEERS, csrf, radios
from tests.web import doors

KILOBYTE = 1_000
ASSET = re.compile(r'(?:src|href)="(/static/[^"]+)"')
HASHED = re.compile(r"/static/[\w/]+\.[0-9a-f]{12}\.\w+")


def test_the_raters_page_weighs_under_sixty_kilobytes_with_all_that_it_needs(company):
    """With every block asked; without compression too it stays under a hundred."""
    company.open(blocks=BLOCKS)
    client, form = _form(company)
    parts = {form.request.path: form.data}
    for address in set(ASSET.findall(form.text)):
        assert HASHED.fullmatch(address), address
        with client.get(address) as answer:
            assert "immutable" in answer.headers["Cache-Control"]
            parts[address] = answer.data
    assert len(parts) == 5, "the page, a stylesheet, an icon and two scripts"
    assert sum(len(gzip.compress(part)) for part in parts.values()) < 60 * KILOBYTE
    assert sum(map(len, parts.values())) < 100 * KILOBYTE


def test_no_script_keeps_any_page_from_being_shown(world):
    for name in ("noor", "sam", doors.RATER):
        client = doors.browser(world, name)
        for door in doors.doors(world.app):
            if door.method == "GET" and not door.rule.rule.endswith((".pdf", ".xlsx", ".zip")):
                address, _ = next(iter(doors.addresses(world, door)))
                with doors.undone(world.app):
                    page = client.get(address)
                for tag in re.findall(r"<script[^>]*>", page.text if page.mimetype == "text/html" else ""):
                    assert re.search(r'type="module"|\sdefer|\sasync', tag), (address, tag)


def test_the_way_of_an_answer_asks_the_database_so_often_and_no_more(company):
    company.open()
    client = company.app.test_client()
    token = company.tokens()["ana"]
    is_on_postgresql = context.installation().engine.dialect.name == "postgresql"
    with counted() as statements:
        start = client.get(f"/r/{token}")
        assert statements() == 4  # what waits; then for the choice of a day: whose link, their zone, what was chosen
        entered = client.post(f"/r/{token}", data={"csrf_token": csrf(start.text)})
        assert statements() == 1
        form = client.get(entered.location)
        assert statements() <= 2  # the first page of a review reads its questionnaire
        client.get(entered.location)
        assert statements() == 1
        sent = client.post(entered.location, data=_complete(form.text))
        # What is asked; then the claim, the links to delete and the envelope: on PostgreSQL in one statement.
        assert statements() == (2 if is_on_postgresql else 4)
        assert client.get(sent.location).status_code == 200
        assert statements() == 1


def test_a_round_of_many_takes_as_many_questions_as_a_round_of_one(company):
    """Every page about a round, and every list; for people operations, who see it all."""
    small, _ = company.open()
    large = _large(company)
    client = company.sign_in("noor")
    more = []
    for door in doors.doors(company.app):
        if door.method != "GET" or door.action is None or door.rule.arguments != {"cycle_id"}:
            continue
        asked = []
        for cycle_id in (small, large):
            address = door.rule.rule.replace("<uuid:cycle_id>", str(cycle_id))
            with counted() as statements:
                status = client.get(address).status_code
                asked.append((status, statements()))
        if asked[0][0] == 200 and asked[0] != asked[1]:
            more.append((str(door), asked))
    assert more == []


def test_lists_of_many_take_as_many_questions_as_lists_of_few(company):
    """Ten times the people in the company, and ten colleagues in place of one for a rater."""
    company.open()
    clients = {name: company.sign_in(name) for name in ("noor", "marta", "sam")}
    before = _lists(company, clients, company.tokens()["ana"])
    _large(company)
    _hire(company, 130)
    token = company.tokens()["ana"]
    assert len(before) > 20
    assert _lists(company, clients, token) == before


def test_pages_about_a_review_take_as_many_questions_with_ninety_raters_as_with_nine(company):
    """Report, plan, conversation, comments and whatever else is about one person or their round."""
    few = company.run(company.usual_raters(peers=5))
    everybody = dict.fromkeys(_hire(company, 86), Relationship.PEER)
    surroundings = {"ben": Relationship.SELF, "marta": Relationship.MANAGER, "sam": Relationship.PEER}
    many = company.run(everybody | surroundings, subject="ben")
    more = []
    for door in doors.doors(company.app):
        if door.method != "GET" or door.action is None or not door.rule.arguments:
            continue
        if not door.rule.arguments <= {"cycle_id", "review_id"}:
            continue
        for readers in (("noor", "noor"), ("marta", "marta"), ("sam", "ben")):
            asked = []
            for name, (cycle_id, review_id) in zip(readers, (few, many), strict=True):
                address = door.rule.rule.replace("<uuid:cycle_id>", str(cycle_id))
                client = company.sign_in(name)
                with counted() as statements:
                    status = client.get(address.replace("<uuid:review_id>", str(review_id))).status_code
                    asked.append((status, statements()))
            if asked[0] != asked[1]:
                more.append((str(door), readers[1], asked))
    assert more == []


def _lists(company, clients, token) -> dict[str, int]:
    found = {}
    for door in doors.doors(company.app):
        if door.method == "GET" and door.action is not None and not door.rule.arguments:
            for name, client in clients.items():
                with counted() as statements:
                    client.get(door.rule.rule)
                    found[f"{door} for {name}"] = statements()
    rater = company.app.test_client()
    with counted() as statements:
        page = rater.get(f"/r/{token}").text
        found["a link"] = statements()
    rater.post(f"/r/{token}", data={"csrf_token": csrf(page)})
    with counted() as statements:
        rater.get("/feedback")
        found["a rater's list"] = statements()
    return found


def _hire(company, number: int) -> list[str]:
    """Adds so many people, half of them to Marta's team and half to Sam's; their first names."""
    names = [f"person{place}" for place in range(number)]
    with context.transaction() as session:
        for place, name in enumerate(names):
            manager = company.ids["marta" if place % 2 else "sam"]
            company.ids[name] = people.add(session, name, f"{name}@company.test", manager_id=manager).id
    return names


def _large(company):
    """An open round about ten people."""
    cycle_id, _ = company.draft()
    parts = context.installation()
    with context.transaction() as session:
        for name in PEERS:
            review = drafts.add_review(session, cycle_id, company.ids[name], [company.page_id])
            others = {company.ids[other]: Relationship.PEER for other in (*PEERS, "sam") if other != name}
            nominations.choose(session, review.id, others)
    with context.transaction() as session:
        cycles.open_(session, cycle_id, parts.keyring, pace=parts.pace, actor_id=None, now=context.now())
    return cycle_id


@contextmanager
def counted() -> Iterator[Callable[[], int]]:
    """Gives how many statements were said since the last time one asked."""
    said: list[str] = []

    def note(connection, cursor, statement: str, *rest: object) -> None:
        if not statement.startswith("BEGIN"):
            said.append(statement)

    def taken() -> int:
        count = len(said)
        said.clear()
        return count

    engine = context.installation().engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield taken
    finally:
        event.remove(engine, "before_cursor_execute", note)


def _form(company):
    client = company.app.test_client()
    token = company.tokens()["ana"]
    entered = client.post(f"/r/{token}", data={"csrf_token": csrf(client.get(f"/r/{token}").text)})
    return client, client.get(entered.location)


def _complete(page: str) -> dict[str, str]:
    fields = {name: values[0] for name, values in radios(page).items()}
    fingerprint = re.search(r'name="fingerprint"[^>]*value="([^"]+)"', page)
    return fields | {"csrf_token": csrf(page), "fingerprint": fingerprint.group(1), "action": "submit"}
