"""What machines ask of the app, and what every response carries."""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from survey import context
from survey.context import public
from survey.core.errors import NotFound
from survey.delivery import gauges
from survey.services import operations
from survey.store import schema
from survey.web import unlogged

pages = Blueprint("operations", __name__)

POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
PLAIN = {"Content-Type": "text/plain; charset=utf-8"}


@pages.get("/livez")
@public
def livez() -> ResponseReturnValue:
    """Whether the process answers at all."""
    return "alive\n", PLAIN


@pages.get("/readyz")
@public
def readyz() -> ResponseReturnValue:
    """Whether the database answers, with the tables of this program. Not redis: people can answer without it."""
    try:
        with context.reading() as session:
            is_current = schema.is_current(session.connection())
    except SQLAlchemyError:
        return "the database does not answer\n", 503, PLAIN
    if not is_current:
        return "the tables are not those of this program\n", 503, PLAIN
    return "ready\n", PLAIN


@pages.get("/metrics")
@public
def metrics() -> ResponseReturnValue:
    """What a monitor may know, for whoever has the token. Nothing in it moves when a rater does something.

    Being on this machine is not enough: everybody is, behind a proxy that forwards from it.
    """
    token = context.installation().metrics_token
    given = request.headers.get("Authorization", "")
    if not token or not hmac.compare_digest(given.encode("utf-8", "replace"), f"Bearer {token}".encode()):
        raise NotFound("There is no such page.")
    with context.reading() as session:
        work = operations.work(session, now=context.now())
    return gauges.text(work), {"Content-Type": gauges.CONTENT_TYPE}


@pages.before_app_request
def refuse_unmarked_pages() -> None:
    """Denied by default: a page that nobody marked with an action, or as public, does not exist."""
    endpoint = request.endpoint
    if endpoint is None or endpoint == "static":
        return
    view = current_app.view_functions[endpoint]
    if not hasattr(view, "action"):
        raise NotFound("There is no such page.")
    if view.action is not None:
        context.signed_in()


@pages.after_app_request
def add_headers(response: Response) -> Response:
    """Headers that every response carries. Nothing that is made for one person is kept by a browser or a proxy."""
    headers = response.headers
    headers["Content-Security-Policy"] = POLICY
    headers["Referrer-Policy"] = unlogged.referrer_policy(request.path)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
    if context.installation().secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    if request.endpoint == "static" and response.status_code < 400:
        headers["Cache-Control"] = "public, max-age=31536000, immutable"
    else:
        headers["Cache-Control"] = "no-store"
    return response
