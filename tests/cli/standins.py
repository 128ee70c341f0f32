"""Small programs in the place of the services of a machine, and a program that runs a machine of them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import socket
import sys
from pathlib import Path

from survey.cli import machine
from survey.cli.machine import Machine
from survey.cli.processes import Service
from tests.servers import free_port

LISTENS = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
time.sleep(600)
"""

IGNORES_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + LISTENS

HAS_A_CHILD = (
    """
import subprocess, sys
subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
"""
    + LISTENS
)

FAILS = """
import sys
print("a first line")
print("the queue is on fire", file=sys.stderr)
sys.exit(3)
"""

NEVER_READY = "import time; print('still thinking', flush=True); time.sleep(600)"


SLOW_AND_AT_WORK = (
    """
import time
until = time.monotonic() + 4
while time.monotonic() < until:
    pass
"""
    + LISTENS
)


def service(name: str, program: str, *, seconds: float = 180.0) -> Service:
    """Return a service that counts as ready when it takes connections."""
    port = free_port()
    return Service(
        name=name,
        command=(sys.executable, "-I", "-S", "-c", program, str(port)),
        addresses=(("127.0.0.1", port),),
        is_ready=functools.partial(takes_connections, port),
        seconds=seconds,
    )


def machine_of(directory: Path, *services: Service) -> Machine:
    """Return a demo machine that runs these services instead of its own."""
    prepared = machine.prepare(directory, mode="demo", port=free_port(), mailbox=True)
    return dataclasses.replace(prepared, services=services)


def takes_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def main(directory: str) -> None:
    """Run a machine of three services until it is asked to stop."""
    services = (service("queue", LISTENS), service("worker", HAS_A_CHILD), service("web server", LISTENS))
    # A test may send its signal between the two lines inside.
    with contextlib.suppress(KeyboardInterrupt), machine.running(machine_of(Path(directory), *services)) as running:
        print("ready", flush=True)
        running.wait()
    print("stopped", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
