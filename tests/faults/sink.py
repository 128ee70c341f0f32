"""A mail server that keeps what it is given, and can be told to misbehave."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime

from aiosmtpd.controller import Controller

from tests import servers

LINK = re.compile(r"/r/([A-Za-z0-9_-]{20,})")
ROUND = re.compile(r"\bRound \d+\b")


@dataclass(frozen=True)
class Received:
    """One mail that the server said 250 to, or meant to."""

    address: str
    message_id: str
    token: str
    rounds: frozenset[str]
    is_reminder: bool
    composed_at: float
    at: float


class Sink:
    """`mode` is what it does to the next mails: take, delay (4xx), drop (take it and hang up unsaid), hang."""

    def __init__(self) -> None:
        self.port = servers.free_port()
        self.mode = "take"
        self.refused: set[str] = set()  # addresses that get a 5xx
        self.drops = 0
        self._received: list[Received] = []
        self._lock = threading.Lock()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    def received(self) -> list[Received]:
        """What came so far, in order."""
        with self._lock:
            return list(self._received)

    def duplicates(self) -> Counter[str]:
        """Message-IDs that came more than once, and how many times more."""
        times = Counter(mail.message_id for mail in self.received())
        return Counter({message_id: number - 1 for message_id, number in times.items() if number > 1})

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's name
        if address in self.refused:
            return "550 There is nobody of that name"
        if self.mode == "delay":
            return "451 Not now"
        while self.mode == "hang":
            await asyncio.sleep(0.05)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        message = message_from_bytes(envelope.content, policy=policy.default)
        body = message.get_body(("plain",)).get_content()
        found = LINK.search(body)
        with self._lock:
            self._received.append(
                Received(
                    envelope.rcpt_tos[0],
                    str(message["Message-ID"]),
                    found.group(1) if found else "",
                    frozenset(ROUND.findall(body)),
                    "List-Unsubscribe" in message,
                    parsedate_to_datetime(message["Date"]).timestamp(),
                    time.time(),
                )
            )
        if self.mode == "drop":
            self.drops += 1
            server.transport.abort()
        return "250 OK"
