"""What a rater says, checked against what was asked, and packed so that every response has the same size."""

from __future__ import annotations

import json
import unicodedata
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from survey.core.errors import BadInput, Incomplete
from survey.core.questionnaires import Item, Questionnaire
from survey.core.relationships import Relationship

COMMENT_LIMIT = 2_000
"""Characters that one open answer may have."""

PACKED_SIZE = 7_168
"""Bytes of every packed response. A multiple of nothing a rater chose: the length tells no one anything.

Large enough for three answers of full length that do not compress at all, small enough that a sealed row stays
within one page of PostgreSQL.
"""


@dataclass(frozen=True)
class Answers:
    """Ratings by item key (None: not observed) and open answers by item key (no empty ones)."""

    ratings: Mapping[str, int | None]
    comments: Mapping[str, str]


@dataclass(frozen=True)
class Response:
    """Answers and the relationship they were given under. Carries no rater."""

    relationship: Relationship
    answers: Answers


def check(asked: Questionnaire, answers: Answers) -> Answers:
    """The answers, cleaned, if they answer everything that was `asked` of this rater.

    Open answers may be left empty. Raises `Incomplete` with the keys of the unrated items, and `BadInput` for a
    rating off the scale, a key that was not asked, or a text that is too long.
    """
    rated = {item.key: item for item in asked.items if not item.is_open}
    opened = {item.key: item for item in asked.items if item.is_open}
    unknown = (answers.ratings.keys() - rated) | (answers.comments.keys() - opened)
    if unknown:
        raise BadInput("These answers belong to another form. Nothing was sent; please look through them again.")
    gaps = [key for key in rated if key not in answers.ratings]
    if gaps:
        first = rated[gaps[0]]
        others = f" and {len(gaps) - 1} more" if len(gaps) > 1 else ""
        raise Incomplete(f"Not answered yet: “{first.text}”{others}.", gaps)
    for key, rating in answers.ratings.items():
        _check_rating(rated[key], rating)
    comments = {key: clean(text) for key, text in answers.comments.items()}
    for key, text in comments.items():
        if len(text) > COMMENT_LIMIT:
            raise BadInput(
                f"Your answer to “{opened[key].text}” has {len(text):,} characters; "
                f"{COMMENT_LIMIT:,} fit. Please shorten it."
            )
    return Answers(
        {key: answers.ratings[key] for key in rated},
        {key: comments[key] for key in opened if comments.get(key)},
    )


def clean(text: str) -> str:
    """The text without control characters and with whitespace normalised: how one types is a trace of who types.

    Paragraphs survive as single line breaks; runs of spaces, tabs and no-break spaces become one space.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    # What Python calls printable is never invisible, and nearly every text is that; only others are looked through.
    if not text.replace("\n", "").isprintable():
        text = "".join(char for char in text if char == "\n" or not _is_invisible(char))
    return "\n".join(line for words in text.split("\n") if (line := " ".join(words.split())))


def pack(response: Response) -> bytes:
    """Exactly `PACKED_SIZE` bytes: the response as JSON, compressed, then filled up.

    Raises `BadInput` when the open answers together do not fit.
    """
    plain = json.dumps(
        [response.relationship, dict(response.answers.ratings), dict(response.answers.comments)],
        ensure_ascii=False,
        separators=(",", ":"),
    )
    packed = zlib.compress(plain.encode(), 9)
    if len(packed) > PACKED_SIZE - 2:
        over = 100 * (len(packed) - PACKED_SIZE) // len(packed) + 1
        raise BadInput(f"Your answers together are too long. Please shorten them by about {over} %.")
    return len(packed).to_bytes(2, "big") + packed.ljust(PACKED_SIZE - 2, b"\0")


def unpack(packed: bytes) -> Response:
    """The response that `pack` packed."""
    length = int.from_bytes(packed[:2], "big")
    relationship, ratings, comments = json.loads(zlib.decompress(packed[2 : 2 + length]))
    return Response(Relationship(relationship), Answers(ratings, comments))


def _check_rating(item: Item, rating: int | None) -> None:
    if rating is None:
        return
    assert item.scale is not None  # noqa: S101 - only rated items come here
    if not 1 <= rating <= item.scale.points:
        raise BadInput(f"“{item.text}” has no point {rating} on its scale.")


def _is_invisible(char: str) -> bool:
    # Tabs and other white space are folded by the caller; joiners stay, since scripts and emoji need them.
    # Spaces without width go: they part nothing that a reader sees, and stay where a text was copied from.
    category = unicodedata.category(char)
    return char in _WITHOUT_WIDTH or (category in {"Cc", "Cs", "Co", "Cn"} and not char.isspace())


_WITHOUT_WIDTH = frozenset("\u00ad\u180e\u200b\u2060\ufeff")
