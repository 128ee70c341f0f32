"""Every list is in one order, and every search finds the same people, on both databases."""

from __future__ import annotations

import random
import unicodedata
from datetime import timedelta

import pytest

from survey import context
from survey.core import names
from survey.core.competencies import Section
from survey.core.relationships import Relationship
from survey.services import competencies, cycles, drafts, imports, nominations, participation, people
from survey.services.people import Search
from tests.company import SAMPLES

THERE = (
    "Anke Øster",
    "ann-Sofie Berg",
    "Ärne Öst",
    "Arno Ost",
    "Łukasz Nowak",
    "Lydia Nord",
    "Niamh O’Brien",
    "Özlem Şahin",
    "Pia Straße",
    "zoe Abel",
    "Zora Abel",
    "李 小龍",
)


@pytest.fixture
def hired(company):
    """Ids by name, of people who came in no order, in a team of their own each."""
    mixed = random.Random(8).sample(THERE, len(THERE))
    with context.transaction() as session:
        return {
            name: people.add(
                session,
                name,
                f"person{number}@company.test",
                manager_id=company.ids["sam"],
                team=f"{name} team",
            ).id
            for number, name in enumerate(mixed)
        }


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("özlem", "Özlem Şahin"),
        ("OZLEM", "Özlem Şahin"),
        (unicodedata.normalize("NFD", "Özlem"), "Özlem Şahin"),
        ("şahin ÖZLEM", "Özlem Şahin"),
        ("o'brien", "Niamh O’Brien"),
        ("OʼBrien", "Niamh O’Brien"),
        ("øster", "Anke Øster"),
        ("STRASSE", "Pia Straße"),
        ("łukasz", "Łukasz Nowak"),
        ("小龍", "李 小龍"),
    ],
)
def test_a_search_finds_a_name_however_it_is_typed(company, hired, typed, found):
    with context.reading() as session:
        rows, total = people.search(session, Search(words=typed), offset=0, limit=50)
    assert ([row.name for row in rows], total) == ([found], 1)
    _, review_id = company.draft({})
    with context.reading() as session:
        before = {one.id for one in nominations.candidates(session, review_id, {})}
        offered = nominations.candidates(session, review_id, {}, search=typed)
    assert hired[found] in {one.id for one in offered}
    assert {one.id for one in offered} - before <= {hired[found]}


def test_signs_of_a_pattern_are_letters_like_others(hired):
    with context.reading() as session:
        for typed in ("%", "_", "\\", "ann_sofie"):
            assert people.search(session, Search(words=typed), offset=0, limit=50)[1] == 0, typed


def test_an_address_is_found_as_it_is_written(hired):
    with context.transaction() as session:
        people.add(session, "Maeve", "m.o'neill@company.test")
    with context.reading() as session:
        rows, _ = people.search(session, Search(words="O'NEILL@company"), offset=0, limit=50)
    assert [row.name for row in rows] == ["Maeve"]


def test_every_list_of_people_and_teams_is_in_the_order_of_names(company, hired):
    cycle_id, review_id = company.draft(dict.fromkeys(["marta"], Relationship.PEER))
    with context.transaction() as session:
        for person_id in hired.values():
            drafts.add_review(session, cycle_id, person_id, [company.page_id])
        nominations.choose(session, review_id, dict.fromkeys(hired.values(), Relationship.PEER))
    with context.reading() as session:
        below = Search(below=company.ids["sam"])
        lists = {
            "people": [row.name for row in people.search(session, below, offset=0, limit=99)[0]],
            "everybody": [row.name for row in people.everybody(session)],
            "below": [row.name for row in people.below(session, company.ids["sam"])],
            "draft": [line.subject for line in drafts.lines(session, cycle_id)],
            "round": [name for _, name, _ in cycles.listed(session, cycle_id)],
            "raters": [asked.name for asked in participation.raters(session, review_id)],
            "offered": [one.name for one in nominations.candidates(session, review_id, {})],
            "file": [line.split(",")[0] for line in imports.export(session).decode("utf-8-sig").splitlines()[1:]],
            "teams": [team.removesuffix(" team") for team in people.teams(session, below=None)],
        }
    for name, listed in lists.items():
        assert tuple(each for each in listed if each in hired) == THERE, name
        assert listed == sorted(listed, key=names.in_order), name


def test_namesakes_stand_in_the_order_of_their_addresses(company):
    addresses = ["ab@company.test", "a-c@company.test", "a.b@company.test", "a_b@company.test"]
    with context.transaction() as session:
        for address in addresses:
            people.add(session, "Anna Weiß", address)
    with context.reading() as session:
        rows, _ = people.search(session, Search(words="weiss"), offset=0, limit=50)
    assert [row.address for row in rows] == sorted(addresses)


def test_rounds_that_end_together_and_pages_are_in_the_order_of_names(company):
    wanted = ("Äpfel", "apfelkuchen", "Herbst", "Zoo")
    with context.transaction() as session:
        for name in reversed(wanted):
            drafts.make(
                session,
                name,
                launcher_id=company.ids["marta"],
                minimum=4,
                closes_at=context.now() + timedelta(days=20),
                blocks=[Section.KEY_BEHAVIORS],
                now=context.now(),
            )
            page = (SAMPLES / "product-stability-level-3.txt").read_bytes()
            competencies.import_page(session, page, competency=name)
    with context.reading() as session:
        assert tuple(cycle.name for cycle in cycles.everything(session)) == wanted
        pages = [page.competency.name for page in competencies.newest(session)]
    assert pages == ["Äpfel", "apfelkuchen", "Herbst", "Product Stability", "Zoo"]


def test_a_changed_name_is_found_and_the_one_before_is_not(company):
    with context.transaction() as session:
        person = people.add(session, "Ulf Berg", "person@company.test")
    with context.transaction() as session:
        people.get(session, person.id).name = "Ánxela Gómez"
    with context.reading() as session:
        found = [people.search(session, Search(words=typed), offset=0, limit=9)[0] for typed in ("gomez", "ulf")]
    assert [[row.name for row in rows] for rows in found] == [["Ánxela Gómez"], []]


def test_a_page_typed_otherwise_is_of_the_same_competency(company):
    page = (SAMPLES / "product-stability-level-3.txt").read_bytes()
    typed = ("Être à l’écoute", unicodedata.normalize("NFD", "Être à l'écoute"), "être À L’ÉCOUTE")
    with context.transaction() as session:
        found = {competencies.import_page(session, page, competency=name).competency.name for name in typed}
    assert found == {typed[0]}
