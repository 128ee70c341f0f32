"""Somebody with a browser: opens every address that the program has, with every id that they can think of."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

SIGNED = re.compile(r'"\.?[\w-]{20,}\.[\w-]{6}\.[\w-]{27}"')
"""A form's token, which has the second in it at which the page was made."""


def addresses(app: Flask, values: Mapping[str, Sequence[object]]) -> Iterator[str]:
    """Every address that answers to GET, with each of these values in the place of its names.

    A name that is not among them is filled with all ids there are: no page is left out.
    """
    adapter = app.url_map.bind("localhost")
    ids = [value for each in values.values() for value in each if isinstance(value, uuid.UUID)]
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and rule.endpoint != "static":
            names = sorted(rule.arguments)
            for chosen in product(*(values.get(name) or _any(rule, name, ids) for name in names)):
                yield adapter.build(rule.endpoint, dict(zip(names, chosen, strict=True)))


def _any(rule: Rule, name: str, ids: Sequence[uuid.UUID]) -> Sequence[object]:
    kind = type(rule._converters[name]).__name__
    return {"UUIDConverter": ids, "IntegerConverter": [1]}.get(kind, ["anything"])


def walk(
    client: FlaskClient, app: Flask, values: Mapping[str, Sequence[object]], *, accept: str = "text/html"
) -> dict[str, tuple[int, str]]:
    """The status and the source of every page, without what is different each time by intention."""
    found = {}
    for address in addresses(app, values):
        answer = client.get(address, headers={"Accept": accept})
        text = answer.get_data().decode(errors="replace")
        found[address] = answer.status_code, SIGNED.sub("", text)
    return found
