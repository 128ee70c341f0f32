"""How well a round measured, for people operations: in sentences first, then sentence by sentence, then in figures."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from survey import context
from survey.context import needs
from survey.core.access import Action
from survey.core.instruments import REWORD_ABOVE
from survey.core.measurements import SUBJECTS, ItemFigures, Measurement, PageFigures, Reliability
from survey.core.rows import COMPARED
from survey.core.statistics import Interval
from survey.services import instruments

pages = Blueprint("instruments", __name__, url_prefix="/rounds")

CEILING = 0.7
"""From this share of top answers a sentence tells few people apart."""

APART = 0.2
"""Below this correlation a sentence asks about something else than the others of its page."""


@dataclass(frozen=True)
class Line:
    """A sentence in words and figures; `flags` say what to look at, and are empty where there is nothing."""

    text: str
    origin: str
    not_observed: str
    top: str
    item_total: str
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Panel:
    """A competency page: its sentences by section, and its coefficients."""

    title: str
    sections: dict[str, list[Line]]
    alpha: str
    halo: str


@pages.get("/<uuid:cycle_id>/instrument")
@needs(Action.SEE_INSTRUMENT)
def instrument(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """How well a released round measured."""
    context.permit(Action.SEE_INSTRUMENT)
    with context.reading() as session:
        view = instruments.read(session, cycle_id)
    found = view.measurement
    return render_template(
        "instruments/instrument.html",
        view=view,
        said=_said(found) if found else [],
        panels=[_panel(page) for page in found.pages] if found else [],
        coefficients=_coefficients(found) if found else [],
        least=SUBJECTS,
    )


def _said(found: Measurement) -> list[str]:
    said = _about_averages(found.reliability)
    flagged = sum(item.needs_rewording for page in found.pages for item in page.items)
    if flagged:
        subject = "One sentence was" if flagged == 1 else f"{flagged} sentences were"
        said.append(
            f"{subject} “not observed” by more than {_share(REWORD_ABOVE)} of those who were asked: "
            f"reword {'it' if flagged == 1 else 'them'}, or leave {'it' if flagged == 1 else 'them'} out."
        )
    if found.answer_rate is not None:
        said.append(f"{_share(found.answer_rate)} of all who were asked have answered.")
    return said


def _about_averages(reliability: Reliability | None) -> list[str]:
    """What the reliability of averages means: of people together, never of one."""
    if reliability is None:
        return ["The answers of this round do not show how reliable averages are: they are too few, or too much alike."]
    if reliability.icc_k <= 0:
        return [
            "The averages of different people lie no further apart than chance alone would put them. Read what was "
            "said of single behaviors, and compare nobody."
        ]
    low, high = reliability.icc_k_interval.low, reliability.icc_k_interval.high
    said = [
        f"With {reliability.raters:.0f} raters per person, about {_share(reliability.icc_k)} of the differences "
        "between people are more than chance. A round of this size knows that only roughly: it may be "
        f"{_share(max(low, 0))} to {_share(min(high, 1))}."
    ]
    needed = reliability.raters_needed
    if needed is not None:
        raters = "1 rater" if needed == 1 else f"{needed} raters"
        said.append(f"For 70 % it takes {raters} per person, as long as raters differ as much as they did here.")
    return said


def _panel(page: PageFigures) -> Panel:
    sections: dict[str, list[Line]] = {}
    for item in page.items:
        sections.setdefault(item.section.heading, []).append(_line(item))
    return Panel(page.title, sections, _decimals(page.alpha), _decimals(page.halo))


def _line(item: ItemFigures) -> Line:
    flags = ["Reword: many could not observe it"] if item.needs_rewording else []
    if item.section in COMPARED and item.top is not None and item.top >= CEILING:
        flags.append("Most chose the top answer")
    if item.item_total is not None and item.item_total < APART:
        flags.append("Does not go with the others")
    return Line(
        item.text,
        item.origin,
        _share(item.not_observed),
        _share(item.top),
        _decimals(item.item_total),
        tuple(flags),
    )


def _coefficients(found: Measurement) -> list[tuple[str, str, str]]:
    """Name, figure and explanation of what is about the whole round."""
    reliability = found.reliability
    if reliability is None:
        return []
    return [
        (
            "ICC(1)",
            _with_interval(reliability.icc_1, reliability.icc_1_interval),
            "How much of one rater's average over all behaviors is about the person, and not about the rater.",
        ),
        (
            "ICC(k)",
            _with_interval(reliability.icc_k, reliability.icc_k_interval),
            f"The same for the mean of all raters of a person, {reliability.raters:.1f} on average, "
            f"over {reliability.subjects} people.",
        ),
        (
            "Raters for .70",
            "–" if reliability.raters_needed is None else str(reliability.raters_needed),
            "How many raters per person bring ICC(k) to .70 at this ICC(1) (Spearman-Brown).",
        ),
    ]


def _with_interval(figure: float, interval: Interval) -> str:
    return f"{figure:.2f} [{interval.low:.2f} to {interval.high:.2f}]"


def _share(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def _decimals(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.2f}"
