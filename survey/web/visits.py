"""What the browser of a rater keeps: the link that was followed, the key of drafts, and which forms it has sent.

Each is a cookie that the installation has locked, with the moment in it until which it opens: an hour after the last
step, or longer where the rater asked to be kept. An older one opens nothing, whoever has copied it. The server keeps
none of this, so there is no clock of a rater.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from flask import Response, current_app, g, request
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from survey import context
from survey.core import codes
from survey.core.errors import CLOSED, LinkClosed

SILENCE = timedelta(hours=1)
"""How long a browser that is not asked to keep a rater remembers them after their last step."""
STAYS = timedelta(days=60)
"""The same for one that is."""
RENEWED = timedelta(minutes=1)
"""How much of that may pass before a step begins it anew."""
SENT_AT_MOST = 30
"""How many forms a browser knows to have sent."""

LINK = "rater"
DRAFTS = "draft"
SENT = "sent"
NAMES = (LINK, DRAFTS, SENT)

GONE = 410

_BARE_LINK = re.compile(r"[\w-]{43}", re.ASCII)


def token() -> str:
    """The secret of the link that this browser followed. Raises `LinkClosed` when there is none, or not any more."""
    kept = held()
    if kept is None:
        raise LinkClosed(CLOSED)
    g.is_visiting = True
    return kept


def held() -> str | None:
    """The same, or None; looking at it prolongs nothing."""
    link = _read(LINK)
    return str(link[0]) if link else None


def draft_secret() -> bytes | None:
    """What opens the drafts of this browser, or None."""
    kept = _read(DRAFTS)
    secret = _decoded(str(kept[0])) if kept else b""
    return secret if len(secret) == codes.SECRET_SIZE else None


def is_kept() -> bool:
    """Whether the rater asked this browser to keep them."""
    link = _read(LINK)
    return bool(link and link[1])


def has_sent(form: str) -> bool:
    """Whether this very form was sent from this browser, and taken."""
    return _digest(form) in (_read(SENT) or [])


def follow(link: str, *, is_same_rater: bool) -> None:
    """From now on this browser has this link; what it kept for somebody else is forgotten."""
    stays = is_same_rater and is_kept()
    if not is_same_rater:
        forget()
    _write(LINK, [link, stays])


def stay() -> None:
    """Keeps the rater in this browser until they leave, or for `STAYS` without a step."""
    _write(LINK, [token(), True])
    for name in (DRAFTS, SENT):
        _write(name, _read(name))


def keep_secret(secret: bytes) -> None:
    """This browser opens its drafts with that secret from now on."""
    _write(DRAFTS, [base64.urlsafe_b64encode(secret).decode()])


def note_sent(form: str) -> None:
    """Remembers that this form was sent, and nothing of what was in it."""
    _write(SENT, [*(_read(SENT) or []), _digest(form)][-SENT_AT_MOST:])


def end() -> None:
    """Forgets the link and the key of drafts: nobody waits any more."""
    _write(LINK, None)
    _write(DRAFTS, None)


def forget() -> None:
    """Forgets all that this browser keeps of a rater."""
    end()
    _write(SENT, None)


def set_cookies(response: Response) -> Response:
    """Writes what has changed; where a step was taken, the time begins anew for the rest as well."""
    changed = dict(_changed())
    lasts = STAYS if is_kept() else SILENCE
    if g.get("is_visiting") and response.status_code != GONE:
        changed = _renewed(context.now() + lasts - RENEWED) | changed
    for name, value in changed.items():
        if value:
            response.set_cookie(_cookie(name), _locked(name, value, lasts), max_age=lasts, **_attributes())
        elif _cookie(name) in request.cookies:
            response.delete_cookie(_cookie(name), **_attributes())
    return response


def _renewed(before: datetime) -> dict[str, list[Any] | None]:
    """What this browser keeps that would end before that."""
    found = {name: _unlocked(name) for name in NAMES}
    return {name: value for name, (until, value) in found.items() if value and until < before.timestamp()}


def _changed() -> dict[str, list[Any] | None]:
    if "visit" not in g:
        g.visit = {}
    return cast("dict[str, list[Any] | None]", g.visit)


def _write(name: str, value: list[Any] | None) -> None:
    _changed()[name] = value


def _read(name: str) -> list[Any] | None:
    """What this browser keeps under a name, as this request has left it."""
    if name in _changed():
        return _changed()[name]
    return _unlocked(name)[1]


def _locked(name: str, value: Sequence[Any], lasts: timedelta) -> str:
    until = int((context.now() + lasts).timestamp())
    plain = json.dumps([until, *value], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(SecretBox(_keys(name)[-1]).encrypt(plain)).decode().rstrip("=")


def _unlocked(name: str) -> tuple[float, list[Any] | None]:
    """Until when a cookie of ours opens, and what is in it: nothing, where it is too old or was made elsewhere.

    A link as it stands in a mail is taken too, and locked at the next step: browsers held it so before, and whoever
    has it opens the same with it at any time.
    """
    cookie = request.cookies.get(_cookie(name), "")
    if name == LINK and _BARE_LINK.fullmatch(cookie):
        return 0, [cookie, False]
    locked = _decoded(cookie)
    for key in reversed(_keys(name)):
        try:
            until, *value = json.loads(SecretBox(key).decrypt(locked))
        except (CryptoError, ValueError, TypeError):
            continue
        return until, value if until > context.now().timestamp() else None
    return 0, None


def _keys(name: str) -> list[bytes]:
    """The keys that may have locked this cookie; that of today comes last, as for the tokens of forms."""
    secrets = [*current_app.config["SECRET_KEY_FALLBACKS"], current_app.config["SECRET_KEY"]]
    purpose = f"cookie {name}".encode()
    return [hashlib.blake2b(purpose, key=_short(secret), digest_size=SecretBox.KEY_SIZE).digest() for secret in secrets]


def _short(secret: str | bytes) -> bytes:
    """A secret of any length, as the hash takes it."""
    whole = secret.encode() if isinstance(secret, str) else secret
    return hashlib.sha256(whole).digest()


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""


def _digest(form: str) -> str:
    return hashlib.blake2b(form.encode(), digest_size=12).hexdigest()


def _cookie(name: str) -> str:
    return f"__Host-{name}" if context.installation().secure else name


def _attributes() -> dict[str, Any]:
    return {"path": "/", "secure": context.installation().secure, "httponly": True, "samesite": "Lax"}
