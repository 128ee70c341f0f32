"""A16: eight authors, four questions, many rounds; whoever knows an author by one comment looks for the other three."""

from __future__ import annotations

import re
import secrets
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from html import unescape

from sqlalchemy import insert, select, text

from survey import context
from survey.core import disclosure
from survey.core import responses as rules
from survey.core.relationships import Relationship
from survey.core.responses import Answers
from survey.services import competencies, cycles, drafts, nominations, responses, tally
from survey.store.invitations import Invitation, InvitationToken, mint
from survey.store.people import Person
from survey.store.reports import Report
from tests.attacks import weakened
from tests.company import PEERS, SAMPLES

ROUNDS = 40
QUESTIONS = [f"1.seek_feedback.{number}" for number in (1, 2, 3, 4)]
GUESSES = ROUNDS * (len(QUESTIONS) - 1)
CHANCE = GUESSES / len(PEERS)
# Five deviations of so many guesses, each right once in eight.
BY_CHANCE_AT_MOST = CHANCE + 5 * (CHANCE * (1 - 1 / len(PEERS))) ** 0.5

HABITS = ("{} {}", "{}  {}", "{}\t{}", "{}\u00a0{}", "{} {} ", "\n{} {}", "{}\u2009{}", "{}\u200b {}")
"""How each author types: what stands between and around words, and is not seen."""


def test_one_order_for_all_questions_gives_every_author_away(company, monkeypatch):
    monkeypatch.setattr(tally, "SystemRandom", weakened.SameShuffle)
    weakened.number_the_comments(monkeypatch)
    hits = _attack(company)
    assert hits["report order"] == GUESSES
    assert hits["ORDER BY id"] == GUESSES


def test_a_key_with_something_of_the_author_gives_every_author_away(company, monkeypatch):
    authors: dict[str, uuid.UUID] = {}
    weakened.mark_the_comments(monkeypatch, authors)
    assert _attack(company, authors)["nearest id"] == GUESSES


def test_white_space_as_it_was_typed_gives_every_author_away(company, monkeypatch):
    monkeypatch.setattr(rules, "clean", str)
    monkeypatch.setattr(disclosure, "clean", str)
    assert _attack(company)["white space"] == GUESSES


def test_one_comment_of_an_author_leads_to_no_other(company):
    hits = _attack(company)
    assert len(hits) >= 8
    assert {name: number for name, number in hits.items() if number > BY_CHANCE_AT_MOST} == {}
    assert hits["words in the report’s value"] == 0


Listed = Sequence[tuple[str, str]]
"""The comments on one question as an attacker finds them: id (or nothing) and text."""


def _attack(company, authors: dict[str, uuid.UUID] | None = None) -> Counter[str]:
    """How many of the comments that are looked for each way finds, over all rounds.

    `authors` has who wrote which word; every comment has one of its own, so that the text itself tells nothing.
    """
    authors = {} if authors is None else authors
    reviews = _rounds(company, authors)
    reader = company.sign_in("marta")
    hits: Counter[str] = Counter()
    for review_id in reviews:
        known = company.ids[secrets.choice(PEERS)]
        for name, lists in _found(reader, review_id).items():
            guess = _BY_TRAIT.get(name, _same_place)
            first = next(place for place, (_, said) in enumerate(lists[0]) if authors[_word(said)] == known)
            hits[name] += sum(authors[_word(guess(lists[0], first, others))] == known for others in lists[1:])
        with context.reading() as session:
            body = str(session.scalar(select(Report.body).where(Report.review_id == review_id)))
        hits["words in the report’s value"] += sum(word in body for word in authors)
    return hits


def _found(reader, review_id) -> Mapping[str, list[Listed]]:
    """The comments on the four questions, in every order that the database and the page give."""
    engine = context.installation().engine
    orders = {"as the database gives them": "(SELECT 1)", "ORDER BY id": "id", "ORDER BY text": "text"}
    if engine.dialect.name == "postgresql":
        orders["ORDER BY ctid"] = "ctid"
    review = review_id.hex if engine.dialect.name == "sqlite" else review_id
    found = {}
    with engine.connect() as connection:
        for name, order in orders.items():
            statement = text(
                f"SELECT id, text FROM comment WHERE review_id = :review AND item = :item ORDER BY {order}"
            )
            found[name] = [
                [(str(key), said) for key, said in connection.execute(statement, {"review": review, "item": item})]
                for item in QUESTIONS
            ]
    by_id = found["ORDER BY id"]
    page = reader.get(f"/reports/{review_id}").text
    quotes = [("", unescape(said)) for said in re.findall(r'<blockquote class="said">(.*?)</blockquote>', page, re.S)]
    size = len(PEERS)
    assert len(quotes) == size * len(QUESTIONS)
    on_page = [quotes[start : start + size] for start in range(0, len(quotes), size)]
    return found | {"report order": on_page, "nearest id": by_id, "next id": by_id, "white space": by_id}


