"""A22: a launcher with own addresses, fake colleagues, late additions, a replaced rater; and R9, which stops them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from survey import context
from survey.core import disclosure
from survey.core.access import Role
from survey.core.disclosure import Group
from survey.core.errors import BadInput, IllegalStep, LinkClosed, NotFound
from survey.core.letters import Kind
from survey.core.people import Profile
from survey.core.questionnaires import EVERYBODY, FREQUENCY, Item, Part, Questionnaire
from survey.core.relationships import COLLEAGUES, Relationship
from survey.core.responses import Answers, Response
from survey.core.sections import Section
from survey.services import cycles, drafts, imports, nominations, participation, people, tally, vouching
from survey.store import asking, hands
from survey.store.cycles import Review
from survey.store.envelopes import Envelope
from survey.store.invitations import Invitation
from survey.store.people import Person, by_address
from survey.store.reports import Cell, Comment, Report

SHAMS = ("one", "two", "three")
COLLEAGUES_ASKED = ("ana", "ben", "chloe", "dev", "ewa")
ROUND = {"sam": Relationship.SELF, "marta": Relationship.MANAGER} | dict.fromkeys(COLLEAGUES_ASKED, Relationship.PEER)
OWN, VICTIM = 5, 2
"""What the launcher rates through the addresses that are theirs, and what the one colleague rates."""

Trick = Callable[["Launcher"], None]


class Launcher:
    """Noor of people operations, who sets up a round about Sam with Ana and some addresses that are her own."""

    def __init__(self, company, clock):
        self.company, self.clock = company, clock
        self.cycle_id = self.review_id = None

    def begin(self):
        with context.transaction() as session:
            end = self.clock() + timedelta(days=20)
            cycle = drafts.make(
                session, "Spring", launcher_id=self.company.ids["noor"], closes_at=end, now=self.clock()
            )
            review = drafts.add_review(session, cycle.id, self.company.ids["sam"], [self.company.page_id])
            self.cycle_id, self.review_id = cycle.id, review.id

    def enter(self, *names):
        for name in names:
            with context.transaction() as session:
                known = profile(name)
                row = people.enter(session, known, actor_id=self.company.ids["noor"], now=self.clock())
                self.company.ids[name] = row.id

    def import_file(self, *names):
        source = "name,address\n" + "".join(f"{name.title()} Sham,{name}@company.test\n" for name in names)
        noor = self.company.ids["noor"]
        with context.transaction() as session:
            plan = imports.look(session, source.encode(), is_everybody=False, zones={})
            made = imports.keep(session, source.encode(), owner_id=noor, is_everybody=False, now=self.clock())
            imports.confirm(
                session,
                made,
                owner_id=noor,
                fingerprint=plan.fingerprint,
                departing=None,
                zones={},
                now=self.clock(),
            )
            for name in names:
                self.company.ids[name] = by_address(session, f"{name}@company.test").id

    def take_over(self, colleague, sham):
        """Changes the address of a colleague to one of her own."""
        with context.transaction() as session:
            person = session.get(Person, self.company.ids[colleague])
            known = replace(people.profile(session, person), address=f"{sham}@sham.example")
            people.change(session, person.id, known, actor_id=self.company.ids["noor"], now=self.clock())
        self.company.ids[sham] = self.company.ids[colleague]

    def choose(self, *names, by="noor"):
        raters = {self.company.ids["sam"]: Relationship.SELF}
        raters |= {self.company.ids[name]: Relationship.PEER for name in names}
        with context.transaction() as session:
            nominations.approve(session, self.review_id, raters, actor_id=self.company.ids[by], now=self.clock())


def profile(name, domain="company.test"):
    return Profile(f"{name.title()} Sham", f"{name}@{domain}", None, "", None, None, "en", Role.ENGINEER, True)


def draft_then_people(it):
    it.begin()
    it.clock.move(minutes=10)
    it.enter(*SHAMS)
    it.choose("ana", *SHAMS)


def people_then_draft_within_the_hour(it):
    it.enter(*SHAMS)
    it.clock.move(minutes=10)
    it.begin()
    it.choose("ana", *SHAMS)


def people_from_a_file(it):
    it.begin()
    it.clock.move(minutes=10)
    it.import_file(*SHAMS)
    it.choose("ana", *SHAMS)


def a_second_draft_after_the_people_of_the_first(it):
    it.begin()
    it.clock.move(days=1)
    it.enter(*SHAMS)
    it.clock.move(days=20)
    it.begin()
    it.choose("ana", *SHAMS)


def addresses_of_colleagues_changed(it):
    it.begin()
    it.clock.move(minutes=10)
    for colleague, sham in zip(("ben", "chloe", "dev"), SHAMS, strict=True):
        it.take_over(colleague, sham)
    it.choose("ana", *SHAMS)


def addresses_changed_before_the_draft(it):
    for colleague, sham in zip(("ben", "chloe", "dev"), SHAMS, strict=True):
        it.take_over(colleague, sham)
    it.clock.move(days=2)
    it.begin()
    it.choose("ana", *SHAMS)


def leavers_brought_back(it):
    for name in ("ben", "chloe", "dev"):
        with context.transaction() as session:
            people.deactivate(session, it.company.ids[name], actor_id=it.company.ids["noor"], now=it.clock())
    it.clock.move(days=100)
    it.begin()
    for name in ("ben", "chloe", "dev"):
        with context.transaction() as session:
            people.reactivate(session, it.company.ids[name], actor_id=it.company.ids["noor"], now=it.clock())
    it.company.ids |= {sham: it.company.ids[name] for sham, name in zip(SHAMS, ("ben", "chloe", "dev"), strict=True)}
    it.choose("ana", *SHAMS)


def outsiders_made_colleagues_by_a_file(it):
    it.begin()
    with context.transaction() as session:
        nominations.invite_external(session, "\n".join(f"{name}@company.test" for name in SHAMS))
    it.clock.move(minutes=10)
    it.import_file(*SHAMS)
    it.choose("ana", *SHAMS)


def chosen_in_somebody_else_s_round(it):
    it.begin()
    with context.transaction() as session:
        cycles.get(session, it.cycle_id).launcher_id = it.company.ids["marta"]
    it.clock.move(minutes=10)
    it.enter(*SHAMS)
    it.choose("ana", by="marta")
    it.choose("ana", *SHAMS)
    it.choose("ana", *SHAMS, by="marta")


def added_while_open(it):
    it.begin()
    it.choose("ana")
    open_it(it.company, it.cycle_id, by="noor")
    it.clock.move(hours=3)
    it.enter(*SHAMS)
    for name in SHAMS:
        with context.transaction() as session:
            participation.add_rater(
                session,
                it.review_id,
                it.company.ids[name],
                Relationship.PEER,
                actor_id=it.company.ids["noor"],
                now=it.clock(),
            )


def put_in_the_place_of_colleagues_while_open(it):
    it.begin()
    it.choose("ana", "ben", "chloe", "dev")
    open_it(it.company, it.cycle_id, by="noor")
    it.clock.move(hours=3)
    it.enter(*SHAMS)
    for name, colleague in zip(SHAMS, ("ben", "chloe", "dev"), strict=True):
        with context.transaction() as session:
            participation.replace_rater(
                session,
                it.review_id,
                it.company.ids[colleague],
                it.company.ids[name],
                actor_id=it.company.ids["noor"],
                now=it.clock(),
            )


def withdrawn_taken_over_and_asked_again(it):
    """The mailbox changes hands between two invitations of the same person."""
    it.begin()
    it.choose("ana", "ben", "chloe", "dev", "ewa")
    open_it(it.company, it.cycle_id, by="noor")
    it.clock.move(hours=3)
    for colleague, sham in zip(("ben", "chloe", "dev"), SHAMS, strict=True):
        with context.transaction() as session:
            participation.withdraw_rater(session, it.review_id, it.company.ids[colleague], now=it.clock())
        it.take_over(colleague, sham)
        with context.transaction() as session:
            participation.add_rater(
                session,
                it.review_id,
                it.company.ids[sham],
                Relationship.PEER,
                actor_id=it.company.ids["noor"],
                now=it.clock(),
            )


def addresses_of_raters_changed_while_open(it):
    it.begin()
    it.choose("ana", "ben", "chloe", "dev")
    open_it(it.company, it.cycle_id, by="noor")
    for colleague, sham in zip(("ben", "chloe", "dev"), SHAMS, strict=True):
        it.take_over(colleague, sham)


TRICKS = [
    addresses_of_raters_changed_while_open,
    draft_then_people,
    people_then_draft_within_the_hour,
    people_from_a_file,
    a_second_draft_after_the_people_of_the_first,
    addresses_of_colleagues_changed,
    addresses_changed_before_the_draft,
    leavers_brought_back,
    outsiders_made_colleagues_by_a_file,
    chosen_in_somebody_else_s_round,
    added_while_open,
    put_in_the_place_of_colleagues_while_open,
    withdrawn_taken_over_and_asked_again,
]


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.__name__)
def test_no_trick_of_a_launcher_isolates_the_one_colleague(company, clock, trick):
    assert what_the_launcher_works_out(company, clock, trick) == set()


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.__name__)
def test_the_same_tricks_read_every_rating_of_the_colleague_where_nobody_is_from_outside(
    company, clock, trick, monkeypatch
):
    """The weakened build: raters are counted as what they are called."""
    monkeypatch.setattr(hands, "counted_as", lambda kind, rater_id, outside: Relationship(kind))
    monkeypatch.setattr(asking, "withdraw_where_set_up", lambda *args: None)
    assert what_the_launcher_works_out(company, clock, trick) == {VICTIM}


def what_the_launcher_works_out(company, clock, trick):
    """The ratings of the one colleague, worked out from the figures and the ratings that the launcher gave."""
    it = Launcher(company, clock)
    trick(it)
    if trick is not added_while_open and not is_open(it):
        open_it(company, it.cycle_id, by="noor")
    names = {person_id: name for name, person_id in company.ids.items()}
    answering = {"ana", *SHAMS}
    links = {names[company.ids[name]]: token for name, token in company.tokens().items()}
    for name, token in links.items():
        if name in answering:
            company.answer(token, rating=VICTIM if name == "ana" else OWN, words="Words.")
    found = set()
    for cells in published(company, it.cycle_id, it.review_id).values():
        for cell in cells:
            if cell.total is not None and cell.n == 1 + len(SHAMS):
                found.add(cell.total - min(OWN, 5) * len(SHAMS))
    with context.reading() as session:
        told = session.scalars(select(Comment.group).where(Comment.review_id == it.review_id)).all()
    assert not found or "pooled" in told
    return {rating for rating in found if rating == VICTIM}


def is_open(it):
    with context.reading() as session:
        return cycles.get(session, it.cycle_id).phase == "open"


def test_own_addresses_relabelled_as_peers_do_not_lift_one_colleague_over_the_minimum(company, clock):
    it = Launcher(company, clock)
    it.begin()
    with context.transaction() as session:
        shams = nominations.invite_external(session, "\n".join(f"{name}@sham.example" for name in SHAMS))
    company.ids |= dict(zip(SHAMS, shams, strict=True))
    it.choose("ana", *SHAMS)
    with context.transaction() as session:
        for person_id in shams:
            vouching.give(session, it.review_id, person_id, session.get(Person, company.ids["sam"]), now=clock())
    open_it(company, it.cycle_id, by="noor")
    for name, token in company.tokens().items():
        if name != "sam":
            company.answer(token, rating=2 if name == "ana" else 5, words=f"What {name} wrote.")
    assert published(company, it.cycle_id, it.review_id) == {}
    with context.reading() as session:
        assert session.scalars(select(Comment.text).where(Comment.review_id == it.review_id)).all() == []


def test_outside_raters_are_shown_apart_once_they_are_enough(company, clock):
    it = Launcher(company, clock)
    it.begin()
    it.enter(*SHAMS, "four")
    it.choose("ana", "ben", "chloe", "dev", *SHAMS, "four")
    open_it(company, it.cycle_id, by="noor")
    for name, token in company.tokens().items():
        if name != "sam":
            company.answer(token, rating=3 if name in company.ids and name in COLLEAGUES_ASKED else 4, words=name)
    found = published(company, it.cycle_id, it.review_id)
    assert set(found) == {"peer", "outside"}
    assert {cell.total for cell in found["peer"] if cell.total} <= {12, 8}
    with context.reading() as session:
        rows = session.execute(select(Comment.group, Comment.text).where(Comment.review_id == it.review_id)).all()
    told = Counter((group, text) for group, text in rows)
    assert {text for group, text in told if group == "outside"} == {*SHAMS, "four"}
    assert {text for group, text in told if group == "pooled"} == {"ana", "ben", "chloe", "dev"}


def test_whom_others_brought_or_who_came_long_before_is_a_colleague(company, clock):
    it = Launcher(company, clock)
    with context.transaction() as session:
        company.ids["olga"] = people.add(session, "Olga", "olga@company.test", role=Role.PEOPLE_OPERATIONS).id
        row = people.enter(session, profile("kim"), actor_id=company.ids["olga"], now=clock())
        company.ids["kim"] = row.id
    it.enter("old")
    clock.move(days=40)
    it.begin()
    it.choose("ana", "kim", "old")
    with context.reading() as session:
        assert set(nominations.counted(session, it.review_id).values()) == {Relationship.SELF, Relationship.PEER}


def test_a_company_that_was_put_in_by_the_launcher_s_hand_at_first_is_a_company(app, clock):
    """Who fills an empty directory, and begins a round on the same day, has made nobody up."""
    with context.transaction() as session:
        noor = people.add(session, "Noor", "noor@company.test", role=Role.PEOPLE_OPERATIONS).id
    for name in ("ana", "ben", "sam"):
        clock.move(minutes=5)
        with context.transaction() as session:
            people.enter(session, profile(name), actor_id=noor, now=clock())
    with context.transaction() as session:
        clock.move(minutes=5)
        cycle = drafts.make(session, "First", launcher_id=noor, closes_at=clock() + timedelta(days=9), now=clock())
        everybody = {row.id for row in session.scalars(select(Person))}
        assert hands.outside(session, cycle, everybody) == set()
        clock.move(minutes=5)
        late = people.enter(session, profile("late"), actor_id=noor, now=clock())
        assert hands.outside(session, cycle, {*everybody, late.id}) == {late.id}


@pytest.mark.parametrize("has_answered", [True, False])
def test_an_address_that_the_launcher_changes_looks_the_same_whether_its_owner_had_answered(
    company, clock, has_answered
):
    it = Launcher(company, clock)
    it.begin()
    it.choose(*COLLEAGUES_ASKED)
    open_it(company, it.cycle_id, by="noor")
    tokens = company.tokens()
    company.answer(tokens["ben" if has_answered else "ana"])
    it.take_over("ben", "one")
    with context.reading() as session:
        going = participation.of(session, it.cycle_id, now=clock())[it.review_id]
        assert (going.answered, going.invited) == (1, 5)
        assert company.ids["ben"] not in {one.id for one in participation.raters(session, it.review_id)}
    with pytest.raises(LinkClosed):
        company.answer(tokens["ben"])


# The word of somebody else


@pytest.mark.parametrize(
    ("launcher", "chooser", "giver", "is_enough"),
    [
        ("marta", "marta", "sam", True),
        ("marta", "marta", "noor", True),
        ("marta", "marta", "marta", False),
        ("marta", "marta", "ana", False),
        ("marta", "noor", "noor", False),
        ("noor", "noor", "noor", False),
        ("noor", "noor", "sam", True),
        ("noor", "marta", "marta", False),
        ("sam", "sam", "sam", False),
        ("sam", "sam", "noor", True),
    ],
)
def test_an_outside_rater_needs_the_word_of_somebody_who_did_not_set_the_round_up(
    company, clock, launcher, chooser, giver, is_enough
):
    cycle_id, review_id = company.draft(ROUND)
    kim = choose_kim(company, clock, cycle_id, review_id, launcher, chooser)
    if is_enough:
        with context.transaction() as session:
            vouching.give(session, review_id, kim, session.get(Person, company.ids[giver]), now=clock())
    else:
        with pytest.raises(NotFound), context.transaction() as session:
            vouching.give(session, review_id, kim, session.get(Person, company.ids[giver]), now=clock())
    open_it(company, cycle_id)
    assert ("kim" in company.tokens()) is is_enough
    with context.reading() as session:
        assert session.get(Review, review_id).invited.get("outside", 0) == int(is_enough)


def choose_kim(company, clock, cycle_id, review_id, launcher="marta", chooser="marta"):
    with context.transaction() as session:
        cycles.get(session, cycle_id).launcher_id = company.ids[launcher]
        nominations.approve(
            session,
            review_id,
            nominations.of(session, review_id),
            addresses="Kim <kim@partner.test>",
            actor_id=company.ids[chooser],
            now=clock(),
        )
        company.ids["kim"] = by_address(session, "kim@partner.test").id
    return company.ids["kim"]


def test_silence_is_no_word_and_who_waits_is_said_before_the_launch_and_left_out(company, clock):
    cycle_id, review_id = company.draft(ROUND)
    choose_kim(company, clock, cycle_id, review_id)
    asked = {letter.address for letter, _ in company.letters() if letter.kind is Kind.VOUCHING}
    assert asked == {"sam@company.test", "noor@company.test"}
    with context.reading() as session:
        said = [warning.message for warning in drafts.warnings(session, cycle_id)]
    assert "Kim is left out: nobody has vouched for them yet." in said
    open_it(company, cycle_id)
    assert "kim" not in company.tokens()


def test_a_word_that_is_refused_takes_the_rater_out(company, clock):
    cycle_id, review_id = company.draft(ROUND)
    kim = choose_kim(company, clock, cycle_id, review_id)
    with context.transaction() as session:
        vouching.refuse(session, review_id, kim, session.get(Person, company.ids["sam"]))
    with context.reading() as session:
        assert kim not in nominations.of(session, review_id)


def test_late_additions_from_another_company_wait_as_well(company, clock):
    cycle_id, review_id = company.open(ROUND)
    company.tokens()
    with context.transaction() as session:
        (kim,) = nominations.invite_external(session, "kim@partner.test")
        company.ids["kim"] = kim
        assert not participation.add_rater(
            session, review_id, kim, Relationship.PEER, actor_id=company.ids["marta"], now=clock()
        )
    assert company.tokens() == {}
    with context.reading() as session:
        assert session.get(Review, review_id).invited == {"self": 1, "manager": 1, "peer": 5}
        assert participation.totals(session, [cycle_id]) == {cycle_id: (7, 0)}
    with context.transaction() as session:
        vouching.give(session, review_id, kim, session.get(Person, company.ids["sam"]), now=clock())
    assert set(company.tokens()) == {"kim"}
    with context.reading() as session:
        assert session.get(Review, review_id).invited["outside"] == 1


def test_a_word_that_comes_too_late_asks_nobody(company, clock):
    _, review_id = company.open(ROUND)
    with context.transaction() as session:
        (kim,) = nominations.invite_external(session, "kim@partner.test")
        participation.add_rater(session, review_id, kim, Relationship.PEER, actor_id=company.ids["marta"], now=clock())
    clock.move(days=10)
    with pytest.raises(IllegalStep, match="less than 5 days"), context.transaction() as session:
        vouching.give(session, review_id, kim, session.get(Person, company.ids["sam"]), now=clock())


# Numbers that tell nothing


@pytest.mark.parametrize("has_answered", [True, False])
def test_no_number_tells_that_a_replaced_rater_had_answered(company, clock, has_answered):
    cycle_id, review_id = company.open(ROUND)
    tokens = company.tokens()
    if has_answered:
        company.answer(tokens["ana"])
    with context.transaction() as session:
        participation.replace_rater(session, review_id, company.ids["ana"], company.ids["farid"], now=clock())
    tokens |= company.tokens()
    for name in ("sam", "marta", "ben", "chloe", "dev", "ewa", "farid"):
        company.answer(tokens[name])
    with context.reading() as session:
        going = participation.of(session, cycle_id, now=clock())[review_id]
        assert (going.answered, going.invited) == (7, 7)
        assert participation.totals(session, [cycle_id]) == {cycle_id: (7, 7)}
    assert {cell.n for cell in published(company, cycle_id, review_id)["peer"]} == {5}
    with context.reading() as session:
        body = session.get(Report, review_id).body
    peers = next(line for line in body["attendance"] if line["relationship"] == "peer")
    assert (peers["invited"], peers["answered"]) == (5, 5)


@pytest.mark.parametrize("has_answered", [True, False])
def test_a_replaced_rater_can_be_asked_again_and_nothing_tells_whether_they_had_answered(company, clock, has_answered):
    cycle_id, review_id = company.open(ROUND)
    tokens = company.tokens()
    company.answer(tokens["ana" if has_answered else "ben"])
    seen = []
    for out, into in (("ana", "farid"), ("farid", "ana")):
        with context.transaction() as session:
            participation.replace_rater(session, review_id, company.ids[out], company.ids[into], now=clock())
        with context.reading() as session:
            asked = session.get(Review, review_id).invited
            seen.append((participation.of(session, cycle_id, now=clock())[review_id], asked))
    assert seen[0] == seen[1]
    assert seen[1][0].answered == 1
    assert ("ana" in company.tokens()) is not has_answered


def test_whoever_was_asked_before_is_asked_again_as_the_same_and_never_twice_counted(company, clock):
    _, review_id = company.open(ROUND)
    tokens = company.tokens()
    company.answer(tokens["ana"])
    with context.transaction() as session:
        participation.withdraw_rater(session, review_id, company.ids["ana"], now=clock())
        participation.add_rater(session, review_id, company.ids["ana"], Relationship.OTHER, now=clock())
    with context.reading() as session:
        assert session.get(Review, review_id).invited == {"self": 1, "manager": 1, "peer": 5}
        assert len(session.scalars(select(Invitation).where(Invitation.review_id == review_id)).all()) == 7
    assert "ana" not in company.tokens()


STEPS = {
    "withdraw": lambda session, company, review_id, now: participation.withdraw_rater(
        session, review_id, company.ids["ana"], now=now
    ),
    "replace": lambda session, company, review_id, now: participation.replace_rater(
        session, review_id, company.ids["ana"], company.ids["farid"], now=now
    ),
    "withdraw and ask again": lambda session, company, review_id, now: (
        participation.withdraw_rater(session, review_id, company.ids["ana"], now=now),
        participation.add_rater(session, review_id, company.ids["ana"], Relationship.PEER, now=now),
    ),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_every_page_of_the_launcher_is_the_same_whether_the_rater_had_answered(company, clock, step):
    """Two reviews, alike but for who had answered: in one it was the rater who is taken out, in the other another."""
    pages = []
    for answering in ("ana", "ben"):
        cycle_id, review_id = company.open(ROUND)
        company.answer(company.tokens()[answering])
        with context.transaction() as session:
            step(session, company, review_id, clock())
        client = company.sign_in("marta")
        at = f"/rounds/{cycle_id}"
        addresses = ("/rounds", at, f"{at}/reviews/{review_id}/raters", f"{at}/reviews/{review_id}/ask", f"{at}/close")
        pages.append([bare(client.get(address).text, cycle_id, review_id) for address in addresses])
        company.close(cycle_id)
    first, second = pages
    assert first[1:] == second[1:]


def bare(page, *ids):
    for number, one in enumerate(ids):
        page = page.replace(str(one), f"id-{number}")
    return re.sub(r'name="csrf_token"[^>]*>', "", page)


def test_a_withdrawn_rater_s_link_opens_nothing_and_the_last_cannot_be_withdrawn(company, clock):
    _, review_id = company.open({"sam": Relationship.SELF, "ana": Relationship.PEER, "ben": Relationship.PEER})
    tokens = company.tokens()
    with context.transaction() as session:
        participation.withdraw_rater(session, review_id, company.ids["ana"], now=clock())
    with pytest.raises(LinkClosed):
        company.answer(tokens["ana"])
    with pytest.raises(BadInput, match="Nobody else would be asked"), context.transaction() as session:
        participation.withdraw_rater(session, review_id, company.ids["ben"], now=clock())


@pytest.mark.parametrize("has_answered", [True, False])
def test_somebody_is_put_under_review_while_open_and_taken_out_again(company, clock, has_answered):
    cycle_id, _ = company.open(ROUND)
    company.tokens()
    with context.transaction() as session:
        review_id = participation.add_review(
            session,
            cycle_id,
            company.ids["grace"],
            [company.page_id],
            {company.ids["grace"]: Relationship.SELF, company.ids["hugo"]: Relationship.PEER},
            actor_id=company.ids["marta"],
            now=clock(),
        )
    tokens = company.tokens()
    assert set(tokens) == {"grace", "hugo"}
    if has_answered:
        company.answer(tokens["hugo"])
    with context.transaction() as session:
        participation.take_out(session, review_id, now=clock())
        tally.delete_review(session, review_id, actor_id=company.ids["marta"], now=clock())
    with context.reading() as session:
        assert session.get(Review, review_id) is None
        assert session.scalars(select(Envelope)).all() == []
        assert session.scalars(select(Invitation).where(Invitation.review_id == review_id)).all() == []
        assert participation.totals(session, [cycle_id]) == {cycle_id: (7, 0)}
    with pytest.raises(LinkClosed):
        company.answer(tokens["grace"])


def test_the_last_person_under_review_cannot_be_taken_out(company, clock):
    _, review_id = company.open(ROUND)
    with pytest.raises(BadInput, match="Cancel the round instead"), context.transaction() as session:
        participation.take_out(session, review_id, now=clock())


def test_another_manager_changes_nothing_until_they_are_asked_in_place_of_the_first(company, clock):
    _, review_id = company.open(ROUND)
    with context.transaction() as session:
        company.ids["olga"] = people.add(session, "Olga", "olga@company.test", role=Role.MANAGER).id
        session.get(Person, company.ids["sam"]).manager_id = company.ids["olga"]
    with context.reading() as session:
        kinds = {one.id: one.relationship for one in participation.raters(session, review_id)}
        assert kinds[company.ids["marta"]] is Relationship.MANAGER
        assert participation.manager(session, review_id) == participation.Manager(company.ids["olga"], "Olga", False)
    with context.transaction() as session:
        participation.replace_rater(session, review_id, company.ids["marta"], company.ids["olga"], now=clock())
    with context.reading() as session:
        assert participation.manager(session, review_id).is_asked
        assert session.get(Review, review_id).invited == {"self": 1, "manager": 1, "peer": 5}


# The rule itself

RATED = Item("1.key_behaviors.1", Section.KEY_BEHAVIORS, "Does it", FREQUENCY, EVERYBODY)
OPEN = Item("1.seek_feedback.1", Section.SEEK_FEEDBACK, "What now?", None, EVERYBODY)
ASKED = Questionnaire((Part("page", "Stability", 3, 1, "", (RATED, OPEN)),))
RATERS = st.lists(
    st.tuples(st.sampled_from(list(Relationship)), st.integers(1, 5) | st.none(), st.booleans()), max_size=24
)


@settings(max_examples=400)
@given(RATERS, st.integers(3, 10))
def test_no_figure_and_no_comment_of_colleagues_rests_on_fewer_than_k_colleagues(raters, k):
    responses = [
        Response(kind, Answers({RATED.key: rating}, {OPEN.key: f"{kind}"} if writes else {}))
        for kind, rating, writes in raters
    ]
    found = disclosure.publish(ASKED, responses, k=k, shuffle=lambda comments: None)
    said = Counter(kind for kind, rating, _ in raters if rating is not None)
    for cell in found.cells:
        if cell.group in {Group.SELF, Group.MANAGER}:
            continue
        if cell.group is Group.OUTSIDE:
            assert cell.n == said[Relationship.OUTSIDE] >= k
        else:
            assert sum(said[kind] for kind in COLLEAGUES) >= cell.n >= k
    assert all(one.text == "outside" for one in found.comments if one.group is Group.OUTSIDE)
    together = [one for one in found.comments if one.group is Group.POOLED]
    assert not together or len(together) >= k
    assert all(Relationship(one.text) in COLLEAGUES for one in together)


@given(RATERS, st.dictionaries(st.sampled_from(list(Relationship)), st.integers(0, 8)))
def test_of_each_relationship_as_many_answers_are_kept_as_there_are_places(raters, places):
    responses = [Response(kind, Answers({RATED.key: rating}, {})) for kind, rating, _ in raters]
    kept = Counter(one.relationship for one in disclosure.seated(responses, places))
    given_ = Counter(one.relationship for one in responses)
    assert kept == Counter({kind: min(given_[kind], places.get(kind, 0)) for kind in given_}) - Counter()


def open_it(company, cycle_id, *, by="marta"):
    parts = context.installation()
    with context.transaction() as session:
        cycles.open_(session, cycle_id, parts.keyring, pace=parts.pace, actor_id=company.ids[by], now=context.now())


def published(company, cycle_id, review_id):
    """The anonymous cells, by group."""
    company.close(cycle_id)
    company.count()
    found = {}
    with context.reading() as session:
        for cell in session.scalars(select(Cell).where(Cell.review_id == review_id)):
            if cell.group not in {"self", "manager"}:
                found.setdefault(cell.group, []).append(cell.as_value())
    return found
