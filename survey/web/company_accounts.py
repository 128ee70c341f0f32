"""Signing in with the company's own account, by OpenID Connect, where one is configured."""

from __future__ import annotations

from typing import Any

import structlog
from authlib.common.errors import AuthlibBaseError
from flask import Blueprint, current_app, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from joserfc.errors import JoseError
from requests import RequestException

from survey import context
from survey.context import public
from survey.core import browsers
from survey.core.errors import NotAllowed, NotFound, SurveyError
from survey.services import sign_ins

pages = Blueprint("company_accounts", __name__, url_prefix="/sign-in/company")

log = structlog.get_logger()

FAILED = (
    "The sign-in with your company account did not work: its server did not answer as it should, or the page was "
    "open for too long. Please try again, or have a link mailed to you."
)


@pages.get("")
@public
def leave() -> ResponseReturnValue:
    """Off to the company's own sign-in page. A link and no form: the policy of our pages lets no form go elsewhere."""
    session["next"] = context.path_on_this_site(request.args.get("next"))
    back = context.installation().base_url + url_for("company_accounts.back")
    try:
        answer: ResponseReturnValue = _provider().authorize_redirect(back)
    except (AuthlibBaseError, JoseError, RequestException, ValueError) as error:
        raise _failed(error) from None
    return answer


@pages.get("/back")
@public
def back() -> ResponseReturnValue:
    """Back from there: whoever the company vouches for is signed in, if people operations entered them."""
    provider = _provider()
    if request.args.get("error") == "access_denied":
        return redirect(url_for("accounts.sign_in"), 303)
    try:
        claims = provider.authorize_access_token().get("userinfo") or {}
    except (AuthlibBaseError, JoseError, RequestException, ValueError, KeyError) as error:
        raise _failed(error) from None
    address = claims.get("email")
    if not isinstance(address, str) or claims.get("email_verified") is not True:
        raise NotAllowed(
            "Your company account names no e-mail address that it has verified. Have a link mailed to you."
        )
    with context.transaction() as rows:
        secret = sign_ins.vouched(
            rows, address, browser=browsers.describe(request.user_agent.string), now=context.now()
        )
    return context.let_in(secret)


def _provider() -> Any:
    provider = current_app.extensions[context.COMPANY_ACCOUNTS]
    if provider is None:
        raise NotFound("There is no such page.")
    return provider


def _failed(error: Exception) -> SurveyError:
    log.warning("company_sign_in_failed", error=context.described(error))
    return SurveyError(FAILED)
