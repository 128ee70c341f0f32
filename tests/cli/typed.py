"""What an operator types, run in this process: a new one for each command takes seconds to load."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from click.testing import CliRunner
from flask import Flask

import config as settings
from survey import app as wiring
from survey import context
from survey.cli import commands
from survey.core.errors import SurveyError


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


def survey(
    *arguments: str,
    environ: Mapping[str, str],
    answer: str | None = None,
    clock: Callable[[], datetime] | None = None,
) -> Said:
    """Runs the command with these settings, at this time; its connections are closed afterwards."""
    made: list[Flask] = []

    def make(environ: Mapping[str, str], *, is_audit: bool = False) -> Flask:
        try:
            made.append(wiring.create_app(settings.load(environ), clock=clock, is_audit=is_audit, is_command=True))
        except settings.BadConfig as error:
            raise SurveyError(str(error)) from None
        return made[-1]

    # What steers the tests themselves is no setting of an installation.
    others = {name: None for name in os.environ if name.startswith("SURVEY_")}
    result = CliRunner(env=others | dict(environ)).invoke(
        commands.survey, arguments, obj=make, input=answer, standalone_mode=False
    )
    for app in made:
        app.extensions[context.EXTENSION].engine.dispose()
    error = result.exception
    if isinstance(error, SurveyError):
        return Said(commands.BAD, result.stdout, str(error))
    if error is not None and not isinstance(error, SystemExit):
        if type(error).__name__ == "Abort":
            return Said(130, result.stdout, "")
        raise error
    code = result.return_value
    return Said(code if isinstance(code, int) else 0, result.stdout, result.stderr)
