"""What a person received, as one file: theirs whole, and by an operator without private reflections."""

from __future__ import annotations

import io
import json
from zipfile import ZipFile

from click.testing import CliRunner
from pypdf import PdfReader

from survey import context
from survey.cli.reports import people_export
from survey.core import values
from survey.core.audit import Event
from survey.core.reports import Report
from survey.services import audit, reports
from tests.company import PEERS

PRIVATE = "What sam wrote."


def test_ones_own_reports_come_with_private_reflections_and_as_they_were_stored(company, clock):
    reviews = _two_rounds(company, clock)
    client = company.sign_in("sam")
    assert "/reports/export" in client.get("/reports").text
    answer = client.get("/reports/export")
    assert (answer.content_type, answer.headers["Cache-Control"]) == ("application/zip", "no-store")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="reports.zip"'
    files = _files(answer.data)
    assert sorted(files) == [
        "README.txt",
        "report-2026-03-02-2.json",
        "report-2026-03-02-2.pdf",
        "report-2026-03-12-1.json",
        "report-2026-03-12-1.pdf",
    ]
    for name, review_id in zip(("report-2026-03-12-1", "report-2026-03-02-2"), reversed(reviews), strict=True):
        plain = json.loads(files[f"{name}.json"])
        with context.reading() as session:
            assert values.load(Report, plain["report"]) == reports.read(session, review_id).report
        texts = {comment["text"] for comment in plain["comments"]}
        assert {PRIVATE, "What ana wrote.", "What marta wrote."} <= texts
        assert "Sam Rivera" in PdfReader(io.BytesIO(files[f"{name}.pdf"])).pages[0].extract_text()
    assert "Your private reflections are in it, and your plans;" in files["README.txt"].decode()


def test_it_holds_no_report_about_anybody_else(company):
    company.run()
    for name in ("marta", "ana", "noor"):
        files = _files(company.sign_in(name).get("/reports/export").data)
        assert list(files) == ["README.txt"]
        assert b"There is none yet." in files["README.txt"]


def test_before_the_release_nothing_is_in_it(company):
    cycle_id, _ = company.open()
    company.close(cycle_id)
    company.count()
    assert list(_files(company.sign_in("sam").get("/reports/export").data)) == ["README.txt"]


def test_the_same_reports_make_the_same_file_and_saving_ones_own_is_not_logged(company):
    company.run()
    client = company.sign_in("sam")
    first, again = (_files(client.get("/reports/export").data) for _ in range(2))
    assert {name: body for name, body in first.items() if name.endswith(("json", "txt"))}.items() <= again.items()
    assert _exports() == []


def test_an_operator_gets_them_without_private_reflections_and_into_the_log(company, clock, tmp_path):
    reviews = _two_rounds(company, clock)
    file = tmp_path / "sam.zip"
    done = _command(company, "Sam@Company.test", "--output", str(file))
    assert (done.exit_code, done.stdout.strip()) == (0, f"{file} is written.")
    files = _files(file.read_bytes())
    assert len(files) == 5
    for name, body in files.items():
        said = (
            "".join(page.extract_text() for page in PdfReader(io.BytesIO(body)).pages)
            if "pdf" in name
            else body.decode()
        )
        assert PRIVATE not in said
        assert "README" in name or "What ana wrote." in said
    assert sorted(entry.about for entry in _exports()) == sorted(reviews)
    assert {(entry.actor_id, entry.detail["form"]) for entry in _exports()} == {(None, "zip")}


def test_a_file_that_cannot_be_written_leaves_no_entry_and_a_stranger_is_a_sentence(company, tmp_path):
    company.run()
    lost = _command(company, "sam@company.test", "--output", "/nowhere/sam.zip")
    assert "cannot be written" in str(lost.exception)
    nobody = _command(company, "nobody@company.test", "--output", str(tmp_path / "nobody.zip"))
    assert str(nobody.exception) == "There is nobody at nobody@company.test."
    assert not (tmp_path / "nobody.zip").exists()
    assert _exports() == []


def _two_rounds(company, clock):
    _, first = company.run()
    clock.move(days=10)
    _, second = company.run(company.usual_raters(peers=len(PEERS)))
    return [first, second]


def _files(content: bytes) -> dict[str, bytes]:
    with ZipFile(io.BytesIO(content)) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def _exports():
    with context.reading() as session:
        return audit.newest(session, event=Event.REPORT_EXPORTED)


def _command(company, *arguments):
    return CliRunner().invoke(people_export, arguments, obj=lambda environ: company.app)
