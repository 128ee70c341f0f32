"""All reports about one person in one file: a ZIP with each report as JSON for programs and as PDF for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from survey.core import plans, values
from survey.core.editions import Edition
from survey.core.plans import Plan
from survey.delivery import pdf

README = "README.txt"


def archive(editions: Sequence[Edition], *, subject: str, is_own: bool, seen: Sequence[Plan] = ()) -> bytes:
    """The ZIP file of these copies, which are all released reports about `subject`; the same bytes every time.

    `seen` are the subject's plans, newest first, as far as whoever gets the file may see them.
    """
    content = BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as opened:
        for name, body in _files(editions, subject, is_own, seen):
            # Files in a ZIP have a time; this one says nothing.
            opened.writestr(ZipInfo(name), body, ZIP_DEFLATED)
    return content.getvalue()


def plain(edition: Edition) -> dict[str, Any]:
    """A report as plain lists, dicts, strings and numbers, with its comments and what stands on its cover."""
    return {
        "subject": edition.subject,
        "cycle": edition.cycle,
        "closed_at": edition.closed_at.isoformat(),
        "report": values.dump(edition.report),
        "comments": values.dump(edition.comments),
    }


def _files(
    editions: Sequence[Edition], subject: str, is_own: bool, seen: Sequence[Plan]
) -> Iterator[tuple[str, bytes]]:
    names = [f"report-{edition.closed_on:%Y-%m-%d}-{number}" for number, edition in enumerate(editions, 1)]
    yield README, _readme(editions, names, subject, is_own).encode()
    for name, edition in zip(names, editions, strict=True):
        planned = plans.beside(edition, seen)
        content = plain(edition) | ({"plan": _plan(planned.now)} if planned.now else {})
        yield f"{name}.json", json.dumps(content, ensure_ascii=False, indent=2).encode()
        yield f"{name}.pdf", pdf.report(edition, planned)


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "steps": values.dump(plan.steps),
        "check_in_on": plan.check_in_on.isoformat() if plan.check_in_on else None,
        "note": plan.note,
    }


def _readme(editions: Sequence[Edition], names: Sequence[str], subject: str, is_own: bool) -> str:
    listed = [
        f"{name}: {edition.cycle}, closed {edition.closed_on:%Y-%m-%d}"
        for name, edition in zip(names, editions, strict=True)
    ]
    private = (
        "Your private reflections are in it, and your plans; keep them to yourself, or not, as you like."
        if is_own
        else "Private reflections and plans are not in it: they are for the person alone, who finds them under their "
        "reports."
    )
    lines = [
        f"Feedback about {subject}: every report that has been released.",
        "",
        *(listed or ["There is none yet."]),
        "",
        "Each report is there twice: as PDF to read, and as JSON for programs, with the same figures and comments.",
        private,
        "Figures that were held back to protect those who answered exist nowhere, and so not in here.",
    ]
    return "\n".join(lines) + "\n"
