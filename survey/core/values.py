"""Frozen values as JSON and back, without loss: what a row stores of a page, a questionnaire or a report."""

from __future__ import annotations

from collections.abc import Set
from typing import Any, TypeVar

from cattrs.preconf.json import make_converter

T = TypeVar("T")

# A set has another order in every process; what is written is the same everywhere.
_converter = make_converter(unstruct_collection_overrides={Set: sorted})


def dump(value: object) -> Any:
    """The value as plain lists, dicts, strings and numbers: of equal values the same, in whichever process."""
    return _converter.unstructure(value)


def load(kind: type[T], plain: Any) -> T:
    """The value that `dump` made `plain` from. Raises cattrs' errors when it is of another shape."""
    return _converter.structure(plain, kind)
