"""What a process of the web server keeps in its memory ends with it, soon after a round was counted.

Python gives freed memory back to itself and not to the system, with everything that was said in it: whole answers of
raters lay there for as long as the process lived (docs/decisions/0027).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import resource
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable

import structlog
from flask import Flask

from survey import context
from survey.services import cycles

EVERY = 5.0
"""Seconds between two looks at which rounds were counted, on average."""

LONGEST = 3600.0
"""Seconds that a process lives at most: by then also what came after a count is gone, and what it could not see."""

_PR_SET_DUMPABLE = 4

log = structlog.get_logger()


def keep_to_this_process() -> None:
    """Has no other process of this user read the memory of this one, and no core dump hold it."""
    no_core_dumps()
    # A program that the kernel pipes core dumps to is not bound by that limit, but by this.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def no_core_dumps() -> None:
    """Has a crash of this process, or of one that it starts, leave no copy of its memory on the disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def watch(app: Flask, replace: Callable[[], None], is_alive: Callable[[], bool]) -> None:
    """Begins to look, beside everything else, whether this process is to be replaced, and has it replaced."""
    threading.Thread(target=_watch, args=(app, replace, is_alive), daemon=True, name="memory").start()


def ask_for_replacement(master: int) -> None:
    """Has gunicorn start new processes, and then end the old ones when they have answered what they have begun."""
    with contextlib.suppress(ProcessLookupError):
        if os.getppid() == master:
            os.kill(master, signal.SIGHUP)


def _watch(app: Flask, replace: Callable[[], None], is_alive: Callable[[], bool]) -> None:
    began, known = time.monotonic(), _counted(app)
    while is_alive():
        # Not all at one moment: the first one that sees it has all of them replaced.
        time.sleep(random.uniform(0.5, 1.5) * EVERY)  # noqa: S311 - nobody gains by guessing it
        found = _counted(app)
        is_old = time.monotonic() - began > LONGEST
        # Where the first look failed, a round may have been counted before the second one.
        is_news = found is not None and (known is None or not found <= known)
        if is_alive() and (is_old or is_news):
            replace()


def _counted(app: Flask) -> frozenset[uuid.UUID] | None:
    """The rounds whose key is destroyed; None if the database does not say."""
    try:
        with app.app_context(), context.looking() as session:
            return cycles.destroyed(session)
    except Exception as error:
        log.warning("no_look_at_counts", error=type(error).__name__)
        return None
