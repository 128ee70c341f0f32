"""What a rater is told before the first question, computed for this very invitation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from survey.core.relationships import ANONYMOUS, COLLEAGUES, Relationship


@dataclass(frozen=True)
class Statement:
    """Who will see what. `is_anonymous` decides which of the two promises stands above it."""

    is_anonymous: bool
    lines: tuple[str, ...]


def of(
    relationship: Relationship, *, subject: str, invited: Mapping[str, int], k: int, has_open_questions: bool
) -> Statement:
    """The statement for one rater of `subject`, when so many were `invited` per relationship, under the minimum `k`.

    `has_open_questions` says whether this rater is asked for words too. What can never be shown, whoever answers,
    is called so. How long it takes depends on no one else; the page says it beside the name.
    """
    if relationship is Relationship.SELF:
        return Statement(False, _to_the_subject(has_open_questions))
    if relationship is Relationship.MANAGER:
        return Statement(False, _to_the_manager(subject, has_open_questions))
    counts = {kind: invited.get(kind, 0) for kind in ANONYMOUS}
    # Whoever reads this has been asked, whatever was written down.
    counts[relationship] = max(counts[relationship], 1)
    outside = counts[Relationship.OUTSIDE]
    together = {Relationship.OUTSIDE} if relationship is Relationship.OUTSIDE else set(COLLEAGUES)
    counts = {kind: count for kind, count in counts.items() if kind in together}
    lines = [
        f"{_company(relationship, counts[relationship], subject)} {_from_outside(relationship, outside)}",
        f"{subject}, and the managers they report to, see figures of groups, never a single rating. "
        + _if_few_answer(relationship, counts, k),
    ]
    if has_open_questions:
        who = _counted_together(relationship, outside)
        lines.append(_words(sum(counts.values()), k, who))
    return Statement(True, tuple(lines))


def _to_the_subject(has_open_questions: bool) -> tuple[str, ...]:
    ratings = (
        "This is your own view, so it is not anonymous. Your ratings stand in your report as yours, and the managers "
        "you report to see them there."
    )
    if not has_open_questions:
        return (ratings,)
    return (ratings, "What you write in answer to the questions for yourself is shown to you alone.")


def _to_the_manager(subject: str, has_open_questions: bool) -> tuple[str, ...]:
    seen = "your ratings and, word for word, what you write" if has_open_questions else "your ratings"
    return (
        f"You answer as {subject}’s manager: your answers are not anonymous. {subject}, and the managers they report "
        f"to, see {seen}, as the manager’s.",
        f"There is no minimum for you: they see it even if nobody else answers about {subject}.",
    )


def _company(relationship: Relationship, count: int, subject: str) -> str:
    """How many of the same relationship were invited."""
    if count == 1:
        return f"You are the only {relationship.label} asked about {subject}."
    return f"{count} {_plural(relationship)} were asked about {subject}, you among them."


def _from_outside(relationship: Relationship, outside: int) -> str:
    """How many of this rater's group are from outside (R9)."""
    if relationship is Relationship.OUTSIDE:
        return (
            "Outside raters work elsewhere, or came into the directory, or to their address there, by the hand of "
            "somebody who set this round up. They are a group of their own and are never counted with colleagues."
        )
    if not outside:
        return "Nobody from outside is counted with your group."
    were = "1 outside rater was" if outside == 1 else f"{outside} outside raters were"
    return f"Nobody from outside is counted with your group: {were} asked too, and are a group of their own."


def _if_few_answer(relationship: Relationship, counts: Mapping[Relationship, int], k: int) -> str:
    """What happens to the ratings of this relationship if fewer than k answer, as far as the numbers allow it."""
    count = counts[relationship]
    # Other groups are pooled with this one only when fewer than k of them answer.
    with_others = count + sum(min(other, k - 1) for kind, other in counts.items() if kind is not relationship)
    if with_others < k:
        return f"Too few people were asked for the minimum of {k}, so your ratings will not be shown to anybody."
    if count < k:
        return (
            f"With fewer than {k} people, your group is never shown on its own: your ratings are pooled with other "
            "small groups, or not shown at all."
        )
    condition = f"If fewer than {k} of you answer" if count > k else "Unless every one of you answers"
    if with_others == count:
        return f"{condition}, your ratings are not shown at all."
    return f"{condition}, your ratings are pooled with other small groups, or not shown at all."


def _words(asked: int, k: int, who: str) -> str:
    """Who reads the open answers, and when; `who` are those who are counted together."""
    if asked < k:
        return "For the same reason, nobody will read what you write here. You can leave those questions empty."
    return (
        f"What you write is shown to the same people word for word, mixed with the words of others and in random "
        f"order, and only if at least {k} {who} answer that question."
    )


def _counted_together(relationship: Relationship, outside: int) -> str:
    if relationship is Relationship.OUTSIDE:
        return "outside raters"
    return "colleagues" if outside else "people"


def _plural(relationship: Relationship) -> str:
    return "other colleagues" if relationship is Relationship.OTHER else relationship.plural.lower()


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
