"""Raters as they are: they follow the link, fill the form, send it, and try again when something goes wrong."""

from __future__ import annotations

import http.client
import random
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.company import csrf, hidden, radios

FORM = re.compile(r"/feedback/([0-9a-f-]{36})")
TEXT = re.compile(r'<textarea[^>]*name="([^"]+)"')


class Trouble(Exception):
    """A page that a person would reload."""


class Closed(Exception):
    """The link opens nothing any more: everything is answered."""


@dataclass
class Log:
    """What raters saw, for whoever checks it afterwards. Times are those of the wall clock."""

    sent: dict[str, float] = field(default_factory=dict)  # invitation, and when the thanks came
    tried: set[str] = field(default_factory=set)
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[tuple[float, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Rater:
    """A browser with one link. Each answer holds the id of its invitation, so that it can be found again."""

    def __init__(self, port: int, token: str, log: Log, seed: str, *, timeout: float = 15) -> None:
        self._port, self._token, self._log, self._timeout = port, token, log, timeout
        self._random = random.Random(seed)
        self._cookies: dict[str, str] = {}

    def answer_all(self, until: Callable[[], bool], *, patience: float = 1.0) -> bool:
        """Answers everything that the link asks, over and over until it is done; False when there was no more time."""
        while not until():
            try:
                self.answer_one()
            except Closed:
                return True
            except (Trouble, OSError, http.client.HTTPException) as error:
                with self._log.lock:
                    self._log.errors.append((time.time(), f"{type(error).__name__} {error}"))
                time.sleep(patience * self._random.uniform(0.5, 1.5))
        return False

    def answer_one(self) -> None:
        """One colleague: link, button, form, thanks. Raises `Closed` where nothing is left to answer."""
        link = f"/r/{self._token}"
        _, page, _ = self._ask("open", "GET", link)
        _, page, place = self._ask("start", "POST", link, {"csrf_token": csrf(page)})
        if not FORM.search(place):
            _, page, _ = self._ask("list", "GET", place)
            place = FORM.search(page).group()  # type: ignore[union-attr]
        invitation = FORM.search(place).group(1)  # type: ignore[union-attr]
        _, page, _ = self._ask("form", "GET", place)
        answers = {name: self._random.choice(points[:-1]) for name, points in radios(page).items()}
        answers |= dict.fromkeys(TEXT.findall(page), f"said in {invitation}")
        answers |= {"csrf_token": csrf(page), "fingerprint": hidden(page, "fingerprint"), "action": "send"}
        with self._log.lock:
            self._log.tried.add(invitation)
        status, page, _ = self._ask("send", "POST", place, answers)
        if status != 303:
            raise Trouble(f"send {status}")
        with self._log.lock:
            self._log.sent[invitation] = time.time()

    def _ask(self, name: str, method: str, path: str, fields: dict[str, str] | None = None) -> tuple[int, str, str]:
        headers = {"Cookie": "; ".join(f"{key}={value}" for key, value in self._cookies.items())}
        if fields is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._timeout)
        try:
            connection.request(method, path, urlencode(fields) if fields is not None else None, headers)
            response = connection.getresponse()
            page = response.read().decode()
        finally:
            connection.close()
        with self._log.lock:
            self._log.seconds[name].append(time.monotonic() - began)
        for cookie in response.headers.get_all("Set-Cookie") or []:
            key, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[key] = value
        if response.status in (404, 410):
            raise Closed
        if response.status >= 400:
            raise Trouble(f"{name} {response.status}")
        return response.status, page, response.headers.get("Location", "")
