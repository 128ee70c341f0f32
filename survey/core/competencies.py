"""What good looks like: a competency page as a value, read from a person's text or from the JSON of a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from survey.core import lines, outlines, readings
from survey.core.errors import BadPage
from survey.core.lines import Problem
from survey.core.outlines import Outline
from survey.core.readings import Reading
from survey.core.sections import MindsetShift, Section
from survey.core.titles import AT_LEVEL

__all__ = ["REQUIRED", "MindsetShift", "Page", "Problem", "Section", "as_json", "from_json", "parse"]

REQUIRED = (Section.SUCCESS_INDICATORS, Section.SEEK_FEEDBACK)
"""The sections without which a page cannot make a survey."""


@dataclass(frozen=True)
class Page:
    """A competency at one level, in clean sentences: no bullet, no number, no quotation marks around them.

    `competency` and `level` are None when the page does not state them. `unknown_sections` holds the headings
    that belong to no section. `problems` says, by line, what was left out or may be misread.
    """

    competency: str | None = None
    level: int | None = None
    intro: str = ""
    key_behaviors: tuple[str, ...] = ()
    common_struggles: tuple[str, ...] = ()
    success_indicators: tuple[str, ...] = ()
    mindset_shift: MindsetShift | None = None
    questions_to_ask_yourself: tuple[str, ...] = ()
    build_these_habits: tuple[str, ...] = ()
    seek_feedback: tuple[str, ...] = ()
    signals_ready_to_level_up: tuple[str, ...] = ()
    focus_summary: tuple[str, ...] = ()
    closing: str = ""
    unknown_sections: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    def items(self, section: Section) -> tuple[str, ...]:
        """The sentences of a section in their order; of the Mindset Shift, both or none."""
        if section is Section.MINDSET_SHIFT:
            return (self.mindset_shift.origin, self.mindset_shift.target) if self.mindset_shift else ()
        sentences: tuple[str, ...] = getattr(self, section.value)
        return sentences


def parse(source: bytes, *, competency: str | None = None) -> Page:
    """The page in a text; `competency` names it when the text does not.

    Raises `BadPage` with lines and reasons when the source is over 256 KiB, not text or empty, or when one of
    the `REQUIRED` sections has no item.
    """
    outline = outlines.outline(lines.read(source))
    found = [readings.read(part, is_last=part is outline.parts[-1]) for part in outline.parts]
    items = {section: tuple(_sentences(section, found)) for section in Section}
    missing = [_missing(section, outline) for section in REQUIRED if not items[section]]
    if missing:
        raise BadPage(sorted(missing, key=lambda problem: problem.line))
    given = " ".join((competency or "").split()) or None
    title = outline.title
    problems = [*_conflicts(outline, given), *_repetitions(found)]
    problems += [problem for reading in found for problem in reading.problems]
    return Page(
        competency=title.competency or given,
        level=_level_of_intro(outline) if title.level is None else title.level,
        intro=outline.intro,
        key_behaviors=items[Section.KEY_BEHAVIORS],
        common_struggles=items[Section.COMMON_STRUGGLES],
        success_indicators=items[Section.SUCCESS_INDICATORS],
        mindset_shift=next((reading.shift for reading in found if reading.shift), None),
        questions_to_ask_yourself=items[Section.QUESTIONS_TO_ASK_YOURSELF],
        build_these_habits=items[Section.BUILD_THESE_HABITS],
        seek_feedback=items[Section.SEEK_FEEDBACK],
        signals_ready_to_level_up=items[Section.SIGNALS_READY_TO_LEVEL_UP],
        focus_summary=items[Section.FOCUS_SUMMARY],
        closing="\n\n".join(reading.closing for reading in found if reading.closing),
        unknown_sections=tuple(reading.heading for reading in found if not isinstance(reading.heading, Section)),
        problems=tuple(sorted(problems, key=lambda problem: problem.line)),
    )


def as_json(page: Page) -> dict[str, Any]:
    """The page as plain lists, dicts, strings and numbers; `from_json` is the way back, without loss."""
    sections: dict[str, Any] = {section.value: list(page.items(section)) for section in Section}
    shift = page.mindset_shift
    sections[Section.MINDSET_SHIFT.value] = shift and {"from": shift.origin, "to": shift.target}
    return {
        "competency": page.competency,
        "level": page.level,
        "intro": page.intro,
        "sections": sections,
        "closing": page.closing,
        "unknown_sections": list(page.unknown_sections),
        "problems": [{"line": problem.line, "message": problem.message} for problem in page.problems],
    }


def from_json(plain: Mapping[str, Any]) -> Page:
    """The page that `as_json` made `plain` from. Raises KeyError when a key is missing."""
    sections = {Section(name): value for name, value in plain["sections"].items()}
    shift = sections.pop(Section.MINDSET_SHIFT)
    return Page(
        competency=plain["competency"],
        level=plain["level"],
        intro=plain["intro"],
        **{section.value: tuple(sentences) for section, sentences in sections.items()},
        mindset_shift=shift and MindsetShift(shift["from"], shift["to"]),
        closing=plain["closing"],
        unknown_sections=tuple(plain["unknown_sections"]),
        problems=tuple(Problem(problem["line"], problem["message"]) for problem in plain["problems"]),
    )


def _sentences(section: Section, found: Sequence[Reading]) -> Iterator[str]:
    """The sentences of a section, each once, from wherever on the page it stands."""
    yield from dict.fromkeys(text for reading in found if reading.heading is section for _, text in reading.items)


def _missing(section: Section, outline: Outline) -> Problem:
    for part in outline.parts:
        if part.heading is section:
            return Problem(part.line, f"{section.heading} has no items, and a survey is built from them.")
    unknown = [part for part in outline.parts if not isinstance(part.heading, Section)]
    hint = "; ".join(f"“{part.heading}” on line {part.line}" for part in unknown[:3])
    return Problem(
        outline.last_line,
        f"There is no {section.heading}, and a survey is built from it."
        + (f" Headings that were not recognised: {hint}." if hint else ""),
    )


def _level_of_intro(outline: Outline) -> int | None:
    level = AT_LEVEL.search(outline.intro)
    return int(level[1]) if level else None


def _conflicts(outline: Outline, given: str | None) -> Iterator[Problem]:
    """Where the page contradicts itself, or the name that was given beside it."""
    title, level = outline.title, _level_of_intro(outline)
    if title.competency and given and title.competency.casefold() != given.casefold():
        yield Problem(title.line, f"The page is about “{title.competency}”; the name “{given}” was not used.")
    if title.level is not None and level is not None and title.level != level:
        yield Problem(
            title.line,
            f"The title says level {title.level} and the opening words say level {level}: the title counts.",
        )


def _repetitions(found: Sequence[Reading]) -> Iterator[Problem]:
    first: dict[Section, int] = {}
    seen: set[tuple[Section, str]] = set()
    for reading in found:
        section = reading.heading
        if not isinstance(section, Section):
            continue
        begun = first.setdefault(section, reading.line)
        if begun != reading.line:
            counts = "the first one counts" if section is Section.MINDSET_SHIFT else "its items were put together"
            yield Problem(reading.line, f"{section.heading} began on line {begun} already; {counts}.")
        for line, text in reading.items:
            if (section, text) in seen:
                yield Problem(line, f"The same sentence stands in {section.heading} already; it counts once.")
            seen.add((section, text))
