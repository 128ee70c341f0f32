"""What a rater is told before the first question, computed for this very invitation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from survey.core.relationships import Relationship


@dataclass(frozen=True)
class Statement:
    """Who will see what. `is_anonymous` decides which of the two promises stands above it."""

    is_anonymous: bool
    lines: tuple[str, ...]


def of(
    relationship: Relationship, *, subject: str, invited: Mapping[str, int], k: int, has_open_questions: bool
) -> Statement:
    """The statement for one rater of `subject`, when so many were `invited` per relationship, under the minimum `k`."""
    if relationship is Relationship.SELF:
        return Statement(
            False,
            (
                "This is your own view. It stands in your report as yours, and your manager sees your ratings there.",
                "Your answers to the questions for yourself are shown to you alone.",
            ),
        )
    if relationship is Relationship.MANAGER:
        return Statement(
            False,
            (
                f"You answer as {subject}’s manager: your answers are not anonymous. {subject} sees your ratings "
                "and your words as yours.",
            ),
        )
    count = invited.get(relationship, 0)
    company = (
        f"{count} {relationship.plural.lower()} were asked about {subject}, you among them."
        if count > 1
        else f"You are the only {relationship.label} asked about {subject}."
    )
    if count >= k:
        few = f"If fewer than {k} of you answer, your ratings are pooled with other small groups, or not shown at all."
    else:
        few = (
            f"That is fewer than {k}, so this group is never shown on its own: your ratings are pooled with other "
            "small groups, or not shown at all."
        )
    lines = [company, f"{subject} and their manager see group averages. {few}"]
    if has_open_questions:
        lines.append(
            f"What you write is shown to both word for word, mixed with the words of others and in random order, and "
            f"only if at least {k} people answer that question."
        )
    return Statement(True, tuple(lines))


PROMISE = (
    "We know whether you answered, so that we can stop reminding you. We never store what you answered together with "
    "who you are.",
    "While the round is open your answers are locked with a key kept apart from the database; when it closes we "
    "shuffle, count, and destroy the key.",
    "A figure that rests on fewer than {k} people is never shown.",
    "Someone who controls the running server while the round is open could still cheat, and people may recognise how "
    "you write.",
)
"""The promise, sentence by sentence; `{k}` is the cycle's minimum. It must stay literally true."""


def promise(k: int) -> tuple[str, ...]:
    """The promise under this minimum."""
    return tuple(sentence.format(k=k) for sentence in PROMISE)
