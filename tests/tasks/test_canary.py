"""The canary: silent until a task ran, alive for a while after it, and unharmed by two beats."""

from __future__ import annotations

from click.testing import CliRunner
from flask import current_app

from survey import context
from survey.cli import commands
from survey.services import canary as services
from tasks import canary


def test_the_canary_is_silent_until_a_task_ran(company, clock):
    assert not _is_alive()
    canary.sing()
    assert _is_alive()
    clock.move(seconds=149)
    assert _is_alive()
    clock.move(seconds=1)
    assert not _is_alive()


def test_a_beat_that_is_doubled_does_no_harm(company, clock):
    canary.sing()
    canary.sing()
    with context.reading() as session:
        assert services.last_sang(session) == clock()


def test_operators_are_told_for_how_long_no_task_has_run(company, clock):
    assert str(_command().exception).startswith("No task has run yet")
    canary.sing()
    assert _command().output == "Tasks are being run.\n"
    clock.move(minutes=5)
    assert "for 300 seconds" in str(_command().exception)


def _command():
    return CliRunner().invoke(commands.survey, ["canary"], obj=lambda environ: current_app)


def _is_alive() -> bool:
    with context.reading() as session:
        return services.is_alive(session, now=context.now())
