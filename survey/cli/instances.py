"""The directory of an instance: one process at a time has it, and the secrets made in it stay in it."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click
from flask import Flask
from sqlalchemy import make_url

from survey.core.errors import SurveyError

MARKER = ".seek-feedback"
HERE = Path("instance")
CHOSEN = "survey.instance"
SETTINGS = "settings.json"
LOGIN = ("SURVEY_SMTP_USERNAME", "SURVEY_SMTP_PASSWORD")
FOLDERS = ("database", "keys", "redis", "beat", "logs", "mailbox")


class AlreadyRunning(SurveyError):
    """Another process holds this instance."""


class NotAnInstance(SurveyError):
    """The directory was made by somebody else, or for another mode; nothing in it was touched."""


def claim(directory: Path, mode: str) -> None:
    """Make the directory and its folders where they are missing, readable by their owner alone.

    Raises NotAnInstance if it holds other things already, or the instance of another mode.
    """
    marker = directory / MARKER
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not marker.exists() and any(directory.iterdir()):
            raise NotAnInstance(f"{directory} holds other files already: name an empty directory.")
        if not marker.exists():
            marker.write_text(f"{mode}\n", encoding="utf-8")
        made_for = marker.read_text(encoding="utf-8").strip()
        if made_for != mode:
            raise NotAnInstance(f"{directory} was made for the mode {made_for}: name another directory for {mode}.")
        for name in FOLDERS:
            (directory / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise NotAnInstance(f"{directory} cannot be used: {error.strerror}.") from error


def fresh(directory: Path) -> None:
    """Delete the instance in `directory`, with all its data; if there is one.

    Raises NotAnInstance for any other directory and for one in production, AlreadyRunning while it runs.
    """
    directory = directory.resolve()
    if not directory.exists():
        return
    marker = directory / MARKER
    if not marker.is_file():
        raise NotAnInstance(f"{directory} is not an instance of Seek Feedback; nothing was deleted.")
    if marker.read_text(encoding="utf-8").strip() == "production":
        raise NotAnInstance(f"{directory} is an instance in production; nothing was deleted.")
    with held(directory):
        shutil.rmtree(directory)


def keep_settings(directory: Path, settings: Mapping[str, str]) -> None:
    """Write down what the instance runs with, for `settings_of`, without the login of the mail server."""
    kept = {name: value for name, value in settings.items() if not name.startswith(LOGIN)}
    _write(directory / SETTINGS, json.dumps(kept, indent=1))


def _choose(ctx: click.Context, option: click.Parameter, value: Path | None) -> None:
    """Remembers what was named, for the whole command line: what was typed goes before the environment."""
    source = ctx.get_parameter_source(option.name or "")
    if value is not None and (source is click.core.ParameterSource.COMMANDLINE or CHOSEN not in ctx.meta):
        ctx.meta[CHOSEN] = value


OPTION = click.option(
    "--instance",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="SURVEY_INSTANCE",
    callback=_choose,
    expose_value=False,
    metavar="DIR",
    help="The folder of the installation, which `survey serve` and `survey demo` make.",
)
"""Says which installation a command works on. Every command that needs one has it, before its name or after it."""


def named() -> Path | None:
    """The folder that the command line or SURVEY_INSTANCE names; None where neither does."""
    ctx = click.get_current_context(silent=True)
    return ctx.meta.get(CHOSEN) if ctx else None


def found() -> Path | None:
    """The folder that this command works on; None where the environment has the settings.

    It is the one that was named, or ./instance where the environment has no settings. Raises NotAnInstance.
    """
    directory = named()
    if directory is not None:
        if not (directory / MARKER).is_file():
            raise NotAnInstance(f"{directory} holds no installation: `survey serve` and `survey demo` make one.")
        return directory
    if any(name.startswith("SURVEY_") for name in os.environ):
        return None
    if not (HERE / MARKER).is_file():
        raise NotAnInstance(
            f"There is no installation here: {HERE.resolve()} is none, and no SURVEY_ variable is set. Name its folder "
            "with --instance DIR, or set the variables that .env.example explains."
        )
    return HERE


def environ() -> Mapping[str, str]:
    """The settings of the folder that was named, or of the environment, or of ./instance. Raises NotAnInstance."""
    directory = found()
    return os.environ if directory is None else settings_of(directory)


def tell(app: Flask) -> None:
    """Says on standard error which installation this command wrote to."""
    directory, config = found(), app.extensions["config"]
    where = str(directory.resolve()) if directory else make_url(config.database_url).render_as_string()
    print(f"Written to the installation {where} ({config.base_url}).", file=sys.stderr)


def settings_of(directory: Path) -> dict[str, str]:
    """Return the `SURVEY_` variables that the instance runs with, or ran with last, for work beside it.

    They lack the login of the mail server: only the running instance sends mail.
    Raises NotAnInstance if it was never started.
    """
    try:
        settings: dict[str, str] = json.loads((directory / SETTINGS).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotAnInstance(f"There is no instance in {directory} that was ever started.") from error
    return settings


@contextmanager
def held(directory: Path) -> Iterator[int]:
    """Keep the instance for this process, and yield the file descriptor that holds it.

    Raises AlreadyRunning, with the number of the process that has it.
    """
    with (directory / "lock").open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise AlreadyRunning(_who_runs(directory, lock.read())) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock.fileno()


def kept_secret(path: Path) -> str:
    """Return the secret in the file: 64 random characters, made the first time, for its owner alone."""
    if not path.exists():
        _write(path, secrets.token_urlsafe(48))
    return path.read_text(encoding="ascii").strip()


def _write(path: Path, text: str) -> None:
    """Make a file for its owner alone; it gets its name when it is complete, so a crash leaves no half."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def _who_runs(directory: Path, process: str) -> str:
    if process.isdecimal() and _is_alive(int(process)):
        return f"{directory} is already running (process {process})."
    return f"{directory} is still stopping: try again in a few seconds."


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
