"""The pages: each parses a request, calls one use case, and shows what came back."""

from __future__ import annotations

from flask import Flask
from flask_wtf import CSRFProtect

from survey.web import (
    accounts,
    competencies,
    cycles,
    errors,
    mailings,
    nominations,
    operations,
    people,
    reports,
    responses,
    steps,
)


def register(app: Flask, csrf: CSRFProtect) -> None:
    """Puts every page into the app."""
    parts = (accounts, people, competencies, cycles, steps, nominations, responses, reports, operations, mailings)
    for module in parts:
        app.register_blueprint(module.pages)
    # A rater whose browser lost its session must get the form back with every answer kept, so this one page
    # looks at the token itself, as a part of its form.
    csrf.exempt(responses.answer)
    # A mail program presses this button; it knows no page of ours.
    csrf.exempt(mailings.stop)
    errors.register(app)
