"""What one part of a page says, in clean sentences, and what was left out, with the line and the reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from survey.core.lines import Problem, without_emphasis, without_quotes
from survey.core.outlines import Entry, Part, paragraphs
from survey.core.sections import MindsetShift, Section
from survey.core.titles import AT_LEVEL


@dataclass(frozen=True)
class Reading:
    """What stands under one heading. Only the Mindset Shift has a `shift`; `closing` ends the page."""

    heading: Section | str
    line: int
    items: tuple[tuple[int, str], ...] = ()  # Each with the number of its line.
    shift: MindsetShift | None = None
    closing: str = ""
    problems: tuple[Problem, ...] = ()


def read(part: Part, *, is_last: bool) -> Reading:
    """What the part says. A page closes after its Focus Summary or after its last part."""
    end = _closing_begins(part) if is_last or part.heading is Section.FOCUS_SUMMARY else len(part.entries)
    entries, closing = part.entries[:end], paragraphs(part.entries[end:])
    if part.heading is Section.MINDSET_SHIFT:
        shift, problems = _shift(part.line, entries)
        return Reading(part.heading, part.line, shift=shift, closing=closing, problems=problems)
    if isinstance(part.heading, Section):
        items, problems = _items(part.heading, part.line, entries)
        return Reading(part.heading, part.line, items=items, closing=closing, problems=problems)
    unknown = Problem(
        part.line, f"“{part.heading}” is none of the nine parts of a page; what stands under it was left out."
    )
    return Reading(part.heading, part.line, closing=closing, problems=(unknown,))


_SPLIT = re.compile(r"\s?(?:→|⟶|➜|➔|=>|->)\s?(?:to\s?[:：])?\s?|\sto\s?[:：]\s?", re.IGNORECASE)
_QUOTES = "\"'“”‘’„«»"


def _closing_begins(part: Part) -> int:
    """The position of the first entry that closes the page: it stands after all items, as a paragraph."""
    entries = part.entries
    bullets = [position for position, entry in enumerate(entries) if entry.is_bulleted]
    blocks = [position for position, entry in enumerate(entries) if entry.starts_block and position]
    first = next((position for position, entry in enumerate(entries) if not entry.is_lead_in), 0)
    for position in range(bullets[-1] + 1 if bullets else 0, len(entries)):
        text = entries[position].text
        if AT_LEVEL.match(text):
            return position
        if position <= first or _sentence_end(text) not in tuple(".!…"):
            continue
        is_apart = bool(bullets) or position in blocks[:1]
        is_long = part.heading is Section.FOCUS_SUMMARY or re.search(r"[.!?…][\"”’)]?\s", text) is not None
        if is_apart or (is_long and _sentence_end(text) != _sentence_end(entries[first].text)):
            return position
    return len(entries)


def _sentence_end(text: str) -> str:
    return text.rstrip(f"{_QUOTES})*_")[-1:]


def _items(
    section: Section, line: int, entries: Sequence[Entry]
) -> tuple[tuple[tuple[int, str], ...], tuple[Problem, ...]]:
    found: list[Entry] = []
    problems: list[Problem] = []
    first_bullet = next((position for position, entry in enumerate(entries) if entry.is_bulleted), None)
    for position, entry in enumerate(entries):
        if entry.is_lead_in:
            if position == len(entries) - 1 and found:
                problems.append(Problem(entry.line, "This line announces something, but nothing follows it."))
            continue
        if first_bullet is not None and position < first_bullet:
            problems.append(
                Problem(entry.line, f"This was read as a lead-in to {section.heading}, as it has no bullet.")
            )
            continue
        if first_bullet is not None and not entry.is_bulleted:
            problems.append(
                Problem(entry.line, f"This was read as an item of {section.heading}, but it has no bullet.")
            )
        found.append(entry)
    texts = _without_numbers([without_emphasis(entry.text) for entry in found])
    items = tuple(
        (entry.line, without_quotes(text))
        for entry, text in zip(found, texts, strict=True)
        if re.search(r"[^\W_]", text)
    )
    if not items:
        problems.append(Problem(line, f"{section.heading} has no items."))
    return items, tuple(problems)


def _without_numbers(texts: list[str]) -> list[str]:
    """The items without numbers glued to their first words ("1Lead"), where these count in sequence.

    One number alone proves nothing among other items: "1Password" and "2FA" are words.
    """
    glued = sum(_is_word(text.removeprefix(str(position))) for position, text in _glued(texts))
    if glued < 2 and len(texts) != glued:
        return texts
    numbered = dict(_glued(texts))
    return [
        text.removeprefix(str(position)) if position in numbered else text for position, text in enumerate(texts, 1)
    ]


def _glued(texts: Sequence[str]) -> list[tuple[int, str]]:
    """The items that begin with their own position and a capital letter, and those positions (from 1)."""
    return [
        (position, text)
        for position, text in enumerate(texts, 1)
        if text.startswith(str(position)) and text.removeprefix(str(position))[:2].lstrip(_QUOTES)[:1].isupper()
    ]


def _is_word(text: str) -> bool:
    second = text.lstrip(_QUOTES)[1:2]
    return second.islower() or second == " "


def _shift(line: int, entries: Sequence[Entry]) -> tuple[MindsetShift | None, tuple[Problem, ...]]:
    said = {"From": "", "To": ""}
    others: list[Entry] = []
    for entry in entries:
        label, _, words = entry.text.partition(":")
        if entry.is_bulleted and said.get(label) == "":
            said[label] = words.strip()
        elif not entry.is_lead_in:
            others.append(entry)
    origin, target = said["From"], said["To"]
    if not origin and not target and 0 < len(others) < 3:
        origin, target = others[0].text, others[1].text if len(others) > 1 else ""
        others = []
    if origin and not target:
        origin, target = (*_SPLIT.split(origin, maxsplit=1), "")[:2]
    shift = MindsetShift(*(without_quotes(without_emphasis(text)) for text in (origin, target)))
    if not shift.origin or not shift.target:
        return None, (Problem(line, "Mindset Shift needs one sentence after “From:” and one after “To:”."),)
    return shift, tuple(
        Problem(entry.line, "This stands outside From and To of the Mindset Shift and was left out.")
        for entry in others
    )
