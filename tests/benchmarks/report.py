"""How long a report takes: the page at nine behaviors and eight raters, and its files.

Run with `make bench-report`. Prints medians and asserts nothing about them. The page is measured from the request to
the last byte, sign-in and the queries of the report and of plans included, on SQLite; the same template from a value
in memory stands beside it, and how many times as long the whole page takes.
"""

from __future__ import annotations

import secrets
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import config as settings
from survey import context
from survey.app import create_app
from survey.delivery import pdf, sheets
from survey.services import reports
from survey.store import base, schema
from survey.web.reports import shown
from tests import portraits
from tests.company import Company
from tests.conftest import Browser

ROUNDS = 30


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        # Keys are refused in the folder of the database.
        rows = Path(folder) / "rows"
        rows.mkdir()
        url = f"sqlite:///{rows}/survey.sqlite"
        engine = base.connect(url)
        schema.upgrade(engine)
        engine.dispose()
        app = create_app(
            settings.load(
                {
                    "SURVEY_MODE": "testing",
                    "SURVEY_SECRET_KEY": secrets.token_urlsafe(48),
                    "SURVEY_DATABASE_URL": url,
                    "SURVEY_REDIS_URL": "redis://127.0.0.1:1/0",
                    "SURVEY_KEY_DIRECTORY": str(Path(folder) / "keys"),
                    "SURVEY_BASE_URL": "http://localhost",
                    "SURVEY_SMTP_HOST": "127.0.0.1",
                    "SURVEY_MAIL_PACE": "at_once",
                }
            )
        )
        app.test_client_class = Browser
        with app.app_context():
            company = Company(app)
            _, review_id = company.run(company.usual_raters(peers=8))
            client = company.sign_in("sam")
            assert client.get(f"/reports/{review_id}").status_code == 200
            whole = measured("page, request to last byte", lambda: client.get(f"/reports/{review_id}").data)
            with context.reading() as session:
                read = reports.read(session, review_id).copy(is_own=True)
            with app.test_request_context():
                alone = measured("the same page, from a value in memory", lambda: shown(read))
            print(f"{'page over its template, processor':<38}{whole / alone:>8.1f} times")
            edition = portraits.edition("rich", with_earlier=True)
            with app.test_request_context():
                measured("page of the rich case, from memory", lambda: shown(edition))
            measured("PDF of the rich case", lambda: pdf.report(edition))
            measured("XLSX of the rich case", lambda: sheets.xlsx(edition))
            measured("CSV of the rich case", lambda: sheets.csv(edition))
            context.installation().engine.dispose()


def measured(what: str, work: Callable[[], object]) -> float:
    """Prints the first time, which fills caches, and the median after it; of processor time too, for a busy machine.

    Gives the median of processor time, in milliseconds.
    """
    times, busy = [], []
    for _ in range(ROUNDS + 1):
        started, ran = time.perf_counter(), time.process_time()
        work()
        times.append(1000 * (time.perf_counter() - started))
        busy.append(1000 * (time.process_time() - ran))
    median, used = statistics.median(times[1:]), statistics.median(busy[1:])
    print(f"{what:<38}{median:>8.1f} ms, at best {min(times):.1f}, first {times[0]:.1f}; processor {used:.1f}")
    return used


if __name__ == "__main__":
    main()
