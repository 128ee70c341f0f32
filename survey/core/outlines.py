"""A text as an outline: its title, its opening words, and the entries under each heading.

People wrap lines, forget bullets and invent headings; the rules that tell these apart stand here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from survey.core.lines import SENTENCE_ENDS, Line, without_emphasis
from survey.core.sections import Section, named
from survey.core.titles import AT_LEVEL, Title, is_title_case, titled


@dataclass(frozen=True)
class Entry:
    """One item, lead-in or paragraph: its lines put together, and where it began."""

    line: int
    text: str
    is_bulleted: bool
    starts_block: bool

    @property
    def is_lead_in(self) -> bool:
        """Whether it only announces what follows."""
        return not self.is_bulleted and self.text.endswith(":")


@dataclass(frozen=True)
class Part:
    """What stands under one heading: a section, or the words of a heading that belongs to none."""

    heading: Section | str
    line: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Outline:
    """A whole text; `last_line` is the number of its last line that says something."""

    title: Title
    intro: str
    parts: tuple[Part, ...]
    last_line: int


def outline(lines: Sequence[Line]) -> Outline:
    """The outline of a text that has at least one line.

    In the Mindset Shift, every entry begins with its label, written "From:" or "To:", where the text has one.
    """
    title, rest = titled(lines)
    drafts = [_Draft("", 1)]
    fold = _fold(rest)
    for line, after in zip(rest, [*rest[1:], None], strict=False):
        _place(line, after, fold, drafts)
    opening, *parts = drafts
    return Outline(
        title=title,
        intro=paragraphs([_entry(entry) for entry in opening.entries]),
        parts=tuple(Part(part.heading, part.line, tuple(_entry(entry) for entry in part.entries)) for part in parts),
        last_line=lines[-1].number,
    )


def paragraphs(entries: Sequence[Entry]) -> str:
    """The entries as running text, with an empty line wherever one stood between them."""
    pieces: list[str] = []
    for entry in entries:
        if pieces:
            pieces.append("\n\n" if entry.starts_block else " ")
        pieces.append(without_emphasis(entry.text))
    return "".join(pieces)


@dataclass
class _Draft:
    """A part while its lines come in; the opening words stand under a heading without words."""

    heading: Section | str
    line: int
    entries: list[list[Line]] = field(default_factory=list)
    is_bulleted: bool = False

    def begin(self, line: Line) -> None:
        self.entries.append([line])
        self.is_bulleted = self.is_bulleted or line.is_bulleted


_LABEL = re.compile(r"(from|to)\s?[:：]\s?(.*)", re.IGNORECASE)
_LONE_LABELS = frozenset({"From", "FROM", "To", "TO"})
_LABELS = ("From:", "To:")
_UNFINISHED = frozenset({"a", "an", "and", "or", "of", "our", "the", "their", "your"})


def _place(line: Line, after: Line | None, fold: int | None, drafts: list[_Draft]) -> None:
    """Put the line where it belongs: a new part, the entry before it, or an entry of its own."""
    draft = drafts[-1]
    if draft.heading is Section.MINDSET_SHIFT:
        line = _labelled(line)
    section = _announced(line, draft)
    if section:
        drafts.append(_Draft(section, line.number))
    elif line.is_marked and not _leads_in(line, draft):
        drafts.append(_Draft(without_emphasis(line.text).rstrip(" :") or line.prose, line.number))
    elif not draft.heading:
        _go_on(replace(line, text=line.prose), draft)
    elif _continues(line, draft):
        draft.entries[-1].append(line)
    elif _is_heading(line, after, draft, fills=_fills(line, draft, fold)):
        drafts.append(_Draft(line.text.rstrip(" :"), line.number))
    elif _fills(line, draft, fold):
        draft.entries[-1].append(line)
    else:
        draft.begin(line)


def _go_on(line: Line, draft: _Draft) -> None:
    """Put the line into running text: an entry is a paragraph."""
    if line.starts_block or not draft.entries:
        draft.begin(line)
    else:
        draft.entries[-1].append(line)


def _labelled(line: Line) -> Line:
    """The line with its From or To written in one way, and as something that begins an entry."""
    text = without_emphasis(line.text)
    label = _LABEL.match(text)
    if label is None and text not in _LONE_LABELS:
        return line
    name, words = (label[1], label[2]) if label else (text, "")
    return replace(line, text=f"{name.capitalize()}: {words}".rstrip(), is_bulleted=True, is_marked=False)


def _announced(line: Line, draft: _Draft) -> Section | None:
    """The section that begins with this line."""
    if line.is_bulleted and (line.ordinal is None or _counts_on(line.ordinal, draft)):
        return None
    if line.text[:1].islower() and not line.is_marked and _is_inside(line, draft):
        return None
    return named(line.text)


def _counts_on(ordinal: int, draft: _Draft) -> bool:
    """Whether the number goes on with the numbers of the items, and so belongs to an item."""
    if not draft.entries or not draft.heading:
        return bool(draft.heading) and ordinal == 1
    return draft.entries[-1][0].ordinal == ordinal - 1


def _leads_in(line: Line, draft: _Draft) -> bool:
    """Whether a line marked as a heading only announces the items of the section that has just begun."""
    return isinstance(draft.heading, Section) and not draft.entries and line.text.endswith(":")


def _is_inside(line: Line, draft: _Draft) -> bool:
    """Whether the line hangs under the entry before it."""
    return bool(draft.entries) and not line.starts_block and line.indent > draft.entries[-1][0].indent


def _continues(line: Line, draft: _Draft) -> bool:
    """Whether the words alone, or their place, show that the line goes on with the entry before it."""
    begun = draft.entries[-1] if draft.entries else None
    if begun is None or (line.is_bulleted and begun[-1].text not in _LABELS):
        return False
    before = begun[-1].text
    if not before or before in _LABELS:
        return not line.text.startswith(_LABELS)
    if _must_not_continue(line, begun):
        return False
    if _is_inside(line, draft) or before.endswith(",") or before.rsplit(" ", 1)[-1] in _UNFINISHED:
        return True
    if draft.is_bulleted:
        return next(filter(str.isalpha, line.text), "").islower()
    return line.text[0].islower() and not _is_written_small(draft)


def _must_not_continue(line: Line, begun: list[Line]) -> bool:
    is_lead_in = not begun[0].is_bulleted and begun[-1].text.endswith(":")
    return line.starts_block or is_lead_in or AT_LEVEL.match(line.text) is not None


def _is_written_small(draft: _Draft) -> bool:
    """Whether the first item, after the lead-in if there is one, begins with a small letter."""
    items = [entry for entry in draft.entries[:2] if not entry[-1].text.endswith(":")]
    return bool(items) and items[0][0].text[:1].islower()


def _fold(lines: Sequence[Line]) -> int | None:
    """The column at which the text was wrapped by a program; None when nothing shows that it was."""
    widest = max((line.width for line in lines), default=0)
    for before, line in pairwise(lines):
        is_wrapped = line.text[:1].islower() and not line.is_bulleted and not line.starts_block
        if is_wrapped and _overflows(before, line, widest):
            return widest
    return None


def _fills(line: Line, draft: _Draft, fold: int | None) -> bool:
    """Whether the line stands alone only because its first word had no room at the end of the line before."""
    if fold is None or not draft.entries or not draft.is_bulleted or line.is_bulleted:
        return False
    begun = draft.entries[-1]
    is_whole = begun[0].text[:1] in "\"“'‘" and begun[-1].text[-1:] in "\"”'’"
    return not is_whole and not _must_not_continue(line, begun) and _overflows(begun[-1], line, fold)


def _overflows(before: Line, line: Line, fold: int) -> bool:
    return before.width + 1 + len(line.prose.split(" ", 1)[0]) > fold


def _is_heading(line: Line, after: Line | None, draft: _Draft, *, fills: bool) -> bool:
    """Whether an unmarked line is the heading of a part that pages do not have."""
    text = line.text
    words = text.split()
    if line.is_bulleted or after is None or not draft.entries or not 0 < len(words) <= 8:
        return False
    if text[-1] in SENTENCE_ENDS or text[0] in "\"“'‘" or text[0].islower() or AT_LEVEL.match(text):
        return False
    if after.is_bulleted:
        if is_title_case(text):
            return len(words) > 1 or not fills
        return draft.is_bulleted and line.starts_block and not text.endswith(":")
    is_above_block = line.starts_block and not after.starts_block and not draft.is_bulleted
    return is_above_block and len(words) > 1 and is_title_case(text)


def _entry(lines: Sequence[Line]) -> Entry:
    first = lines[0]
    pieces = [first.text]
    for before, line in pairwise(lines):
        pieces.append("" if not before.text or _is_split(before.text, line.text) else " ")
        pieces.append(line.text)
    return Entry(first.number, "".join(pieces), first.is_bulleted, first.starts_block)


def _is_split(before: str, after: str) -> bool:
    """Whether a compound ("short-term") was broken at its hyphen; in "pre- and post-release" it was not."""
    is_compound = before[-1:] in "-—" and before[-2:-1].isalpha() and after[:1].islower()
    return is_compound and after.split(" ", 1)[0] not in {"and", "or", "to"}
