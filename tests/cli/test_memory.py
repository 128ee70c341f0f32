"""A process of the web server sees by itself that a round was counted, and keeps its memory to itself."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from survey import context
from survey.cli import memory
from survey.services import cycles
from tests.installations import wait_until

PATIENCE = 180


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(memory, "EVERY", 0.02)


def test_a_process_is_replaced_when_a_round_was_counted_and_not_before(company):
    counted, answered = company.open()[0], company.open()[0]
    with watched(company.app) as asked:
        company.answer(next(iter(company.tokens().values())))
        company.close(counted)
        assert not asked.wait(0.3)
        company.count()
        assert asked.wait(PATIENCE)
    with context.reading() as session:
        assert cycles.destroyed(session) == {counted}
        assert cycles.get(session, answered).phase == "open"


def test_a_new_process_is_not_replaced_for_what_was_counted_before_it(company):
    company.run()
    with watched(company.app) as asked:
        assert not asked.wait(0.3)


def test_a_cancelled_round_counts_too(company):
    cycle_id, _ = company.open()
    with watched(company.app) as asked:
        with context.transaction() as session:
            cycles.cancel(session, cycle_id, actor_id=company.ids["marta"], now=context.now())
        company.count()
        assert asked.wait(PATIENCE)


def test_a_process_that_could_not_look_at_first_is_replaced_as_soon_as_it_can(company, monkeypatch):
    looks, real = iter([_fails, _fails]), cycles.destroyed

    def look(session):
        return next(looks, real)(session)

    monkeypatch.setattr(cycles, "destroyed", look)
    with watched(company.app) as asked:
        assert asked.wait(PATIENCE)


def test_a_database_that_does_not_answer_is_asked_again(company, monkeypatch):
    with watched(company.app) as asked:
        with monkeypatch.context() as patched:
            patched.setattr(cycles, "destroyed", _fails)
            assert not asked.wait(0.3)
        company.run()
        assert asked.wait(PATIENCE)


def test_no_process_lives_longer_than_an_hour(company, monkeypatch):
    monkeypatch.setattr(memory, "LONGEST", 0.0)
    with watched(company.app) as asked:
        assert asked.wait(PATIENCE)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process say so")
def test_no_core_dump_and_no_other_process_reads_it():
    look = (
        "import ctypes, resource\nfrom survey.cli import memory\nmemory.keep_to_this_process()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert found.stdout == "(0, 0) 0\n"


def _fails(session):
    raise ConnectionError


@contextmanager
def watched(app) -> Iterator[threading.Event]:
    """Watches as a process of the web server does; the event says that it asked for its replacement."""
    asked, looked, is_over = threading.Event(), threading.Event(), threading.Event()
    look = memory._counted

    def noted(about):
        found = look(about)
        looked.set()
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(memory, "_counted", noted)
        memory.watch(app, asked.set, lambda: not is_over.is_set())
        assert looked.wait(PATIENCE)
        patched.setattr(memory, "_counted", look)
    try:
        yield asked
    finally:
        is_over.set()
        wait_until(lambda: "memory" not in {thread.name for thread in threading.enumerate()}, PATIENCE, "its end")
