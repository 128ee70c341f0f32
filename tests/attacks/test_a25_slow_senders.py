"""A25: eight and 500 requests that do not go on keep nobody from being answered, in `serve` and in the container."""

from __future__ import annotations

import subprocess

import pytest

from survey.cli import machine
from tests import commands, installations, servers
from tests.attacks import slow
from tests.benchmarks import crowds

pytestmark = pytest.mark.processes


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("shipped", ["serve", "container"])
def test_others_are_answered_while_500_do_not_go_on(shipped, environ, tmp_path, capsys):
    port = servers.free_port()
    words = _served(port, tmp_path) if shipped == "serve" else _contained(port)
    settings = commands.settings(environ | {"SURVEY_BASE_URL": f"http://127.0.0.1:{port}"})
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(words, env=settings, cwd=tmp_path, stdout=log, stderr=log)
    try:
        installations.wait_until(lambda: crowds._answers(port), 180, "the web server")
        for kind, begun in slow.KINDS.items():
            for count in (8, 500):
                with slow.senders(port, count, begun) as lines:
                    seconds = slow.answered(port, 20)
                    left = slow.still_open(lines)
                with capsys.disabled():
                    print(f"\n{shipped}, {count} × {kind}: {max(seconds):.3f} s at most, {left} still there", end="")
                # Nobody waited until the server had lost its patience with them.
                assert left == count or max(seconds) < 1, kind
    finally:
        server.terminate()
        server.wait(60)


def _served(port: int, folder) -> tuple[str, ...]:
    prepared = machine.prepare(folder / "instance", mode="testing", port=port)
    return next(each.command for each in prepared.services if each.name == "web server")


def _contained(port: int) -> list[str]:
    words = crowds.command()
    words[3:3] = ["--bind", f"127.0.0.1:{port}"]
    return words
