"""The pages: each parses a request, calls one use case, and shows what came back."""

from __future__ import annotations

from flask import Flask
from flask_wtf import CSRFProtect

from survey.web import (
    accounts,
    audit,
    comments,
    competencies,
    cycles,
    errors,
    nominations,
    operations,
    people,
    reports,
    responses,
    steps,
)


def register(app: Flask, csrf: CSRFProtect) -> None:
    """Puts every page into the app."""
    for module in (
        accounts,
        people,
        competencies,
        cycles,
        steps,
        nominations,
        responses,
        reports,
        operations,
        comments,
        audit,
    ):
        app.register_blueprint(module.pages)
    # A rater whose browser lost its session must get the form back with every answer kept, so this one page
    # looks at the token itself, as a part of its form.
    csrf.exempt(responses.answer)
    errors.register(app)
