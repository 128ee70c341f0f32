"""Requests as pages read them: forms and queries of text, without the characters that no keyboard types."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from typing import IO, Any

from flask import Request as FlaskRequest
from werkzeug.datastructures import ImmutableMultiDict, MultiDict

# All of Unicode's control characters but tab and line breaks, and its surrogates.
_NOT_MEANT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Typed(ImmutableMultiDict[str, Any]):
    """Fields with their values, in which control characters and halves of characters are left out.

    PostgreSQL stores no NUL and no half of a character, and no person means to write one: they come with what was
    copied from elsewhere. To leave them out loses nothing; to refuse them would lose the page that somebody filled in.
    """

    def __init__(self, mapping: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        fields: MultiDict[str, Any] = MultiDict(mapping)
        # A part of a form may come without a name; nothing asks for it, and Flask-WTF stumbles over it.
        named = [(name, value) for name, value in fields.items(multi=True) if isinstance(name, str)]
        super().__init__([(_meant(name), _meant(value)) for name, value in named])


class Request(FlaskRequest):
    """What a browser sends."""

    parameter_storage_class = Typed

    @property
    def is_json(self) -> bool:
        """Never: pages take forms. Flask-WTF would take JSON in place of any form, with values of any type."""
        return False

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        """Memory, however large a file may be here: the framework would write one of half a megabyte to disk."""
        return io.BytesIO()


def _meant(value: Any) -> Any:
    return _NOT_MEANT.sub("", value) if isinstance(value, str) else value
