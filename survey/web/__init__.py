"""The pages: each parses a request, calls one use case, and shows what came back."""

from __future__ import annotations

from flask import Flask
from flask_wtf import CSRFProtect

from survey.web import (
    accounts,
    audit,
    clocks,
    comments,
    company_accounts,
    competencies,
    custody,
    cycles,
    drafts,
    errors,
    imports,
    instruments,
    mailings,
    nominations,
    objections,
    operations,
    participation,
    people,
    plans,
    previews,
    reports,
    requests,
    responses,
    steps,
    teams,
    vouching,
)


def register(app: Flask, csrf: CSRFProtect, *, redis_url: str) -> None:
    """Puts every page into the app; `redis_url` is where limits are counted."""
    app.request_class = requests.Request
    for module in (
        accounts,
        company_accounts,
        people,
        imports,
        competencies,
        cycles,
        drafts,
        previews,
        steps,
        nominations,
        participation,
        responses,
        reports,
        teams,
        vouching,
        operations,
        comments,
        audit,
        mailings,
        custody,
        objections,
        plans,
        instruments,
        clocks,
    ):
        app.register_blueprint(module.pages)
    # A rater whose browser lost its session must get the form back with every answer kept, so this one page
    # looks at the token itself, as a part of its form.
    csrf.exempt(responses.answer)
    # A mail program presses this button; it knows no page of ours.
    csrf.exempt(mailings.stop)
    errors.register(app)
    accounts.limit(app, redis_url)
