"""The pages: each parses a request, calls one use case, and shows what came back."""

from __future__ import annotations

from flask import Flask
from flask_wtf import CSRFProtect

from survey.web import (
    accounts,
    company_accounts,
    competencies,
    custody,
    cycles,
    drafts,
    errors,
    instruments,
    nominations,
    objections,
    operations,
    participation,
    people,
    reports,
    responses,
    steps,
    teams,
)


def register(app: Flask, csrf: CSRFProtect, *, redis_url: str) -> None:
    """Puts every page into the app; `redis_url` is where limits are counted."""
    for module in (
        accounts,
        company_accounts,
        people,
        competencies,
        cycles,
        drafts,
        steps,
        nominations,
        participation,
        responses,
        reports,
        teams,
        operations,
    ):
        app.register_blueprint(module.pages)
    for module in (custody, objections, instruments):
        app.register_blueprint(module.pages)
    # A rater whose browser lost its session must get the form back with every answer kept, so this one page
    # looks at the token itself, as a part of its form.
    csrf.exempt(responses.answer)
    errors.register(app)
    accounts.limit(app, redis_url)
