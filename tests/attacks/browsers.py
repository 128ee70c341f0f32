"""A browser without a window: keeps cookies, follows redirects, sends forms. For rounds on real servers."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from urllib.parse import urlencode

from tests.company import csrf, hidden, radios


@dataclass(frozen=True)
class Page:
    """What a server answered in the end."""

    status: int
    address: str
    text: str


@dataclass
class Browser:
    """Of one person, on one installation."""

    base_url: str
    cookies: CookieJar = field(default_factory=CookieJar)

    def get(self, path: str) -> Page:
        return self._open(urllib.request.Request(self.base_url + path))

    def post(self, path: str, values: Mapping[str, str]) -> Page:
        return self._open(urllib.request.Request(self.base_url + path, urlencode(values).encode()))

    def press(self, path: str, values: Mapping[str, str] | None = None) -> Page:
        """Opens a page and sends its form, with these values."""
        return self.post(path, {"csrf_token": csrf(self.get(path).text)} | dict(values or {}))

    def cookie(self, name: str) -> str:
        """The value of a cookie, or nothing."""
        return next((cookie.value or "" for cookie in self.cookies if cookie.name == name), "")

    def _open(self, request: urllib.request.Request) -> Page:
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        try:
            with opener.open(request, timeout=180) as answer:
                return Page(answer.status, answer.geturl(), answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Page(error.code, error.geturl(), error.read().decode())


def filled_in(page: str, rating: int, words: str) -> dict[str, str]:
    """The form of a questionnaire with this rating wherever there is one, and these words in every open answer."""
    form = {"csrf_token": csrf(page), "fingerprint": hidden(page, "fingerprint")}
    form |= {name: values[min(rating, len(values) - 1) - 1] for name, values in radios(page).items()}
    return form | dict.fromkeys(re.findall(r'<textarea[^>]*name="([^"]+)"', page), words)
