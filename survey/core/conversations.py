"""What helps a manager prepare the conversation about a report: questions of the page, and what not to conclude."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, zip_longest

from survey.core.disclosure import Band
from survey.core.reports import Chapter, Report
from survey.core.sections import Section

MOST = 4


@dataclass(frozen=True)
class Prompt:
    """A question to ask, and where on which page it stands."""

    text: str
    section: Section
    page: str


def prompts(report: Report) -> tuple[Prompt, ...]:
    """Up to four questions: in turn from Questions to Ask Yourself and Seek Feedback, talking points' pages first."""
    chapters = sorted(report.chapters, key=lambda chapter: not _is_talked_about(report, chapter))
    each = [list(_in_turn(chapter)) for chapter in chapters]
    in_turn = chain.from_iterable(zip_longest(*each))
    return tuple(islice((prompt for prompt in in_turn if prompt), MOST))


def cautions(report: Report, name: str) -> tuple[str, ...]:
    """What not to conclude from this very report, in sentences."""
    figures = [figure for row in report.rows.values() for figure in row.figures]
    said = []
    if figures:
        least = min(figure.n for figure in figures)
        said.append(
            f"Few people speak here: the smallest figure rests on {least}. Had one of them answered two points "
            f"differently, it would stand {2 / least:.1f} elsewhere."
        )
        said.append(
            "The line through a dot says where the average may well lie. Where two lines overlap, do not talk of a "
            "difference; “no clear difference” does not say that all agree."
        )
    else:
        said.append("There is no figure from others. That says nothing about the work: too few people answered.")
    if any(figure.band for figure in figures):
        ends = _listed({_band(figure.band) for figure in figures if figure.band})
        said.append(f"A band ({ends}) protects those who answered. It hides no exact value that you could ask for.")
    said.append(
        f"The figures are about {name} and this page alone. They cannot be compared with those of colleagues, who were "
        "rated by other people, and they are no basis for pay or rank."
    )
    said.append("Do not try to find out who said what, and do not ask. Talk about the work, not about the raters.")
    return tuple(said)


def _in_turn(chapter: Chapter) -> Iterator[Prompt]:
    asked = [question.text for question in chapter.questions if not question.is_private]
    for reflection, question in zip_longest(chapter.reflections, asked):
        if reflection:
            yield Prompt(reflection, Section.QUESTIONS_TO_ASK_YOURSELF, chapter.title)
        if question:
            yield Prompt(question, Section.SEEK_FEEDBACK, chapter.title)


def _is_talked_about(report: Report, chapter: Chapter) -> bool:
    return any(row.item in report.talking_points for row in chapter.rows)


def _band(band: Band) -> str:
    return "“4.5 or higher”" if band is Band.HIGH else "“1.5 or lower”"


def _listed(words: set[str]) -> str:
    return " or ".join(sorted(words))
