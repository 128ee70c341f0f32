"""A company of sixty in three levels, with a round about most of them that was answered, counted and released.

What everybody answered is kept beside it, as nobody but the raters themselves knows it.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from survey import context
from survey.core.access import Role
from survey.core.competencies import Section
from survey.core.questionnaires import ON_BY_DEFAULT
from survey.core.relationships import Relationship
from survey.core.responses import Answers
from survey.services import competencies, cycles, drafts, nominations, sign_ins
from survey.store.cycles import Review
from survey.store.invitations import Invitation, InvitationToken, mint
from survey.store.people import Person
from tests import counting
from tests.company import SAMPLES, csrf, submit

K = 4
TEAMS = {"lea": 9, "lars": 7, "lena": 6, "luis": 12, "lin": 5, "lotte": 4, "petra": 5}
DIRECTORS = {"dora": ("lea", "lars", "lena"), "dirk": ("luis", "lin", "lotte", "petra")}


@dataclass(eq=False)
class Organisation:
    """`ids` has everybody by first name.

    noor is people operations and not under review; petra is people operations, under review, and has a team; hanna
    is the head and not under review. dora and dirk report to her, and the leads to them. After the round opened,
    three people went from lea to lars.
    """

    app: Flask
    ids: dict[str, uuid.UUID] = field(default_factory=dict)
    above: dict[str, str | None] = field(default_factory=dict)
    reviews: dict[str, uuid.UUID] = field(default_factory=dict)
    said: dict[str, list[tuple[str, Relationship, Answers]]] = field(default_factory=dict)
    cycle_id: uuid.UUID = field(default_factory=uuid.uuid4)
    dice: random.Random = field(default_factory=lambda: random.Random(5))

    def sign_in(self, name: str) -> FlaskClient:
        """A browser in which this person is signed in."""
        with context.transaction() as session:
            token = sign_ins.link(session, f"{name}@company.test", now=context.now(), life=timedelta(minutes=10))
        client = self.app.test_client()
        page = client.get(f"/sign-in/{token}")
        client.post(f"/sign-in/{token}", data={"csrf_token": csrf(page.text)})
        return client

    def names(self) -> dict[uuid.UUID, str]:
        return {person: name for name, person in self.ids.items()}

    def below(self, name: str) -> set[str]:
        """Everybody who stood below this person when the round opened."""
        direct = {one for one, manager in self.above.items() if manager == name}
        return direct.union(*(self.below(one) for one in direct))


def build(app: Flask) -> Organisation:
    """The company, with its round released."""
    made = Organisation(app)
    _people(made)
    _round(made)
    _answer(made)
    with context.transaction() as session:
        cycles.close(session, made.cycle_id, actor_id=None, now=context.now())
    counting.count()
    with context.transaction() as session:
        moved = [made.ids[f"lea-{number}"] for number in range(3)]
        session.execute(update(Person).where(Person.id.in_(moved)).values(manager_id=made.ids["lars"]))
        cycles.release(session, made.cycle_id, actor_id=None, now=context.now())
    return made


def _people(made: Organisation) -> None:
    def add(name: str, above: str | None, role: Role = Role.ENGINEER) -> None:
        person = Person(
            name=f"{name.capitalize()} of Company",
            address=f"{name}@company.test",
            role=role,
            manager_id=made.ids[above] if above else None,
        )
        session.add(person)
        session.flush()
        made.ids[name], made.above[name] = person.id, above

    with context.transaction() as session:
        add("noor", None, Role.PEOPLE_OPERATIONS)
        add("hanna", None, Role.MANAGER)
        for director, leads in DIRECTORS.items():
            add(director, "hanna", Role.MANAGER)
            for lead in leads:
                add(lead, director, Role.PEOPLE_OPERATIONS if lead == "petra" else Role.MANAGER)
                for number in range(TEAMS[lead]):
                    add(f"{lead}-{number}", lead)


def _round(made: Organisation) -> None:
    with context.transaction() as session:
        page_ids = [
            competencies.import_page(session, (SAMPLES / name).read_bytes(), competency="Product Stability").id
            for name in ("product-stability-level-3.txt", "product-stability-level-2.txt")
        ]
        cycle = drafts.make(
            session,
            "Spring round",
            launcher_id=made.ids["hanna"],
            minimum=K,
            closes_at=context.now() + timedelta(days=14),
            blocks=[*ON_BY_DEFAULT, Section.COMMON_STRUGGLES],
            now=context.now(),
        )
        made.cycle_id = cycle.id
        for name in made.ids:
            if name not in {"noor", "hanna"}:
                # A team is rated on the page of its level; every third person on the other one.
                page = page_ids[(name.startswith(("luis", "lea")) + made.dice.randrange(3) // 2) % 2]
                review = drafts.add_review(session, cycle.id, made.ids[name], [page])
                made.reviews[name] = review.id
                raters = {made.ids[rater]: kind for rater, kind in _raters(made, name).items()}
                nominations.choose(session, review.id, raters)
        cycles.open_(session, cycle.id, context.installation().keyring, actor_id=None, now=context.now())


def _raters(made: Organisation, name: str) -> dict[str, Relationship]:
    """Four to eight peers from anywhere, and the direct reports of whoever has some."""
    reporting = [one for one, manager in made.above.items() if manager == name]
    rest = sorted(made.ids.keys() - {name, *reporting})
    return dict.fromkeys(made.dice.sample(rest, made.dice.randint(4, 8)), Relationship.PEER) | dict.fromkeys(
        reporting[:6], Relationship.DIRECT_REPORT
    )


def _answer(made: Organisation) -> None:
    names, subjects = made.names(), {review: name for name, review in made.reviews.items()}
    tokens = {}
    with context.transaction() as session:
        rows = session.execute(
            select(Invitation.id, Invitation.review_id, Invitation.rater_id, Invitation.relationship)
        ).all()
        for invitation, *_ in rows:
            tokens[invitation], token_hash = mint()
            session.add(InvitationToken(hash=token_hash, invitation_id=invitation))
        asked = {row.id: cycles.questionnaire(row) for row in session.scalars(select(Review))}
    for invitation, review, rater, kind in rows:
        ratings = {
            item.key: None if made.dice.random() < 0.15 else made.dice.randint(1, item.scale.points)
            for item in asked[review].for_rater(Relationship(kind)).items
            if item.scale is not None
        }
        answers = Answers(ratings, {})
        with context.transaction() as session:
            submit(session, tokens[invitation], invitation, answers)
        made.said.setdefault(subjects[review], []).append((names[rater], Relationship(kind), answers))


def paths(made: Organisation) -> Mapping[str, list[str]]:
    """The managers above each subject when the round opened, by first name from the top down."""

    def above(name: str) -> list[str]:
        manager = made.above[name]
        return [*above(manager), manager] if manager else []

    return {name: above(name) for name in made.reviews}
