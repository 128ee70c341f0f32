"""A report as a document: tagged for screen readers (PDF/UA-1), with fonts in it, and the figures of the page.

Texts reach the typesetter as JSON, never as markup, so nothing that somebody wrote is a command to it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import typst
from markupsafe import Markup

from survey.core import editions, plans, readiness, sentences
from survey.core.editions import Edition, Said
from survey.core.plans import Plan, Planned, Step
from survey.core.reports import Chapter, Report
from survey.core.rows import Row
from survey.core.sections import Section
from survey.delivery import charts, ladders, marks, shifts

TEMPLATE = Path(__file__).resolve().parents[2] / "templates" / "reports" / "report.typ"
STANDARD: typst.PDFStandard = "ua-1"
LONGEST = 24  # characters without a break, after which a line may be broken anyway
ATTEMPTS = 4

_MISSING = re.compile(r'the text `"((?:[^"\\]|\\.)*)"` could not be displayed')
_UNPRINTABLE = frozenset({"Cc", "Cs", "Co", "Cn"})


def report(edition: Edition, planned: Planned = plans.NOTHING) -> bytes:
    """The document of this copy of a report, with what its reader may see of its subject's plans.

    A character that no font at hand can show stands there by its name (a smiley), or as a box; a document with holes
    would not be one for everybody. Install fonts on the server to have more of them shown.
    """
    content = json.dumps(_printable(_content(edition, planned)), ensure_ascii=False)
    for _ in range(ATTEMPTS):
        try:
            return _typeset(content, edition)
        except typst.TypstError as error:
            missing = _missing(str(error.diagnostic))
            if not missing & set(content):
                raise
            content = content.translate({ord(char): _stand_in(char) for char in missing})
    return _typeset(re.sub(r"[^\x20-\x7e\xa0-\u024f–—‘’“”…≥≤×]", "?", content), edition)


def _typeset(content: str, edition: Edition) -> bytes:
    compiler = typst.Compiler(input=_template(), font_paths=_fonts())
    made = compiler.compile(
        format="pdf",
        pdf_standards=[STANDARD],
        sys_inputs={"report": content},
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
    """Those of the typesetter itself, in which everything is set, and those of the machine, for other scripts."""
    return typst.Fonts()


def _content(edition: Edition, planned: Planned) -> dict[str, Any]:
    name = None if edition.is_own else edition.subject
    whole = edition.report
    rows = whole.rows
    return {
        "title": f"{edition.subject}, {edition.cycle}",
        "subject": _broken(edition.subject),
        "cycle": _broken(edition.cycle),
        "closed": _day(edition.closed_at),
        "reading": sentences.how_to_read(whole, name),
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
        else _figure(ladders.ladder(found, name))
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
    return {"figure": marks.standalone(figure), "alt": marks.alternative(figure)}


def _printable(value: Any) -> Any:
    """The same value without characters that no font has: controls, halves of pairs, and code points of nobody."""
    if isinstance(value, str):
        return "".join(char for char in value if char == "\n" or unicodedata.category(char) not in _UNPRINTABLE)
    if isinstance(value, dict):
        return {key: _printable(each) for key, each in value.items()}
    return [_printable(each) for each in value] if isinstance(value, list | tuple) else value


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


def _stand_in(char: str) -> str:
    if unicodedata.category(char) in {"So", "Sk"}:
        return f"[{unicodedata.name(char, 'symbol').lower()}]"
    return "" if unicodedata.category(char)[0] in "CM" else "▯"
