"""Errors as pages: the sentence of the error, the status that fits, and a way back."""

from __future__ import annotations

import structlog
from flask import Flask, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, SecurityError

from survey import context
from survey.context import SignInNeeded
from survey.core.errors import IllegalStep, LinkClosed, NotAllowed, NotFound, SurveyError
from survey.web import refusals

log = structlog.get_logger()

_STATUS: dict[type[SurveyError], tuple[int, str]] = {
    NotFound: (404, "Not here"),
    NotAllowed: (403, "Not for this account"),
    IllegalStep: (409, "Not now"),
    SurveyError: (400, "That did not work"),
}

_WORDS = {
    400: ("That did not work", "The request could not be read. Please go back and try again."),
    404: ("Not here", "There is no such page."),
    405: ("Not like that", "This address does not answer that kind of request."),
    413: ("Too large", "That is more than fits. Files and texts may have up to {size} MB together."),
    429: (
        "Too many links",
        "Several links were asked for within a few minutes. Look at your mail, also among the unwanted; the newest "
        "link works. Another one can be asked for in ten minutes.",
    ),
    500: ("Our fault", "Something went wrong here. Nothing of what you sent was half-written; please try again."),
}


def register(app: Flask) -> None:
    """Turns every error that a page may raise into a page."""
    app.register_error_handler(SignInNeeded, _sign_in)
    app.register_error_handler(LinkClosed, _closed)
    app.register_error_handler(SurveyError, _rule)
    app.register_error_handler(CSRFError, _stale)
    app.register_error_handler(SecurityError, _elsewhere)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def _sign_in(error: SignInNeeded) -> ResponseReturnValue:
    here = request.full_path if request.method == "GET" else "/"
    form = url_for("accounts.sign_in", next=here.rstrip("?"))
    if refusals.refused() is None:
        return redirect(form, 303)
    message = "You are not signed in any more. Sign in in another tab, come back to this page, and send it again."
    return _words("Please sign in first", message, back_href=form, back_label="Sign in"), 401


def _closed(error: LinkClosed) -> ResponseReturnValue:
    # The token of the form as it came: a new one would begin a session, and tell links apart.
    token = request.form.get("csrf_token", "")
    refused = refusals.refused()
    return render_template("responses/closed.html", message=str(error), refused=refused, csrf_token=token), 410


def _rule(error: SurveyError) -> ResponseReturnValue:
    kind = next(kind for kind in type(error).__mro__ if kind in _STATUS)
    status, title = _STATUS[kind]
    return _page(status, title, str(error))


def _stale(error: CSRFError) -> ResponseReturnValue:
    return _page(
        400,
        "Please send it again",
        "The page was open for too long, you have signed in or out meanwhile, or your browser keeps no cookies of this "
        "site. If nothing of yours is shown here, go back, reload the page and send it again.",
    )


def _elsewhere(error: SecurityError) -> ResponseReturnValue:
    """Asked under a name that is not this site's. Without words of a page: no address in it could be made."""
    return "This site has another address.\n", 400, {"Content-Type": "text/plain; charset=utf-8"}


def _http(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if status in {301, 302, 303, 307, 308}:
        return error
    title, message = _WORDS.get(status, _WORDS[400] if status < 500 else _WORDS[500])
    message = message.format(size=(request.max_content_length or 0) // 1024**2)
    if isinstance(error, MethodNotAllowed):
        return _words(title, message), status, {"Allow": ", ".join(sorted(error.valid_methods or ()))}
    return _page(status, title, message)


def _unexpected(error: Exception) -> ResponseReturnValue:
    log.error("unexpected", error=context.described(error), route=request.endpoint or "")
    return _page(500, *_WORDS[500])


def _page(status: int, title: str, message: str) -> ResponseReturnValue:
    return _words(title, message), status


def _words(title: str, message: str, *, back_href: str = "/", back_label: str = "Start page") -> str:
    """The page of an error, with what was typed into the form that met it."""
    return render_template(
        "errors/error.html",
        title=title,
        message=message,
        refused=refusals.refused(),
        back_href=back_href,
        back_label=back_label,
    )
