"""A report as a document: tagged for screen readers (PDF/UA-1), with fonts in it, and the figures of the page.

Texts reach the typesetter as JSON, never as markup, so nothing that somebody wrote is a command to it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from survey.core import editions, plans, readiness, sentences
from survey.core.editions import Edition, Said
from survey.core.plans import Plan, Planned, Step
from survey.core.reports import Chapter, Report
from survey.core.rows import Row
from survey.core.sections import Section
from survey.delivery import charts, ladders, marks, shifts

# The typesetter is imported where it is used: few processes ever set a document.
if TYPE_CHECKING:
    import typst

TEMPLATE = Path(__file__).resolve().parents[2] / "templates" / "reports" / "report.typ"
STANDARD: typst.PDFStandard = "ua-1"
LONGEST = 24  # characters without a break, after which a line may be broken anyway
ATTEMPTS = 4
FONTS = ("noto_cjk_sans_jp_regular", "manimgx_fonts")
"""The packages that hold fonts for the scripts that the typesetter's own have no letters of."""

_MISSING = re.compile(r'the text `"((?:[^"\\]|\\.)*)"` could not be displayed')
# In the labels of a figure the typesetter cannot join letters of complex scripts so that a screen reader can read them.
_LATIN_GREEK_CYRILLIC = r"\x09\x0a\x20-\x7e\xa0-\u024f\u0370-\u052f\u1e00-\u1eff"
_SIGNS = r"\u2010-\u2027\u2030-\u205e\u2190-\u22ff"
_CHINESE_JAPANESE_KOREAN = r"\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef"
_UNDRAWABLE = re.compile(f"[^{_LATIN_GREEK_CYRILLIC}{_SIGNS}{_CHINESE_JAPANESE_KOREAN}]+")
_BEYOND = re.compile(r"[^\x0a\x20-\x7e\xa0-\u024f–—‘’“”…≥≤×]")
_UNPRINTABLE = frozenset({"Cc", "Cs", "Co", "Cn"})
_SCRIPT = re.compile(
    r"(.+?) (?:CAPITAL |SMALL |INDEPENDENT |SUBJOINED )*(?:LETTER|SIGN|SYLLABLE|VOWEL|MARK|DIGIT|NUMBER)\b"
)
_KNOWN_BY = {"CJK": "Chinese", "Hangul": "Korean", "Hiragana": "Japanese", "Katakana": "Japanese"}


@dataclass(frozen=True)
class Unshown:
    """Words that no font at hand has letters for, and the script that they are written in."""

    script: str
    words: str


@dataclass(frozen=True)
class Document:
    """A finished document, with what of its text stands in it by the name of its script alone."""

    content: bytes
    unshown: tuple[Unshown, ...]


def report(edition: Edition, planned: Planned = plans.NOTHING) -> bytes:
    """The document of this copy of a report, with what its reader may see of its subject's plans."""
    return made(edition, planned).content


def made(edition: Edition, planned: Planned = plans.NOTHING) -> Document:
    """The same, with the words that it cannot show.

    Fonts for most scripts come with the program; those of the machine add to them. What none of them has stands there
    by its name (a sign), or by that of its script (words), and the document says so: one with boxes or holes would not
    be one for everybody.
    """
    import typst  # noqa: PLC0415

    whole = _printable(_content(edition, planned))
    unshown: list[Unshown] = []
    for _ in range(ATTEMPTS):
        try:
            return Document(_typeset(whole, edition), tuple(unshown))
        except typst.TypstError as error:
            missing = _missing(str(error.diagnostic)) & _characters(whole)
            if not missing:
                break
            whole = _spelled(whole, missing, unshown)
    # The typesetter refused something else than a character: what it surely sets is better than no document.
    whole = _spelled(whole, set(_BEYOND.findall("".join(_characters(whole)))), unshown)
    return Document(_typeset(whole, edition), tuple(unshown))


def _typeset(whole: dict[str, Any], edition: Edition) -> bytes:
    import typst  # noqa: PLC0415

    compiler = typst.Compiler(input=_template(), font_paths=_fonts())
    made = compiler.compile(
        format="pdf",
        pdf_standards=[STANDARD],
        sys_inputs={"report": json.dumps(whole, ensure_ascii=False)},
        # The day of the round and not of the copy, so that the same report is the same file. The typesetter takes
        # no fraction of a second, and a round that was closed by hand has one.
        timestamp=edition.closed_at.replace(microsecond=0),
    )
    assert isinstance(made, bytes)  # noqa: S101 - one document without a file to write to
    return made


@cache
def _template() -> bytes:
    return TEMPLATE.read_bytes()


