"""Every command says on which installation it works, and none takes one silently."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from survey.cli import commands, instances
from tests.cli.typed import survey

WITHOUT = {("pages", "check")}
"""Commands that need no installation."""


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize("path", [path for path, _ in _commands(commands.survey) if path not in WITHOUT])
def test_every_command_takes_an_installation_by_name(path):
    command = dict(_commands(commands.survey))[path]
    assert "--instance" in [name for option in command.params for name in option.opts]


@pytest.fixture
def folders(environ, tmp_path, monkeypatch) -> tuple[Path, Path]:
    """An installation in ./instance, and one elsewhere; no settings in the environment."""
    made = []
    for name in ("here/instance", "elsewhere"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "database").mkdir()
        (folder / instances.MARKER).write_text("production\n")
        own = environ | {
            "SURVEY_DATABASE_URL": f"sqlite:///{folder / 'database' / 'feedback.sqlite'}",
            "SURVEY_KEY_DIRECTORY": str(folder / "keys"),
        }
        (folder / instances.SETTINGS).write_text(json.dumps(own))
        made.append(folder)
    monkeypatch.chdir(tmp_path / "here")
    return made[0], made[1]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("where", ["before", "after", "environment"])
def test_what_is_named_is_taken_and_said(folders, where):
    here, elsewhere = folders
    words = {
        "before": ("--instance", str(elsewhere), "db", "upgrade"),
        "after": ("db", "upgrade", "--instance", str(elsewhere)),
        "environment": ("db", "upgrade"),
    }
    said = survey(*words[where], environ={"SURVEY_INSTANCE": str(elsewhere)} if where == "environment" else {})
    assert said.returncode == 0, said.stderr
    assert str(elsewhere) in said.stderr
    assert (elsewhere / "database" / "feedback.sqlite").exists()
    assert not (here / "database" / "feedback.sqlite").exists()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_folder_instance_is_named_too(folders):
    here, _ = folders
    assert str(here) in survey("db", "upgrade", environ={}).stderr


def test_where_there_is_no_installation_a_command_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = survey("db", "upgrade", environ={})
    assert said.returncode == 2
    assert "There is no installation here" in said.stderr
    assert "--instance DIR" in said.stderr
    assert "holds no installation" in survey("cycle", "list", "--instance", "nowhere", environ={}).stderr
