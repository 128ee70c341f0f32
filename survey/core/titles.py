"""What the first lines of a page state before its opening words: the competency and the level."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from survey.core.lines import LONGEST_HEADING, SENTENCE_ENDS, Line, without_emphasis, without_quotes
from survey.core.sections import named

AT_LEVEL = re.compile(r"at level\s?(\d{1,2})\b", re.IGNORECASE)
"""How the opening and closing words of a page begin, with the level."""


@dataclass(frozen=True)
class Title:
    """What the lines before the opening words state, each None when they do not; `line` is where."""

    competency: str | None
    level: int | None
    line: int


def titled(lines: Sequence[Line]) -> tuple[Title, Sequence[Line]]:
    """What the first lines state, and the lines after them."""
    title = Title(None, None, lines[0].number)
    for position, line in enumerate(lines):
        after = lines[position + 1] if position + 1 < len(lines) else None
        stated = _stated(line, after, is_named=title.competency is not None)
        if stated is None:
            return title, lines[position:]
        title = Title(
            competency=stated[0] or title.competency,
            level=title.level if stated[1] is None else stated[1],
            line=line.number if stated[0] else title.line,
        )
    return title, ()


def is_title_case(text: str) -> bool:
    """Whether all words but the small ones begin with a capital letter or none at all, as in headings."""
    words = text.split()
    return not words[0][0].islower() and all(
        not word.lstrip("(\"“'‘")[:1].islower() for word in words if word not in _SMALL_WORDS
    )


_LEVEL = re.compile(r"\b(?i:level)\s?:?\s?(\d{1,2})\b|\(L(\d{1,2})\)|\bL(\d{1,2})$")
_OPENINGS = frozenset({"description", "introduction", "overview"})  # Headings of the opening words.
_SMALL_WORDS = frozenset(
    {"a", "an", "and", "as", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "vs", "with"}
    | {"&", "–", "—", "-"}
)


def _stated(line: Line, after: Line | None, *, is_named: bool) -> tuple[str | None, int | None] | None:
    """The competency and the level in a title line; None when it is no title line."""
    if line.is_bulleted or len(line.text) > LONGEST_HEADING or named(line.text):
        return None
    text = without_emphasis(line.text)
    if text.rstrip(":").casefold() in _OPENINGS:
        return None, None
    label = re.match(r"competency\s?[:：]\s?(.+)", text, re.IGNORECASE)
    if label:
        return _without_level(label[1])
    name, level = _without_level(text)
    if not name:
        return (None, level) if level is not None else None
    if not is_named and (line.is_marked or _is_title(text, level, after)):
        return name, level
    return None


def _without_level(text: str) -> tuple[str | None, int | None]:
    level = _LEVEL.search(text)
    if level is None:
        return without_quotes(text.strip(" :")) or None, None
    before = text[: level.start()].rstrip(" -–—:,|/·([")
    after = text[level.end() :].lstrip(" -–—:,|/·)]")
    return without_quotes(before or after) or None, int(level[1] or level[2] or level[3])


def _is_title(text: str, level: int | None, after: Line | None) -> bool:
    """Whether an unmarked first line names the page, rather than beginning its opening words."""
    if len(text.split()) > 8 or text[-1] in SENTENCE_ENDS or text[0].islower() or AT_LEVEL.match(text):
        return False
    if after is not None and not after.starts_block and after.text[:1].islower():
        return False
    if level is not None:
        return text[:5].lower() == "level" or text.rstrip(")]")[-1:].isdigit()
    if is_title_case(text):
        return True
    return after is not None and not named(after.text) and bool(after.starts_block or AT_LEVEL.match(after.text))
