"""The lines of a text, numbered as an editor numbers them: their words, and apart from these their marks."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace

from survey.core.errors import BadPage

LARGEST = 256 * 1024
"""The most bytes that a text may have."""

LONGEST_HEADING = 100
"""The most characters that a heading may have; a longer line is text, whatever marks it wears."""

SENTENCE_ENDS = ".?!,;…"
"""The marks with which a heading does not end."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one line (from 1) of a page, as a sentence."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line that says something: its words, and how they stood there."""

    number: int
    text: str  # The words alone; empty for a bullet whose words stand on the next line.
    prose: str  # The words with their bullet or number, as they read inside a paragraph.
    indent: int  # Columns before the first mark.
    width: int  # Columns in all.
    is_bulleted: bool  # By a bullet, a number or both.
    ordinal: int | None  # The number of a line that is numbered and has no bullet.
    is_marked: bool  # As a heading: by "#", as bold from end to end, or by an underline.
    starts_block: bool  # Nothing stands directly above.


def read(source: bytes) -> tuple[Line, ...]:
    """The lines of a text in UTF-8 (or UTF-16 with its mark), without the empty ones and drawn rules.

    Raises `BadPage` when it is longer than `LARGEST` bytes, is not text, or is empty.
    """
    lines: list[Line] = []
    starts_block = True
    for number, text in enumerate(_decoded(source).translate(_UNSEEN).split("\n"), 1):
        # What an editor shows as one line can hold the line breaks of a word processor.
        for piece in text.splitlines() or [""]:
            words = " ".join(piece.split())
            if words.startswith(">"):
                words = words.lstrip("> ")
            if words and not _is_rule(words):
                lines.append(_line(number, piece, words, starts_block))
                starts_block = False
                continue
            if words and not starts_block and _is_underlined(lines[-1], len(words)):
                lines[-1] = replace(lines[-1], is_marked=True)
            starts_block = True
    if not lines:
        raise BadPage([Problem(1, "The page is empty.")])
    return tuple(lines)


def without_emphasis(text: str) -> str:
    """The text without Markdown's marks for bold and italic words."""
    if "*" in text:
        text = _ITALIC.sub(r"\1", _BOLD.sub(r"\1", text))
    for mark in ("__", "_"):
        inner = text[len(mark) : -len(mark)]
        if inner and text == f"{mark}{inner}{mark}" and "_" not in inner:
            return inner.strip()
    return text


def without_quotes(text: str) -> str:
    """The text without the pair of quotation marks around all of it; quotations inside it stay."""
    if len(text) < 3 or not _is_quotation(text):
        return text
    return text[1:-1].strip()


# Control characters that are no white space; soft hyphens, zero-width spaces, word joiners, byte-order marks.
_UNSEEN = dict.fromkeys(
    [*range(0x09), *range(0x0E, 0x1C), *range(0x7F, 0x85), *range(0x86, 0xA0), 0xAD, 0x200B, 0x2060, 0xFEFF]
)
_BULLET = re.compile(
    r"(?:[•‣◦▪▫●○·∙⁃■□➤✓✔\uf0a7\uf0b7]\s?"
    r"|[-–—*+](?:\s|$)"
    r"|[-–](?=[^\W\d_]|\d{1,2}[.)A-Z]|[\"“'‘*])"
    r"|\*(?=[^\W\d_][^*]*$))"
    r"(?:\[[ xX]\]\s)?"
)
_NUMBER = re.compile(r"\(?(\d{1,2})[.)](?:\s|$|(?=[A-Z\"“‘]))")
_HASHES = re.compile(r"#+\s")
_BOLD = re.compile(r"\*\*(?=[^\s*])([^*]++)\*\*")
_ITALIC = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*]++)\*(?![\w*])")


def _decoded(source: bytes) -> str:
    if len(source) > LARGEST:
        reason = f"The file has {len(source):,} bytes; a page has at most {LARGEST:,} (256 KiB)."
        raise BadPage([Problem(_last_line(source[:LARGEST]), reason)])
    is_wide = source.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = source.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        reason = "This is not text in UTF-8. Save the page as plain text in UTF-8."
        raise BadPage([Problem(_last_line(source[: error.start]), reason)]) from error
    before, zero, _ = text.replace("\r\n", "\n").replace("\r", "\n").partition("\0")
    if zero:
        raise BadPage([Problem(before.count("\n") + 1, "This is a binary file, not a page of text.")])
    return before


def _last_line(source: bytes) -> int:
    return source.replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1


def _line(number: int, piece: str, words: str, starts_block: bool) -> Line:
    shown = piece.expandtabs(4).rstrip()
    width = len(shown)
    text, ordinal, is_marked = words, None, False
    if text[:1] == "#" and len(text) <= LONGEST_HEADING and (hashes := _HASHES.match(text)):
        text, is_marked = re.sub(r"\s#+$", "", text[hashes.end() :]), True
    bullet = None if is_marked else _BULLET.match(text)
    if bullet:
        text = text[bullet.end() :]
    number_mark = _NUMBER.match(text)
    if number_mark:
        text = text[number_mark.end() :]
        ordinal = None if bullet or is_marked else int(number_mark[1])
    is_bulleted = not is_marked and bool(bullet or number_mark)
    if not is_bulleted and text[:1] in ("*", "_") and len(text) <= LONGEST_HEADING and (bold := _bold(text)):
        text, is_marked = bold, True
    return Line(
        number=number,
        text=text,
        prose=words,
        indent=width - len(shown.lstrip()),
        width=width,
        is_bulleted=is_bulleted,
        ordinal=ordinal,
        is_marked=is_marked,
        starts_block=starts_block,
    )


def _bold(text: str) -> str | None:
    """The words of a line that is bold from end to end (a colon may follow), unless they are a sentence."""
    for mark in ("**", "__"):
        end = ":" if text.endswith(f"{mark}:") else ""
        inner = text.removeprefix(mark).removesuffix(end).removesuffix(mark).strip("*_ ")
        if inner and text.startswith(mark) and text.endswith(mark + end) and mark not in inner:
            return None if inner[-1] in SENTENCE_ENDS else inner + end
    return None


def _is_rule(words: str) -> bool:
    drawn = words.replace(" ", "")
    return len(drawn) > 1 and drawn[0] in "-=_*~–—`" and drawn == drawn[0] * len(drawn)


def _is_underlined(line: Line, length: int) -> bool:
    is_heading = len(line.text) <= LONGEST_HEADING and not line.is_bulleted and line.text[-1:] not in SENTENCE_ENDS
    # A short rule under a long line separates it from what follows and does not underline it.
    return is_heading and length + 3 >= len(line.text)


def _is_quotation(text: str) -> bool:
    first, last, inner = text[0], text[-1], text[1:-1]
    if first in "'‘" and last in "'’":
        return not re.search(r"\s['‘](?=\S)", inner)
    if first not in '"“„«”' or last not in '"”“»':
        return False
    depth = 1
    for mark in re.finditer(r"[\"“„«”»]", inner):
        before, after = inner[max(mark.start() - 1, 0) : mark.start()], inner[mark.end() : mark.end() + 1]
        is_straight = mark[0] == '"'
        opens = before in ("", " ", "(") and after not in ("", " ") if is_straight else mark[0] in "“„«"
        depth += 1 if opens else -1
        if depth == 0:
            return False
    return depth == 1
