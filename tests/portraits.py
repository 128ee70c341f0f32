"""Four reviews of one person that a report must serve: rich, thin, suppressed, polarised. Each with all blocks."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from survey.core import competencies, disclosure, questionnaires, reports
from survey.core.changes import Earlier
from survey.core.editions import Edition
from survey.core.plans import Plan, Planned, Step
from survey.core.questionnaires import BLOCKS, Item, Questionnaire
from survey.core.relationships import Relationship
from survey.core.responses import Answers, Response
from survey.core.sections import Section

SAMPLES = Path(__file__).resolve().parents[1] / "survey" / "samples"
PAGE = competencies.parse((SAMPLES / "product-stability-level-3.txt").read_bytes(), competency="Product Stability")
QUESTIONNAIRE = questionnaires.build([("page", 1, "Product Stability", PAGE)], blocks=BLOCKS)

GROUPS: Mapping[str, Mapping[Relationship, int]] = {
    "rich": {
        Relationship.SELF: 1,
        Relationship.MANAGER: 1,
        Relationship.PEER: 8,
        Relationship.DIRECT_REPORT: 5,
    },
    "thin": {Relationship.SELF: 1, Relationship.MANAGER: 1, Relationship.PEER: 4},
    "suppressed": {Relationship.SELF: 1, Relationship.MANAGER: 1, Relationship.PEER: 3},
    "polarised": {Relationship.SELF: 1, Relationship.MANAGER: 1, Relationship.PEER: 8},
}
"""How many answer in each case."""

WORDS = (
    "The hidden cost is the pager. Two of us wake up for the same queue, and nobody owns the fix.",
    "I feel least confident about the import job. It has no alert of its own.",
    "We talk about risk early since you ask for it in planning; please keep doing that.",
    "Rollbacks still take an hour, and only two people know how.",
    "Customers noticed the outage before we did.\nThe post-mortem was good, the actions are still open.",
    "You explain the why, and that made me write the missing tests.",
    "Fewer dashboards, and each with an owner, would help me more than another tool.",
    "Nothing to add.",
)
REFLECTIONS = (
    "Deploys on Fridays, and the import job, again and again.",
    "On-call knowledge sits with Ana and me.",
    "I could let others lead the review of incidents.",
)


def answers(
    case: str, relationship: Relationship, number: int, asked: Questionnaire, *, earlier: bool = False
) -> Answers:
    """What one rater of a case says; `number` counts within the relationship. The same every time."""
    dice = random.Random(f"{case} {relationship} {number} {earlier}")
    rated = {
        item.key: _rating(case, relationship, number, item, place, dice, earlier=earlier)
        for place, item in enumerate(asked.items)
        if not item.is_open
    }
    return Answers(rated, dict(_texts(case, relationship, number, asked)))


def edition(case: str, *, is_own: bool = True, with_earlier: bool = False) -> Edition:
    """The report of a case without any database, in the copy of the subject or of the manager."""
    published = _published(case, earlier=False)
    before = Earlier("Autumn round", QUESTIONNAIRE, _published(case, earlier=True).cells) if with_earlier else None
    report = reports.build(
        QUESTIONNAIRE,
        published,
        pages=[PAGE],
        invited={group: count + (group is Relationship.PEER) for group, count in GROUPS[case].items()},
        earlier=before,
    )
    whole = Edition(
        uuid.UUID(int=1),
        uuid.UUID(int=2),
        "Sam Rivera",
        "Spring round",
        datetime(2026, 3, 16, tzinfo=UTC),
        report,
        published.comments,
    )
    return whole.copy(is_own=is_own)


def planned(**changed: object) -> Planned:
    """What the subject plans after the report, and planned after the round before it; `changed` holds for both."""
    text = next(item.text for item in QUESTIONNAIRE.items if not item.is_open)
    steps = (
        Step(PAGE.items(Section.BUILD_THESE_HABITS)[0], "Product Stability, level 3", text),
        Step("Ask Ana to pair", "Product Stability, level 3", is_own=True),
    )
    now = Plan(
        uuid.UUID(int=1),
        uuid.UUID(int=2),
        "Sam Rivera",
        "Spring round",
        datetime(2026, 3, 16, tzinfo=UTC),
        steps,
        date(2026, 4, 15),
        "",
    )
    earlier = replace(
        now,
        review_id=uuid.UUID(int=3),
        cycle="Autumn round",
        closed_at=datetime(2025, 9, 16, tzinfo=UTC),
        check_in_on=None,
        note="The pager is quiet.",
    )
    return Planned(replace(now, **changed), replace(earlier, **changed))


def cells(case: str, *, earlier: bool = False) -> tuple[disclosure.Cell, ...]:
    """What the round of a case published."""
    return _published(case, earlier=earlier).cells


def _published(case: str, *, earlier: bool) -> disclosure.Published:
    responses = [
        Response(group, answers(case, group, number, QUESTIONNAIRE.for_rater(group), earlier=earlier))
        for group, count in GROUPS[case].items()
        for number in range(count)
    ]
    return disclosure.publish(
        QUESTIONNAIRE, responses, k=4, shuffle=lambda comments: comments.sort(key=lambda c: c.text)
    )


def _rating(
    case: str, relationship: Relationship, number: int, item: Item, place: int, dice: random.Random, *, earlier: bool
) -> int | None:
    assert item.scale is not None
    points = item.scale.points
    if points == 2:
        return dice.choice([1, 2, 2, None] if relationship.is_anonymous else [1, 2, 2])
    if relationship is Relationship.SELF:
        return (4, 4, 5, 2, 4, 3, 4, 4, 3, 3)[place % 10]
    if relationship is Relationship.MANAGER:
        return (3, 4, 4, 3, 4, 4, 3, 4, 2, 3)[place % 10]
    if case == "polarised" and place % 2 == 0:
        return 1 if number % 2 else 5
    if case == "thin" and (place + number) % 5 == 0 and place % 3:
        return None
    height = (2.2, 4.6, 3.9, 4.4, 4.7, 3.1, 2.4, 3.8, 3.2, 2.8)[place % 10] - 1.2 * earlier * (place in {4, 3})
    return min(points, max(1, round(dice.gauss(height, 0.55))))


def _texts(case: str, relationship: Relationship, number: int, asked: Questionnaire) -> Iterator[tuple[str, str]]:
    opened = [item for item in asked.items if item.is_open]
    for place, item in enumerate(opened):
        if item.section is Section.QUESTIONS_TO_ASK_YOURSELF:
            if place < 2:
                yield item.key, REFLECTIONS[place]
        elif relationship is Relationship.MANAGER:
            if place == 0:
                yield item.key, "You carry too much of the stabilisation work alone; let us plan it with the team."
        elif case in {"rich", "polarised"} or place == 0:
            yield item.key, WORDS[(number + 3 * place) % len(WORDS)]
