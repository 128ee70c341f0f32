"""The `survey` command on real input: what it prints, and one sentence with exit code 2 where it cannot."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests import commands
from tests.commands import survey

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "survey" / "samples" / "product-stability-level-3.txt"


def test_the_real_page_is_read_whole():
    result = commands.from_nothing("pages", "check", str(PAGE), "--json")
    assert result.returncode == 0
    page = json.loads(result.stdout)
    assert list(page) == ["competency", "level", "intro", "sections", "closing", "unknown_sections", "problems"]
    sections = page["sections"]
    assert {name: len(items) for name, items in sections.items() if name != "mindset_shift"} == {
        "key_behaviors": 5,
        "common_struggles": 3,
        "success_indicators": 4,
        "questions_to_ask_yourself": 3,
        "build_these_habits": 3,
        "seek_feedback": 3,
        "signals_ready_to_level_up": 3,
        "focus_summary": 3,
    }
    assert sections["mindset_shift"] == {
        "from": "I reduce risk through my work.",
        "to": "I help our systems, teams, and practices become more resilient.",
    }
    assert sections["build_these_habits"][0] == "Lead discussions about stability debt or operational risk"
    assert sections["seek_feedback"][1] == "Where do we feel least confident in our reliability?"
    assert (page["competency"], page["level"], page["problems"]) == (None, 3, [])


def test_the_competency_may_be_named_on_the_command_line():
    result = survey("pages", "check", str(PAGE), "--json", "--competency", "Product Stability")
    assert json.loads(result.stdout)["competency"] == "Product Stability"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Line 1: The page is empty"),
        (b"\x00\x01\x02\xff", "Line 1"),
        (b"Success Indicators\n- One thing\n", "Seek Feedback"),
        (b"Seek Feedback\n- What now?\n", "Success Indicators"),
        (b"x" * (256 * 1024 + 1), "256"),
    ],
)
def test_what_is_no_page_is_refused_with_line_and_reason(tmp_path, content, reason):
    path = tmp_path / "page.txt"
    path.write_bytes(content)
    result = survey("pages", "check", str(path))
    assert (result.returncode, result.stdout) == (2, "")
    assert reason in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [("pages", "check", "/nowhere/page.txt"), ("cycle", "list"), ("admin", "create", "x"), ("fly",)]
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_2(arguments, tmp_path):
    result = survey(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.strip()
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_keys_that_others_can_read_stop_every_command_but_the_audit_which_reports_them(environ):
    keys = Path(environ["SURVEY_KEY_DIRECTORY"])
    keys.mkdir(mode=0o700)
    (keys / "left-over.key").write_bytes(os.urandom(32))
    (keys / "left-over.key").chmod(0o644)
    refused = survey("cycle", "list", environ=environ)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == f"{keys / 'left-over.key'} can be read by others: set its rights to 0600.\n"
    audited = survey("audit", "anonymity", environ=environ)
    assert audited.returncode == 1
    assert "1 file with rights beyond 0600" in audited.stdout


# It makes its own database, on SQLite.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_operator_sets_up_a_database_and_the_first_administrator(environ, tmp_path):
    (tmp_path / "database").mkdir()
    environ["SURVEY_DATABASE_URL"] = f"sqlite:///{tmp_path / 'database' / 'new.sqlite'}"
    early = survey("cycle", "list", environ=environ)
    assert (early.returncode, early.stderr.strip()) == (
        2,
        "The database does not answer, or has no tables yet: run `survey db upgrade` first.",
    )
    assert survey("db", "upgrade", environ=environ).returncode == 0
    assert survey("db", "upgrade", environ=environ).returncode == 0
    created = survey("admin", "create", "Boss@Company.test", environ=environ)
    assert "boss@company.test is people operations" in created.stdout
    bad = survey("admin", "create", "not an address", environ=environ)
    assert (bad.returncode, bad.stdout) == (2, "")
    imported = survey("pages", "import", str(PAGE), "--competency", "Product Stability", environ=environ)
    assert "Product Stability, level 3 is ready" in imported.stdout
    assert "There is no round yet." in survey("cycle", "list", environ=environ).stdout


def test_rounds_and_reports_are_shown_without_private_reflections(company, environ):
    cycle_id, review_id = company.run()
    listed = survey("cycle", "list", environ=environ).stdout
    assert str(cycle_id) in listed
    assert "10 of 10 answered" in listed
    text = survey("report", "show", str(review_id), environ=environ).stdout
    assert "Peers 4.0" in text
    assert "What ana wrote." in text
    assert "What sam wrote." not in text
    plain = json.loads(survey("report", "show", str(review_id), "--format", "json", environ=environ).stdout)
    assert plain["subject"] == "Sam Rivera"
    assert "What sam wrote." not in json.dumps(plain)
    missing = survey("report", "show", str(cycle_id), environ=environ)
    assert missing.returncode == 2


def test_a_report_goes_into_a_file_as_a_document(company, environ, tmp_path):
    _, review_id = company.run()
    show = ("report", "show", str(review_id), "--format", "pdf")
    file = tmp_path / "report.pdf"
    assert f"{file} is written." in survey(*show, "--output", str(file), environ=environ).stdout
    assert file.read_bytes().startswith(b"%PDF")
    for wrong in (show, (*show[:3], "--output", str(file)), (*show, "--output", "/nowhere/report.pdf")):
        refused = survey(*wrong, environ=environ)
        assert refused.returncode == 2
        assert len(refused.stderr.strip().splitlines()) == 1
