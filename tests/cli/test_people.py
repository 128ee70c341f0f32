"""`survey people import`: a preview first, and what is written only with a yes."""

from __future__ import annotations

from survey import context
from survey.store.people import Person
from tests.commands import survey


def test_nothing_is_written_without_a_yes(company, environ, tmp_path):
    file = tmp_path / "people.csv"
    file.write_text("Name,Address,Team\nZoë,zoe@company.test,Search\nSam Rivera,sam@company.test,Search\n")
    looked = survey("people", "import", str(file), environ=environ)
    assert looked.returncode == 0, looked.stderr
    assert looked.stdout.splitlines() == [
        "+ Zoë <zoe@company.test>",
        "~ Sam Rivera <sam@company.test>: Team – → Search",
        "1 added, 1 changed, 0 deactivated, 0 as before.",
        "Nothing was written. Add --yes to write it.",
    ]
    assert _team(company) == ""
    assert survey("people", "import", str(file), "--yes", environ=environ).stdout.endswith("Written.\n")
    assert _team(company) == "Search"
    assert survey("people", "import", str(file), "--yes", environ=environ).stdout.endswith(
        "Everything was so already.\n"
    )


def test_bad_lines_are_printed_and_end_with_2(company, environ, tmp_path):
    file = tmp_path / "people.csv"
    file.write_bytes(b"Name,Address\n=x,zoe@company.test\n")
    bad = survey("people", "import", str(file), "--yes", environ=environ)
    assert bad.returncode == 2
    assert bad.stdout.startswith("Line 2: The name begins with")
    assert bad.stderr == f"{file}: nothing was written, because of one problem.\n"
    for content in (b"", b"PK\x03\x04", b"nonsense"):
        file.write_bytes(content)
        bad = survey("people", "import", str(file), environ=environ)
        assert (bad.returncode, bad.stdout, len(bad.stderr.splitlines())) == (2, "", 1)
    assert survey("people", "import", str(tmp_path / "none.csv"), environ=environ).returncode == 2


def test_deactivating_many_needs_the_number(company, environ, tmp_path):
    file = tmp_path / "people.csv"
    file.write_text("Address\nmarta@company.test\n")
    command = ("people", "import", str(file), "--everybody", "--yes")
    refused = survey(*command, environ=environ)
    assert refused.returncode == 2
    assert "deactivates 11 of 13 people" in refused.stderr
    assert company.person("sam").is_active
    assert survey(*command, "--deactivate", "11", environ=environ).returncode == 0
    assert not company.person("sam").is_active


def _team(company):
    with context.reading() as session:
        return session.get(Person, company.ids["sam"]).team