@cache
def _fonts() -> typst.Fonts:
    """Those of the typesetter, in which everything is set, and for other scripts ours and those of the machine."""
    import typst  # noqa: PLC0415

    return typst.Fonts(font_paths=[Path(str(files(package))) for package in FONTS])


def _content(edition: Edition, planned: Planned) -> dict[str, Any]:
    name = None if edition.is_own else edition.subject
    whole = edition.report
    rows = whole.rows
    return {
        "title": f"{edition.subject}, {edition.cycle}",
        "subject": _broken(edition.subject),
        "cycle": _broken(edition.cycle),
        "closed": _day(edition.closed_on),
        "reading": sentences.how_to_read(whole, name),
        "unshown": "",
        "talking": [
            {
                "text": _broken(rows[item].text),
                "says": f"{sentences.both(rows[item], name)} {sentences.stands_out(rows[item], name)}".strip(),
            }
            for item in whole.talking_points
        ],
        "no_talking": sentences.no_talking_points(whole),
        "strengths": [
            {"text": _broken(rows[item].text), "says": sentences.both(rows[item], name)} for item in whole.strengths
        ],
        "no_strengths": sentences.no_strengths(whole),
        "chapters": [_chapter(edition, chapter, name, planned.earlier) for chapter in whole.chapters],
        "plan": _plan(planned.now, name) if planned.now else None,
        "before": _before(planned.earlier, whole) if planned.earlier else None,
        "attendance": [
            [line.relationship.plural, str(line.invited), sentences.attended(line, whole.k)]
            for line in whole.attendance
        ],
        "pooled": sentences.pooled(whole) if whole.pooled is not None else "",
        "checked": sentences.checked(whole),
    }


def _chapter(edition: Edition, chapter: Chapter, name: str | None, earlier: Plan | None) -> dict[str, Any]:
    whole, own_label = edition.report, "Self" if name else "You"
    found = readiness.of(whole, chapter)
    return {
        "title": _broken(chapter.title),
        "intro": _broken(chapter.intro),
        "parts": [
            {
                "heading": section.heading,
                "rows": [_row(row, whole, name, earlier) | _figure(charts.axis(row, own_label)) for row in rows],
            }
            for section in (Section.KEY_BEHAVIORS, Section.SUCCESS_INDICATORS)
            if (rows := chapter.under(section))
        ],
        "shifts": [
            _row(row, whole, name, earlier) | _figure(shifts.line(row, own_label)) | {"origin": _broken(row.origin)}
            for row in chapter.under(Section.MINDSET_SHIFT)
        ],
        "struggles": [
            _row(row, whole, name, earlier) | {"seen": sentences.struggle(row, name)}
            for row in chapter.under(Section.COMMON_STRUGGLES)
        ],
        "polarity": sentences.STRUGGLES,
        "ready": None
        if found is None
        else _figure(ladders.ladder(found, "Self" if name else None))
        | {
            "rule": sentences.READY,
            "says": sentences.readiness(found, name),
            "head": ["Signal for the next level", name or "You", "Manager"],
            "signals": [
                _row(row, whole, name, earlier)
                | {
                    "own": sentences.answered(row.own, row.scale),
                    "manager": sentences.answered(row.manager, row.scale),
                }
                for row in found.signals
            ],
        },
        "questions": [
            {"text": _broken(question.text), "voices": _voices(edition.said(question), own_label, whole.k)}
            for question in editions.open_questions(chapter)
        ],
        "private": [
            {"text": _broken(question.text), "texts": _all_broken(edition.said(question).own)}
            for question in editions.private_questions(chapter)
        ],
        "planned": _steps(earlier.beside(chapter)) if earlier else [],
        "gaps": _all_broken(row.text for row in sentences.gaps(whole, chapter)),
        "habits": _all_broken(chapter.habits),
        "reflections": _all_broken(chapter.reflections),
        "focus": _all_broken(chapter.focus),
        "closing": _broken(chapter.closing),
    }


def _row(row: Row, whole: Report, name: str | None, earlier: Plan | None) -> dict[str, Any]:
    return {
        "text": _broken(row.text),
        "verdict": sentences.verdict(row, name),
        "moved": sentences.moved(row, whole),
        "planned": _all_broken(step.text for step in earlier.answering(row)) if earlier else [],
        "rests": sentences.rests_on(row, whole),
    }


def _plan(plan: Plan, name: str | None) -> dict[str, Any]:
    return {
        "title": f"What {_broken(name)} plans" if name else "What you plan",
        "steps": _steps(plan.steps),
        "day": f"Check-in on {_day(plan.check_in_on)}." if plan.check_in_on else "",
        "note": _broken(plan.note),
    }


def _before(earlier: Plan, whole: Report) -> dict[str, Any]:
    """What was planned in the round before and has no place in a chapter."""
    return {
        "cycle": _broken(earlier.cycle),
        "steps": _steps(earlier.elsewhere(whole.chapters)),
        "note": _broken(earlier.note),
    }


