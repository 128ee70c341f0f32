"""`survey people import`: a preview first, and what is written only with a yes."""

from __future__ import annotations

from dataclasses import replace

from survey import context
from survey.services import people
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


def test_the_newest_import_is_undone_with_a_yes(company, environ, tmp_path):
    file = tmp_path / "people.csv"
    file.write_text("Name,Address,Team\nZoë,zoe@company.test,Search\nSam Rivera,sam@company.test,Search\n")
    assert survey("people", "undo", "--yes", environ=environ).returncode == 2
    survey("people", "import", str(file), "--yes", environ=environ)
    looked = survey("people", "undo", environ=environ)
    assert "1 added, 1 changed, 0 deactivated." in looked.stdout
    assert _team(company) == "Search"
    assert survey("people", "undo", "--yes", environ=environ).stdout.endswith("Undone.\n")
    assert _team(company) == ""
    assert survey("people", "undo", "--yes", environ=environ).returncode == 2


def test_an_operator_confirms_a_changed_address_and_no_other(company, environ):
    with context.transaction() as session:
        sam = session.get(Person, company.ids["sam"])
        known = replace(people.profile(session, sam), address="samira@company.test")
        people.change(session, sam.id, known, actor_id=company.ids["noor"], now=context.now())
    done = survey("people", "confirm-address", "samira@company.test", environ=environ)
    assert done.stdout == "Sam Rivera: samira@company.test is confirmed in place of sam@company.test.\n"
    assert survey("people", "confirm-address", "samira@company.test", environ=environ).returncode == 2


def _team(company):
    with context.reading() as session:
        return session.get(Person, company.ids["sam"]).team
