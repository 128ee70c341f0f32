"""A round about twelve people, six peers each, and what everybody answered: as much as a cycle needs to be measured."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field

from sqlalchemy import select

from survey import context
from survey.core.questionnaires import Questionnaire
from survey.core.relationships import Relationship
from survey.core.responses import Answers
from survey.services import cycles, drafts, nominations
from survey.store.cycles import Review
from survey.store.invitations import Invitation, InvitationToken, mint
from tests.company import Company, submit

PEERS = 6


@dataclass
class Dozen:
    """`said` has what the peers of each review answered, as nobody but they themselves knows it."""

    cycle_id: uuid.UUID
    questionnaire: Questionnaire
    said: dict[uuid.UUID, list[Answers]] = field(default_factory=dict)


def answered(company: Company, *, subjects: int = 12, seed: int = 360) -> Dozen:
    """The round, closed, with every envelope still sealed."""
    dice = random.Random(seed)
    names = [name for name in company.ids if name != "noor"][:subjects]
    cycle_id, first = company.draft({}, subject=names[0])
    with context.transaction() as session:
        reviews = {names[0]: first}
        for name in names[1:]:
            reviews[name] = drafts.add_review(session, cycle_id, company.ids[name], [company.page_id]).id
        for name, review_id in reviews.items():
            raters = dice.sample([one for one in company.ids if one != name], PEERS)
            chosen = {company.ids[one]: Relationship.PEER for one in raters} | {company.ids[name]: Relationship.SELF}
            nominations.choose(session, review_id, chosen)
        cycles.open_(session, cycle_id, context.installation().keyring, actor_id=None, now=context.now())
    made = Dozen(cycle_id, _questionnaire(first))
    _answer(made, dice)
    company.close(cycle_id)
    return made


def _answer(made: Dozen, dice: random.Random) -> None:
    tokens = {}
    with context.transaction() as session:
        rows = session.execute(select(Invitation.id, Invitation.review_id, Invitation.relationship)).all()
        for invitation_id, *_ in rows:
            tokens[invitation_id], token_hash = mint()
            session.add(InvitationToken(hash=token_hash, invitation_id=invitation_id))
    strengths = {review_id: dice.gauss(3.4, 0.6) for review_id in dict.fromkeys(review for _, review, _ in rows)}
    for invitation_id, review_id, kind in rows:
        leniency = dice.gauss(0, 0.4)
        ratings = {
            item.key: _tick(dice, strengths[review_id] + leniency, item.scale.points)
            for item in made.questionnaire.for_rater(Relationship(kind)).items
            if item.scale is not None
        }
        with context.transaction() as session:
            submit(session, tokens[invitation_id], invitation_id, Answers(ratings, {}))
        if kind == Relationship.PEER:
            made.said.setdefault(review_id, []).append(Answers(ratings, {}))


def _tick(dice: random.Random, strength: float, points: int) -> int | None:
    return None if dice.random() < 0.05 else min(max(round(dice.gauss(strength, 1.2)), 1), points)


def _questionnaire(review_id: uuid.UUID) -> Questionnaire:
    with context.reading() as session:
        review = session.get(Review, review_id)
        assert review is not None
        return cycles.questionnaire(review)
