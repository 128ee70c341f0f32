"""Tables as files: bytes of a CSV file become numbered rows, and rows become a file that no spreadsheet runs.

Reads what spreadsheets write: UTF-8 with and without a byte-order mark, UTF-16, Windows-1252; commas, semicolons or
tabs; quoted cells with line breaks; any line end.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from survey.core.errors import BadInput

FORMULA = tuple("=+-@\t\r＝＋－＠")
"""What makes a spreadsheet take a cell for a formula."""

LONGEST_CELL = 10_000
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}

_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_OTHER_FILES = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF document",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a line, as a sentence."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row. `line` is where it begins in the file, from 1."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Text:
    """A file as text; `note` is a sentence about how it was read, where that was not sure."""

    text: str
    note: str = ""


def decode(source: bytes) -> Text:
    """The text of the file. Raises `BadInput` for an empty file, and for one that is no text."""
    if not source.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise BadInput("The file is empty.")
    for start, kind in _OTHER_FILES.items():
        if source.startswith(start):
            raise BadInput(f"This is {kind}. Save the table as CSV, and upload that file.")
    for mark, encoding in _MARKS.items():
        if source.startswith(mark):
            return Text(_decoded(source, encoding))
    if encoding := _unmarked(source):
        return Text(_decoded(source, encoding))
    try:
        return Text(source.decode("utf-8"))
    except UnicodeDecodeError:
        pass
    try:
        text = source.decode("windows-1252")
    except UnicodeDecodeError:
        raise BadInput(
            "The letters of this file cannot be read: it is neither UTF-8 nor Windows-1252. Save it as “CSV UTF-8”."
        ) from None
    return Text(text, _doubt(text))


def rows(text: str, delimiter: str) -> Iterator[Row | Problem]:
    """The rows with anything in them, and a problem for each line that cannot be split into cells."""
    # StringIO with newline="" knows all three line ends and leaves those within quotes alone.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Problem(line, _reason(str(error)))
            continue
        if any(cell.strip() for cell in cells):
            yield Row(line, tuple(cells))


def delimiter_of(text: str, score: Callable[[Sequence[str]], int]) -> tuple[str, str]:
    """What separates the cells, and the text without the line `sep=;` that Excel may begin with.

    `score` says how much the cells of a first row look like the headings that are expected; the best separator wins.
    """
    if said := re.match(r"\ufeff?sep=([,;\t])(\r\n|\r|\n)", text):
        # The line stays as an empty one, so that numbers are those of the file.
        return said.group(1), said.group(2) + text[said.end() :]
    start = text[:LONGEST_CELL]

    def fit(delimiter: str) -> int:
        first = next((row for row in rows(start, delimiter) if isinstance(row, Row)), None)
        return score(first.cells) if first else 0

    return max(DELIMITERS, key=fit), text


def write(lines: Iterable[Sequence[str]]) -> bytes:
    """A CSV file in UTF-8 with a byte-order mark, which Excel needs. No cell of it is run as a formula."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([neutral(cell) for cell in line] for line in lines)
    return out.getvalue().encode("utf-8-sig", "replace")


def neutral(cell: str) -> str:
    """The cell with an apostrophe before it where a spreadsheet would run it, or take the apostrophe away."""
    return f"'{cell}" if _is_risky(cell.lstrip("'")) else cell


def plain(cell: str) -> str:
    """The cell as it was before `neutral`."""
    return cell[1:] if cell.startswith("'") and _is_risky(cell.lstrip("'")) else cell


def _is_risky(cell: str) -> bool:
    # Spreadsheets look past what is blank before the sign, whatever kind of blank it is.
    return cell.startswith(FORMULA) or cell.lstrip().startswith(FORMULA)


def _decoded(source: bytes, encoding: str) -> str:
    try:
        return source.decode(encoding)
    except UnicodeDecodeError:
        raise BadInput(
            f"The file begins like {encoding.removesuffix('-sig').upper()} and does not go on so: it was cut off or "
            "changed on its way. Save it again as “CSV UTF-8”."
        ) from None


def _unmarked(source: bytes) -> str:
    """UTF-16 without a mark: every other byte of Latin text is zero."""
    start = source[:4096]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if len(source) % 2 == 0 and max(even, odd) > len(start) / 5 and min(even, odd) <= max(even, odd) / 10:
        return "utf-16-le" if odd > even else "utf-16-be"
    return ""


def _doubt(text: str) -> str:
    words = re.findall(r"[^\W\d_]*[^\x00-\x7f][^\W\d_]*", text)
    samples = list(dict.fromkeys(word for word in words if len(word) > 1))[:3]
    shown = " Please check: " + ", ".join(f"“{sample}”" for sample in samples) + "." if samples else ""
    return f"The file is not UTF-8 and was read as Windows-1252; other letters than a to z may be wrong.{shown}"


def _reason(error: str) -> str:
    if "unexpected end" in error:
        return "A quotation mark opens a cell here, and none closes it."
    if "larger than" in error:
        return "A cell is far too long; a quotation mark that is not closed may be the reason."
    return "A quotation mark stands in the middle of a cell. Write it twice, in a cell that is in quotation marks."
