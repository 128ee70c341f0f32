"""The launcher's own words in mails: plain text with a few fixed placeholders, never a template."""

from __future__ import annotations

import re
from collections.abc import Mapping

from survey.core.errors import BadInput

PLACEHOLDERS = {
    "{name}": "who is asked",
    "{round}": "the name of the round",
    "{last day}": "the last day to answer",
    "{company}": "the company",
}
"""What is replaced in a greeting, and by what."""

LONGEST = 1_000


def check(text: str) -> str:
    """The text, cleaned. Raises `BadInput` for one that is too long, names no known placeholder, or holds a link.

    Raters learn to follow one link, ours; a second one in the same mail is what phishing looks like.
    """
    text = "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")).strip()
    if len(text) > LONGEST:
        raise BadInput(f"These words have {len(text):,} characters; {LONGEST:,} fit.")
    for found in re.findall(r"\{[^{}\n]{0,40}\}", text):
        if found not in PLACEHOLDERS:
            raise BadInput(f"“{found}” is none of the placeholders: {', '.join(PLACEHOLDERS)}.")
    if re.search(r"https?:|www\.", text, re.IGNORECASE):
        raise BadInput("Please leave links out: raters follow one link in this mail, their own.")
    return "".join(char for char in text if char == "\n" or char.isprintable())


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders replaced, each once: a name with braces in it stays a name."""
    return re.sub(r"\{[^{}\n]{1,40}\}", lambda match: values.get(match.group(), match.group()), text)
