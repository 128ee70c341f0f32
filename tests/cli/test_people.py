"""`survey people import`: a preview first, and what is written only with a yes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from survey import context
from survey.store.people import Person

ROOT = Path(__file__).resolve().parents[2]


def test_nothing_is_written_without_a_yes(company, environ, tmp_path):
    file = tmp_path / "people.csv"
    file.write_text("Name,Address,Team\nZoë,zoe@company.test,Search\nSam Rivera,sam@company.test,Search\n")
    looked = _survey(environ, "people", "import", str(file))
    assert looked.returncode == 0, looked.stderr
    assert looked.stdout.splitlines() == [
        "+ Zoë <zoe@company.test>",
        "~ Sam Rivera <sam@company.test>: Team – → Search",
        "1 added, 1 changed, 0 deactivated, 0 as before.",
        "Nothing was written. Add --yes to write it.",
    ]
    assert _team(company) == ""
    assert _survey(environ, "people", "import", str(file), "--yes").stdout.endswith("Written.\n")
    assert _team(company) == "Search"
    assert _survey(environ, "people", "import", str(file), "--yes").stdout.endswith("Everything was so already.\n")


def test_bad_lines_are_printed_and_end_with_2(company, environ, tmp_path):
    file = tmp_path / "people.csv"
    file.write_bytes(b"Name,Address\n=x,zoe@company.test\n")
    bad = _survey(environ, "people", "import", str(file), "--yes")
    assert bad.returncode == 2
    assert bad.stdout.startswith("Line 2: The name begins with")
    assert bad.stderr == f"{file}: nothing was written, because of one problem.\n"
    for content in (b"", b"PK\x03\x04", b"nonsense"):
        file.write_bytes(content)
        bad = _survey(environ, "people", "import", str(file))
        assert (bad.returncode, bad.stdout, len(bad.stderr.splitlines())) == (2, "", 1)
    assert _survey(environ, "people", "import", str(tmp_path / "none.csv")).returncode == 2


def test_deactivating_many_needs_the_number(company, environ, tmp_path):
    file = tmp_path / "people.csv"
    file.write_text("Address\nmarta@company.test\n")
    command = ("people", "import", str(file), "--everybody", "--yes")
    refused = _survey(environ, *command)
    assert refused.returncode == 2
    assert "deactivates 11 of 13 people" in refused.stderr
    assert company.person("sam").is_active
    assert _survey(environ, *command, "--deactivate", "11").returncode == 0
    assert not company.person("sam").is_active


def _team(company):
    with context.reading() as session:
        return session.get(Person, company.ids["sam"]).team


def _survey(environ, *arguments):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SURVEY_")}
    return subprocess.run(
        [sys.executable, "-c", "from survey.app import command_line; command_line()", *arguments],
        env=kept | {"PYTHONPATH": str(ROOT)} | environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
