"""Ends a group of processes when the process that started them is gone, however it went.

It is run as a program, in a process group that the others join, with a pipe as its standard input whose other
end only the starter holds. The kernel closes that end even after a `kill -9`, on every Unix.
"""

from __future__ import annotations

import os
import signal
import sys
import time

SECONDS = 3.0


def stand() -> None:
    """Wait for the starter's end, then end the whole group: politely, and after three seconds by force."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGTERM)
    time.sleep(SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    stand()
