"""The nine parts of a competency page, and the ways in which people write their headings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Section(StrEnum):
    """A part of a competency page; the value names it in JSON and in the keys of items."""

    KEY_BEHAVIORS = "key_behaviors"
    COMMON_STRUGGLES = "common_struggles"
    SUCCESS_INDICATORS = "success_indicators"
    MINDSET_SHIFT = "mindset_shift"
    QUESTIONS_TO_ASK_YOURSELF = "questions_to_ask_yourself"
    BUILD_THESE_HABITS = "build_these_habits"
    SEEK_FEEDBACK = "seek_feedback"
    SIGNALS_READY_TO_LEVEL_UP = "signals_ready_to_level_up"
    FOCUS_SUMMARY = "focus_summary"

    @property
    def heading(self) -> str:
        """The heading as it stands on a page."""
        return _HEADINGS[self]


@dataclass(frozen=True)
class MindsetShift:
    """The sentence that a person at this level leaves behind, and the one that they grow into."""

    origin: str
    target: str


def named(text: str) -> Section | None:
    """The section that this heading announces, in any letter case and spelling; None when it announces none.

    A sentence (it ends like one) and a quotation announce nothing, whatever their words are.
    """
    if len(text) > _LONGEST or " " not in text:
        return None
    text = re.sub(r"\s?\([^()]*\):?$", "", text)
    if not text or text[0] in "\"'“‘«„" or text[-1] in ".?!,;…":
        return None
    return _SECTIONS.get(_words(text))


_HEADINGS = {
    Section.KEY_BEHAVIORS: "Key Behaviors",
    Section.COMMON_STRUGGLES: "Common Struggles",
    Section.SUCCESS_INDICATORS: "Success Indicators",
    Section.MINDSET_SHIFT: "Mindset Shift",
    Section.QUESTIONS_TO_ASK_YOURSELF: "Questions to Ask Yourself",
    Section.BUILD_THESE_HABITS: "Build These Habits",
    Section.SEEK_FEEDBACK: "Seek Feedback",
    Section.SIGNALS_READY_TO_LEVEL_UP: "Signals You're Ready to Level Up",
    Section.FOCUS_SUMMARY: "Focus Summary",
}
_OTHER_HEADINGS = {
    "Signals Ready to Level Up": Section.SIGNALS_READY_TO_LEVEL_UP,
    "Signs You're Ready to Level Up": Section.SIGNALS_READY_TO_LEVEL_UP,
    "Indicators of Success": Section.SUCCESS_INDICATORS,
}
_LONGEST = 60
_SILENT = frozenset({"and", "that", "the", "your"})


def _words(heading: str) -> str:
    """What all spellings of a heading share: case, apostrophes, plurals, hyphens and "&" do not count."""
    plain = re.sub(r"['’‘ʼ`´′＇]", "", heading.casefold()).replace("behaviour", "behavior")
    words = [word.rstrip("s") for word in re.findall(r"[^\W_]+", plain)]
    return " ".join(word for word in words if word not in _SILENT).replace("you are", "youre")


_SECTIONS = {_words(section.heading): section for section in Section} | {
    _words(heading): section for heading, section in _OTHER_HEADINGS.items()
}
