"""The `survey` command and the servers, in processes of their own, without loading the program anew each time.

A process that has loaded the program and done nothing else with it is copied for each of them, as it would be for a
web server's workers. What they are given and what comes of it is as for a process that starts from nothing: their
arguments, their settings, their folder, both of their outputs and their exit code.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 300  # seconds, for a machine that has a lot to do
PROGRAM = [sys.executable, "-c", "from survey.app import command_line; command_line()"]

_LOADED = multiprocessing.get_context("forkserver")
_LOADED.set_forkserver_preload(["survey.app"])


def survey(
    *arguments: str, environ: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """What the command said, and its exit code. Raises subprocess.TimeoutExpired if it does not end."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = (Path(folder) / "out", Path(folder) / "err")
        process = _LOADED.Process(target=_command, args=(arguments, settings(environ), cwd, outputs))
        process.start()
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(["survey", *arguments], PATIENCE)
        out, err = (output.read_text(encoding="utf-8") for output in outputs)
        return subprocess.CompletedProcess(["survey", *arguments], process.exitcode, out, err)


def from_nothing(
    *arguments: str, environ: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """The same from a new interpreter, as an operator starts it."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=settings(environ),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def server(
    module: str, *arguments: str, environ: Mapping[str, str] | None, log: Path, is_readable: bool = False
) -> BaseProcess:
    """Starts what `python -m` would, as the leader of a group of processes; all it says goes to the log.

    With `is_readable` it does not keep its memory from other processes of this user.
    """
    process = _LOADED.Process(target=_serve, args=(module, arguments, settings(environ), log, is_readable))
    process.start()
    return process


def settings(environ: Mapping[str, str] | None) -> dict[str, str]:
    """The environment of a process of the program: this one's, but no settings other than these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SURVEY_")}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | dict(environ or {})


def _command(arguments: tuple[str, ...], environ: dict[str, str], cwd: Path, outputs: tuple[Path, Path]) -> None:
    _become(("survey", *arguments), environ, cwd, outputs)
    from survey.app import command_line

    command_line()


def _serve(module: str, arguments: tuple[str, ...], environ: dict[str, str], log: Path, is_readable: bool) -> None:
    os.setsid()
    if is_readable:
        from survey.cli import memory

        memory.keep_to_this_process = lambda: None
    _become((module, *arguments), environ, ROOT, (log, log))
    sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _become(argv: tuple[str, ...], environ: dict[str, str], cwd: Path, outputs: tuple[Path, Path]) -> None:
    for number, output in enumerate(outputs, start=1):
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(cwd)
    sys.argv = list(argv)
