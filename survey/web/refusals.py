"""What somebody typed comes back with every refusal, whichever page refused it and why.

It goes back to whoever sent it, escaped, in a page that nobody keeps, and nowhere else.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

LARGEST = 8 * 1024 * 1024
"""Bytes of a form that are read once more, to give them back, where they were too many to be taken."""

_NOT_TYPED = frozenset({"csrf_token", "fingerprint", "sheet", "action", "next", "round", "is_meant"})
"""Fields that a page fills in by itself, or a button."""
_SECRET = re.compile(r"(first|second)(_again)?|code")
"""Fields that are shown to nobody again: passphrases of custodians, and what opens drafts."""
_CHOSEN = re.compile(r"\d[\d.:-]*|none|y", re.IGNORECASE)
"""Values of a scale, a tick or a calendar: nothing that could not be chosen again."""


@dataclass(frozen=True)
class Text:
    """Words as they were typed, under the name of their field; `label` is for people."""

    name: str
    value: str
    label: str

    @property
    def rows(self) -> int:
        """Lines of a field that shows the words."""
        return min(12, self.value.count("\n") + len(self.value) // 70 + 1)


@dataclass(frozen=True)
class Refused:
    """What a refused form held: words to copy, and with the rest all that is needed to send it again."""

    texts: tuple[Text, ...]
    rest: tuple[tuple[str, str], ...]
    can_be_sent_again: bool


def refused() -> Refused | None:
    """What was typed into the form that this request sent; None where nothing was."""
    if request.method != "POST":
        return None
    fields = _fields()
    texts = tuple(Text(name, value, _label(name, number)) for number, (name, value) in enumerate(_typed(fields), 1))
    if not texts:
        return None
    names = {(text.name, text.value) for text in texts}
    rest = tuple(pair for pair in fields if pair not in names and not _SECRET.fullmatch(pair[0]))
    return Refused(texts, rest, _is_of_this_site() and bool(request.form))


def _fields() -> list[tuple[str, str]]:
    """All fields in their order; a body that is no form is one text."""
    try:
        fields = list(request.form.items(multi=True))
        if not fields and not request.files and _is_text():
            return [("", request.get_data(as_text=True))]
    except RequestEntityTooLarge:
        return _fields_of_a_large_form()
    except (HTTPException, UnicodeDecodeError):
        return []
    return [(name, value) for name, value in fields if isinstance(value, str)]


def _fields_of_a_large_form() -> list[tuple[str, str]]:
    """What was too much to be taken is read once more, up to `LARGEST`, to be given back."""
    request.max_content_length = request.max_form_memory_size = LARGEST
    request.max_form_parts = None
    try:
        return list(request.form.items(multi=True))
    except HTTPException:
        return []


def _is_text() -> bool:
    return request.mimetype.startswith("text/") or request.mimetype == "application/json"


def _typed(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in fields if _is_typed(name, value)]


def _is_typed(name: str, value: str) -> bool:
    if name in _NOT_TYPED or _SECRET.fullmatch(name) or not value.strip():
        return False
    return not _CHOSEN.fullmatch(value) and not _is_id(value)


def _is_id(value: str) -> bool:
    try:
        uuid.UUID(value)
    except ValueError:
        return False
    return True


def _label(name: str, number: int) -> str:
    """The name of a field as people read it; those of questions are numbers, and get another."""
    words = name.replace("_", " ")
    return words.capitalize() if re.fullmatch(r"[a-z ]+", words) else f"Text {number}"


def _is_of_this_site() -> bool:
    """Whether a page of ours sent this: no other site may have words of its own sent by a press of a button here."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin") or request.headers.get("Referer") or request.host_url
    return site == "same-origin" and urlsplit(origin).netloc == request.host
