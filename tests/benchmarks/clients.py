"""Raters over HTTP: each with a connection, cookies and a link of their own, as a browser has them.

The client is small so that it leaves the processors to the server; how much of them it takes is part of every result.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from survey.core.questionnaires import Questionnaire
from survey.core.responses import Answers

PATIENCE = 300.0
"""Seconds that a rater waits for an answer."""
_CSRF = re.compile(rb'name="csrf_token"[^>]*value="([^"]+)"')
_FINGERPRINT = re.compile(rb'name="fingerprint"[^>]*value="([^"]+)"')


class Failed(Exception):
    """An answer that no rater should get."""


@dataclass
class Reply:
    """What the server said."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> str:
        return next((value.decode() for key, value in self.headers if key == name), "")


@dataclass
class Browser:
    """One connection, opened when it is needed, and a jar of cookies. `times` has the seconds of every request.

    `place` is the address of loopback that it comes from: some pages are limited for each.
    """

    port: int
    place: str = "127.0.0.1"
    times: list[float] = field(default_factory=list)
    cookies: dict[str, str] = field(default_factory=dict)
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> Reply:
        return await self._send("GET", path, b"")

    async def post(self, path: str, fields: Sequence[tuple[str, str]]) -> Reply:
        return await self._send("POST", path, urlencode(fields).encode())

    def move(self, port: int) -> None:
        """Goes to another server with its cookies."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
        self.port = port

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _send(self, method: str, path: str, body: bytes) -> Reply:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nCookie: {cookies}\r\n"
        if method == "POST":
            head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        started = time.perf_counter()
        async with asyncio.timeout(PATIENCE):
            is_kept = self._streams is not None
            try:
                reply = await self._exchange(head.encode() + b"\r\n" + body)
            except (ConnectionError, asyncio.IncompleteReadError):
                # A server may close a connection that has rested; a browser then opens another one.
                if not is_kept:
                    raise
                await self.close()
                reply = await self._exchange(head.encode() + b"\r\n" + body)
        self.times.append(time.perf_counter() - started)
        for name, value in reply.headers:
            if name == b"set-cookie":
                key, _, kept = value.decode().partition(";")[0].partition("=")
                self.cookies[key] = kept
        return reply

    async def _exchange(self, request: bytes) -> Reply:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(self.place, 0))
        reader, writer = self._streams
        writer.write(request)
        lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines[1:-2])]
        size = int(next((value for name, value in headers if name == b"content-length"), b"0"))
        body = await reader.readexactly(size)
        if (b"connection", b"close") in headers:
            await self.close()
        return Reply(int(lines[0].split()[1]), headers, body)


@dataclass
class Rater:
    """Somebody with a link to one form; `sent` has the answers once the thanks have been read."""

    token: str
    invitation: uuid.UUID
    questionnaire: Questionnaire
    browser: Browser
    sent: Answers | None = None
    error: str = ""
    """What went wrong, if something did."""

    async def enter(self) -> None:
        """Follows the link and presses Start."""
        start = expect(await self.browser.get(f"/r/{self.token}"), 200)
        expect(await self.browser.post(f"/r/{self.token}", [("csrf_token", _found(_CSRF, start))]), 303)

    async def read(self) -> Reply:
        """The page with the form."""
        return expect(await self.browser.get(f"/feedback/{self.invitation}"), 200)

    async def answer(self, answers: Answers) -> None:
        """Reads the page, fills it in, sends it, and reads the thanks."""
        page = await self.read()
        moved = expect(await self.browser.post(f"/feedback/{self.invitation}", self.fields(page, answers)), 303)
        thanks = expect(await self.browser.get(moved.header(b"location")), 200)
        if b"Thank you" not in thanks.body:
            raise Failed("no thanks")
        self.sent = answers

    def fields(self, page: Reply, answers: Answers, *, action: str = "submit") -> list[tuple[str, str]]:
        """What this page sends when it is filled in so."""
        fields = [("csrf_token", _found(_CSRF, page)), ("fingerprint", _found(_FINGERPRINT, page))]
        fields += [(key, "none" if rating is None else str(rating)) for key, rating in answers.ratings.items()]
        return [*fields, *answers.comments.items(), ("action", action)]

    async def do(self, work: Awaitable[object]) -> None:
        """Does this, and keeps what went wrong instead of raising it."""
        try:
            await work
        except (Failed, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            self.error = f"{type(error).__name__}: {error}"


def expect(reply: Reply, status: int) -> Reply:
    """The reply. Raises `Failed` if its status is another one."""
    if reply.status != status:
        raise Failed(f"status {reply.status} in place of {status}")
    return reply


def made_up(questionnaire: Questionnaire, dice: random.Random) -> Answers:
    """A complete form: ratings by dice, and words that nobody else writes."""
    word = f"{dice.getrandbits(64):016x}"
    return Answers(
        {
            item.key: None if dice.random() < 0.1 else dice.randint(1, item.scale.points)
            for item in questionnaire.items
            if item.scale is not None
        },
        {
            item.key: f"{word}: what I would say about that. " * 3 + "Ünd so on."
            for item in questionnaire.items
            if item.is_open
        },
    )


@dataclass(frozen=True)
class Spent:
    """What a run took: seconds of the clock, and of them the share that the client was at work on one processor."""

    seconds: float
    client: float


def together(
    work: Callable[[], Awaitable[object]], *, run: Callable[[Coroutine[Any, Any, None]], object] = asyncio.run
) -> Spent:
    """Runs this, and measures it. `run` is that of a loop which lives longer, where connections do."""
    started, worked = time.perf_counter(), time.process_time()
    run(_awaited(work))
    seconds = time.perf_counter() - started
    return Spent(seconds, (time.process_time() - worked) / seconds)


async def _awaited(work: Callable[[], Awaitable[object]]) -> None:
    await work()


def quantiles(times: Sequence[float]) -> tuple[float, float, float]:
    """p50, p95 and p99, in milliseconds."""
    ordered = sorted(times)
    p50, p95, p99 = (1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))] for part in (0.5, 0.95, 0.99))
    return p50, p95, p99


def _found(pattern: re.Pattern[bytes], reply: Reply) -> str:
    match = pattern.search(reply.body)
    if match is None:
        raise Failed("a page without its form")
    return match.group(1).decode()