def _steps(steps: Iterable[Step]) -> list[dict[str, str]]:
    return [
        {"text": _broken(step.text), "for": _broken(f"For “{step.sentence}”" if step.sentence else step.page)}
        for step in steps
    ]


def _day(moment: date) -> str:
    return f"{moment.day} {moment:%B %Y}"


def _voices(said: Said, own_label: str, k: int) -> Mapping[str, Any]:
    return {
        "nobody": sentences.nobody(said, k),
        "taken_out": sentences.taken_out(said),
        "others": _all_broken(said.others),
        "named": [["Outside rater", _broken(text)] for text in said.outside]
        + [["Manager", _broken(text)] for text in said.manager]
        + [[own_label, _broken(text)] for text in said.own],
    }


def _figure(figure: Markup) -> dict[str, str]:
    drawn = unicodedata.normalize("NFC", marks.standalone(figure))
    return {"figure": _UNDRAWABLE.sub("…", drawn), "alt": marks.alternative(figure)}


def _printable(value: Any) -> Any:
    """The same value without characters that no font has: controls, halves of pairs, and code points of nobody."""
    return _in_all_texts(value, lambda text: "".join(filter(_is_printable, text)))


def _is_printable(char: str) -> bool:
    return char == "\n" or unicodedata.category(char) not in _UNPRINTABLE


def _in_all_texts(value: Any, change: Callable[[str], str]) -> Any:
    """The same value with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _in_all_texts(each, change) for key, each in value.items()}
    return [_in_all_texts(each, change) for each in value] if isinstance(value, list | tuple) else value


def _all_broken(texts: Iterable[str]) -> list[str]:
    return [_broken(text) for text in texts]


def _broken(text: str) -> str:
    """The text, with places at which a word that fits on no line may be broken."""
    return re.sub(rf"\S{{{LONGEST}}}(?=\S)", lambda word: word.group() + "\u200b", text)


def _missing(diagnostic: str) -> set[str]:
    """The characters that the typesetter found no font for."""
    return {
        char
        for text in _MISSING.findall(diagnostic)
        for char in re.sub(r"\\u\{([0-9a-f]+)\}", lambda code: chr(int(code.group(1), 16)), text)
    }


def _spelled(whole: dict[str, Any], missing: Collection[str], unshown: list[Unshown]) -> dict[str, Any]:
    """The same content with these characters by name: signs one by one, words by their script. Adds to `unshown`."""
    signs = {ord(char): f"[{unicodedata.name(char, 'sign').lower()}]" for char in missing if _is_sign(char)}
    letters = "".join(re.escape(char) for char in sorted(missing) if not _is_sign(char))
    words = re.compile(f"[{letters}]+(?:[ \u200b]+[{letters}]+)*") if letters else None

    def named(found: re.Match[str]) -> str:
        texts = _by_script(found.group())
        unshown.extend(text for text in texts if text not in unshown)
        return " ".join(f"[{text.script} script]" for text in texts)

    def spelled(text: str) -> str:
        return (words.sub(named, text) if words else text).translate(signs)

    spelled_out: dict[str, Any] = _in_all_texts(whole, spelled)
    return spelled_out | {"unshown": _scripts(unshown)}


def _characters(whole: dict[str, Any]) -> set[str]:
    """Every character of this content."""
    return set(json.dumps(whole, ensure_ascii=False))


def _by_script(words: str) -> list[Unshown]:
    """These words, those together that follow each other in one script; marks alone say nothing, and are left out."""
    by_script = groupby(words.replace("\u200b", "").split(), key=_script)
    return [Unshown(script, " ".join(alike)) for script, alike in by_script if script]


def _is_sign(char: str) -> bool:
    return unicodedata.category(char) in {"So", "Sk", "Sm", "Sc"}


def _script(words: str) -> str:
    """The script of these words by its first letter; empty where they are marks alone."""
    letter = next((char for char in words if unicodedata.category(char)[0] in "LNP"), None)
    if letter is None:
        return ""
    name = unicodedata.name(letter, "UNKNOWN")
    found = _SCRIPT.match(name)
    script = (found.group(1) if found else name.split()[0].split("-")[0]).title()
    return _KNOWN_BY.get(name.split()[0], _KNOWN_BY.get(script, script))


def _scripts(unshown: Collection[Unshown]) -> str:
    """Which scripts are missing, in a sentence; empty where none is."""
    scripts = sorted({text.script for text in unshown})
    if not scripts:
        return ""
    listed = scripts[0] if len(scripts) == 1 else f"{', '.join(scripts[:-1])} and {scripts[-1]}"
    return f"This document has no font for {listed} script. The page of this report shows these words."
