"""Metrics as Prometheus reads them: the work that waits, and of the process what tells nothing about requests."""

from __future__ import annotations

import os
import sys
import time

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from survey.core.operations import Work

CONTENT_TYPE = CONTENT_TYPE_LATEST
STEP = 16 * 1024 * 1024
"""Memory is told in steps so large that one request does not show."""

_STARTED = time.time()

_WORK = {
    "mails_due": "Mails that have been due for a minute and are not out",
    "mails_failed": "Mails that were refused, or tried too often",
    "late_seconds": "For how long the oldest mail has been due that is not to a rater",
    "rounds_open": "Rounds that are open",
    "rounds_unmailed": "Rounds whose planned mail has been due for ten minutes and was not begun",
    "reviews_uncounted": "Reviews of closed rounds that wait to be counted",
    "reviews_objected": "Reviews that wait for people operations because the auditor objected",
    "rounds_locked": "Closed rounds that wait for their passphrase",
}


def text(work: Work) -> bytes:
    """The metrics page. No label, no counter of requests, no processor time (docs/decisions/0023)."""
    registry = CollectorRegistry()
    for name, meaning in _WORK.items():
        Gauge(f"survey_{name}", meaning, registry=registry).set(getattr(work, name))
    Gauge("survey_process_start_time_seconds", "When this process began", registry=registry).set(_STARTED)
    Gauge("survey_process_memory_bytes", "Memory of this process, in steps of 16 MiB", registry=registry).set(_memory())
    return generate_latest(registry)


def _memory() -> int:
    """What the process has in memory, rounded up; 0 where the system does not say (it is Linux that does)."""
    if not sys.platform.startswith("linux"):
        return 0
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[1])
    return -(-pages * os.sysconf("SC_PAGE_SIZE") // STEP) * STEP