def _same_place(known: Listed, place: int, others: Listed) -> str:
    return others[place][1]


def _nearest_id(known: Listed, place: int, others: Listed) -> str:
    own = uuid.UUID(known[place][0]).int
    return min(others, key=lambda other: uuid.UUID(other[0]).int ^ own)[1]


def _next_id(known: Listed, place: int, others: Listed) -> str:
    own = uuid.UUID(known[place][0]).int
    return min(others, key=lambda other: (uuid.UUID(other[0]).int - own) % 2**128)[1]


def _same_white_space(known: Listed, place: int, others: Listed) -> str:
    own = _typed(known[place][1])
    alike = [said for _, said in others if _typed(said) == own]
    return secrets.choice(alike or [said for _, said in others])


_BY_TRAIT: dict[str, Callable[[Listed, int, Listed], str]] = {
    "nearest id": _nearest_id,
    "next id": _next_id,
    "white space": _same_white_space,
}


def _typed(said: str) -> str:
    return re.sub(r"\w+", "w", said)


def _word(said: str) -> str:
    return said.strip().strip("\u200b")[:16]


def _rounds(company, authors):
    """So many reviews in one round, each with eight peers who all write."""
    page = (SAMPLES / "product-stability-level-3.txt").read_text()
    page = page.replace("Signals You", '- "What should go on as it is?"\nSignals You', 1)
    with context.transaction() as session:
        page_id = competencies.import_page(session, page.encode(), competency="With four questions").id
        subjects = [
            {"id": uuid.uuid4(), "name": f"Engineer {number}", "address": f"engineer{number}@company.test",
             "manager_id": company.ids["marta"]}
            for number in range(ROUNDS)
        ]  # fmt: skip
        session.execute(insert(Person), subjects)
    cycle_id, first = company.draft(dict.fromkeys(PEERS, Relationship.PEER))
    with context.transaction() as session:
        drafts.remove_review(session, first)
    with context.transaction() as session:
        for subject in subjects:
            review = drafts.add_review(session, cycle_id, subject["id"], [page_id])
            nominations.choose(session, review.id, {company.ids[name]: Relationship.PEER for name in PEERS})
        cycles.open_(session, cycle_id, context.installation().keyring, actor_id=None, now=context.now())
    reviews = _write(company, authors)
    company.close(cycle_id)
    company.count()
    company.release(cycle_id)
    return reviews


def _write(company, authors):
    """Every peer answers about everybody, in their own way of typing; gives the reviews."""
    habits = dict(zip((company.ids[name] for name in PEERS), HABITS, strict=True))
    with context.transaction() as session:
        tickets = session.execute(select(Invitation.id, Invitation.rater_id, Invitation.review_id)).all()
        tokens = {ticket.id: mint() for ticket in tickets}
        session.execute(
            insert(InvitationToken),
            [{"hash": token_hash, "invitation_id": ticket} for ticket, (_, token_hash) in tokens.items()],
        )
    # One transaction for all: how answers are written one by one is what A1 and A2 look at.
    with context.transaction() as session:
        for ticket in tickets:
            token = tokens[ticket.id][0]
            asked = responses.asked(session, token, ticket.id)
            items = asked.questionnaire.items
            said = {}
            for item in (item for item in items if item.is_open):
                word = secrets.token_hex(8)
                authors[word] = ticket.rater_id
                said[item.key] = habits[ticket.rater_id].format(word, "again")
            assert list(said) == QUESTIONS
            given = Answers({item.key: 3 for item in items if not item.is_open}, said)
            responses.submit(session, asked, given, draft_secret=None)
    return {ticket.review_id for ticket in tickets}
