"""A5 on a running installation: passphrases leave no trace in the database, redis, logs or the directory of keys."""

from __future__ import annotations

import base64
import re
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

import config as settings
from survey import context
from survey.app import create_app
from survey.core.cycles import Phase
from survey.services import cycles, sign_ins
from survey.store.keys import MARK
from tests import installations
from tests.attacks import attackers
from tests.company import Company, csrf

PASSPHRASES = ("canary of the first person", "canary of the second one")
WRONG = "canary that does not open it"


def test_a_round_with_custodians_is_counted_by_workers_and_its_passphrases_are_nowhere(environ, mailbox, tmp_path):
    app = create_app(settings.load(environ))
    keys = Path(environ["SURVEY_KEY_DIRECTORY"])
    with (
        app.app_context(),
        installations.running(environ, tmp_path) as installation,
        _overheard(installation.environ["SURVEY_REDIS_URL"]) as queue,
    ):
        company = Company(app)
        cycle_id, review_id = company.draft()
        browser = _Browser(installation.base_url)
        with context.transaction() as session:
            token = sign_ins.link(session, "marta@company.test", now=context.now(), life=timedelta(minutes=10))
        browser.post(f"/sign-in/{token}")
        first, second = PASSPHRASES
        chosen = {"holder": "two", "first": first, "second": second, "understood": "y"}
        browser.post(f"/rounds/{cycle_id}/custody", first_again=first, second_again=second, **chosen)
        browser.post(f"/rounds/{cycle_id}/custody/test", first=first, second=second)
        browser.post(f"/rounds/{cycle_id}/open")
        installations.wait_until(lambda: len(mailbox.messages) >= 10, installations.PATIENCE, "the invitations")
        link = re.search(r"/r/([\w-]+)", mailbox.to("ana@company.test")[0].get_body(("plain",)).get_content())
        company.answer(link.group(1), words="Something to say.")
        browser.post(f"/rounds/{cycle_id}/close")
        with pytest.raises(urllib.error.HTTPError):
            browser.post(f"/rounds/{cycle_id}/custody/unlock", first=first, second=WRONG)
        assert {file.suffix for file in keys.iterdir() if file.name != MARK} == {".wrapped"}
        browser.post(f"/rounds/{cycle_id}/custody/unlock", first=first, second=second)
        installations.wait_until(lambda: _is_counted(cycle_id), installations.PATIENCE, "the count")
        assert [file.name for file in keys.iterdir()] == [MARK]
        places = attackers.dump(context.installation().engine)
        places |= {log.name: log.read_bytes() for log in installation.logs.iterdir()}
        places["redis"] = _plain(bytes(queue))
        assert str(review_id).encode() in places["redis"]
        assert attackers.read(places, [*PASSPHRASES, WRONG, urllib.parse.quote_plus(first)]).total() == 0
        context.installation().engine.dispose()


def _is_counted(cycle_id) -> bool:
    with context.reading() as session:
        row = cycles.get(session, cycle_id)
        return row.phase == Phase.TALLIED and row.is_key_destroyed


@contextmanager
def _overheard(url: str) -> Iterator[bytearray]:
    """All that is said to redis inside, as it goes over the wire."""
    said = bytearray()
    address = urllib.parse.urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(b"MONITOR\r\n")

        def listen() -> None:
            while part := connection.recv(65_536):
                said.extend(part)

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield said
        finally:
            connection.shutdown(socket.SHUT_RDWR)
            listener.join()


def _plain(said: bytes) -> bytes:
    """What was said, and the bodies of messages decoded as well."""
    bodies = re.findall(rb'body[\\": ]+([A-Za-z0-9+/=]{8,})', said)
    return b"\n".join([said, *(base64.b64decode(body) for body in bodies)])


class _Browser:
    """Fills in the first form of a page and sends it."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def post(self, path: str, **fields: str) -> str:
        with self._opener.open(self._base_url + path, timeout=installations.PATIENCE) as page:
            token = csrf(page.read().decode())
        sent = urllib.parse.urlencode({"csrf_token": token} | fields).encode()
        with self._opener.open(self._base_url + path, sent, timeout=installations.PATIENCE) as answer:
            return answer.read().decode()


@pytest.fixture
def database_url(databases):
    return databases.make("sqlite")
