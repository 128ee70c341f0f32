"""Answering. `submit` is the one function in the program that holds a rater and their answers at once."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from nacl.exceptions import CryptoError
from sqlalchemy import Insert, LargeBinary, Result, Row, Select, Uuid, bindparam, delete, insert, or_, select, update
from sqlalchemy.orm import Session, aliased

from survey.core import responses, statements, values
from survey.core.cycles import Phase
from survey.core.days import End
from survey.core.errors import CLOSED, BadInput, LinkClosed
from survey.core.questionnaires import Questionnaire
from survey.core.relationships import Relationship
from survey.core.responses import Answers, Response
from survey.core.statements import Statement
from survey.store import envelopes
from survey.store.base import is_on_postgresql, run
from survey.store.cycles import Cycle, Review
from survey.store.envelopes import Draft, Envelope
from survey.store.invitations import Invitation, InvitationToken, State, fingerprint
from survey.store.people import Person, by_name


@dataclass(frozen=True)
class Waiting:
    """A colleague about whom this link still asks."""

    invitation_id: uuid.UUID
    subject: str
    relationship: Relationship
    cycle: str
    closes_at: datetime
    k: int
    minutes: int
    cycle_id: uuid.UUID
    zone: tzinfo
    rater_zone: tzinfo | None

    def end(self, home: tzinfo) -> End:
        """Until when, as the rater counts days, who is at `home` where nothing else is known."""
        return End(self.closes_at, self.zone, self.rater_zone or home)


@dataclass(frozen=True)
class Asked:
    """Everything that the rater's page shows of one invitation, and where its answer goes."""

    invitation_id: uuid.UUID
    subject: str
    relationship: Relationship
    cycle: str
    closes_at: datetime
    k: int
    questionnaire: Questionnaire
    statement: Statement
    review_id: uuid.UUID
    public_key: bytes
    """What its answer is sealed to; a preview has none, and takes no answer."""
    zone: tzinfo
    rater_zone: tzinfo | None = None

    def end(self, home: tzinfo) -> End:
        """Until when one may answer, as the rater counts days, who is at `home` where nothing else is known."""
        return End(self.closes_at, self.zone, self.rater_zone or home)


# `reader_id` is whoever is signed in in the browser that follows a link. To the subject of a review a link to it is
# closed, unless it is the one to their own view: a colleague's mail may have been forwarded.


def waiting(session: Session, token: str, *, reader_id: uuid.UUID | None = None) -> Sequence[Waiting]:
    """The colleagues about whom this link still asks: the round that ends first first, there by name.

    Raises `LinkClosed` when there are none.
    """
    rows = _opened_by(session, token, reader_id).all()
    if not rows:
        raise LinkClosed(CLOSED)
    return [
        Waiting(
            row.invitation_id,
            row.subject,
            Relationship(row.relationship),
            row.cycle,
            row.closes_at,
            row.minimum,
            row.minutes[row.relationship],
            row.cycle_id,
            ZoneInfo(row.time_zone),
            _zone(row.rater_zone),
        )
        for row in rows
    ]


def asked(session: Session, token: str, invitation_id: uuid.UUID, *, reader_id: uuid.UUID | None = None) -> Asked:
    """What this invitation asks. Raises `LinkClosed` unless the link opens it."""
    row = _open_invitation(session, token, invitation_id, reader_id)
    relationship = Relationship(row.relationship)
    questionnaire = _asked_of(session, row)
    return Asked(
        row.invitation_id,
        row.subject,
        relationship,
        row.cycle,
        row.closes_at,
        row.minimum,
        questionnaire,
        statements.of(
            relationship,
            subject=row.subject,
            invited=row.invited or {},
            k=row.minimum,
            has_open_questions=any(item.is_open for item in questionnaire.items),
        ),
        row.review_id,
        row.public_key,
        ZoneInfo(row.time_zone),
        _zone(row.rater_zone),
    )


def submit(session: Session, asked: Asked, answers: Answers, *, draft_secret: bytes | None) -> None:
    """Takes the answers to what a link was just seen to ask, once and for all.

    Raises `Incomplete` or `BadInput` for answers that do not answer it, and `LinkClosed` when somebody was faster, or
    the round has closed meanwhile. Nothing of it is written then. On PostgreSQL it is one statement (ADR 0026), and
    needs no transaction around it.
    """
    checked = responses.check(asked.questionnaire, answers)
    box = envelopes.seal(Response(asked.relationship, checked), asked.public_key)
    if is_on_postgresql(session):
        _hand_in(session, asked, box, draft_secret)
        return
    _claim(session, asked.invitation_id, State.DONE)
    run(session, insert(Envelope), {"review_id": asked.review_id, "box": box})
    _delete_draft(session, asked.invitation_id, draft_secret)


def decline(
    session: Session,
    token: str,
    invitation_id: uuid.UUID,
    *,
    draft_secret: bytes | None,
    reader_id: uuid.UUID | None = None,
) -> None:
    """Takes note that this rater will not answer. No reason is asked. Raises `LinkClosed`."""
    _open_invitation(session, token, invitation_id, reader_id)
    _claim(session, invitation_id, State.DECLINED)
    _delete_draft(session, invitation_id, draft_secret)


def save_draft(
    session: Session,
    token: str,
    invitation_id: uuid.UUID,
    answers: Answers,
    *,
    draft_secret: bytes,
    reader_id: uuid.UUID | None = None,
) -> None:
    """Keeps unfinished answers, locked with the secret of the rater's browser. Raises `LinkClosed`, `BadInput`."""
    _keep(session, _open_invitation(session, token, invitation_id, reader_id), answers, draft_secret)


def draft(session: Session, invitation_id: uuid.UUID, *, draft_secret: bytes) -> Answers | None:
    """The answers that this browser kept for this invitation, or None."""
    box = run(session, _DRAFT, {"draft": envelopes.draft_id(draft_secret, invitation_id)}).scalar_one_or_none()
    if box is None:
        return None
    try:
        return envelopes.unlock(box, draft_secret, invitation_id).answers
    except CryptoError:
        return None


def resume(
    session: Session, token: str, *, secret: bytes, own: bytes | None, reader_id: uuid.UUID | None = None
) -> None:
    """Makes the drafts under another device's `secret` this browser's own, for everybody this link asks about.

    What this browser had saved under `own` comes along, and gives way where both answer the same question. Raises
    `LinkClosed`, and `BadInput` when the secret opens nothing that this link asks for; nothing is changed then.
    """
    rows = _opened_by(session, token, reader_id).all()
    if not rows:
        raise LinkClosed(CLOSED)
    theirs = {row.invitation_id: draft(session, row.invitation_id, draft_secret=secret) for row in rows}
    if not any(theirs.values()):
        raise BadInput(
            "Nothing is saved under this code for the people this link asks about. Nothing was changed; please "
            "compare it once more, and look whether it belongs to this mail."
        )
    if own is None or own == secret:
        return
    for row in rows:
        mine = draft(session, row.invitation_id, draft_secret=own)
        if mine is not None:
            there = theirs[row.invitation_id] or Answers({}, {})
            _keep(
                session,
                row,
                Answers({**mine.ratings, **there.ratings}, {**mine.comments, **there.comments}),
                secret,
            )
            _delete_draft(session, row.invitation_id, own)


def _keep(session: Session, row: Row[tuple[object, ...]], answers: Answers, secret: bytes) -> None:
    box = envelopes.lock(Response(Relationship(row.relationship), answers), secret, row.invitation_id)
    _delete_draft(session, row.invitation_id, secret)
    session.execute(
        insert(Draft), {"id": envelopes.draft_id(secret, row.invitation_id), "cycle_id": row.cycle_id, "box": box}
    )


def _opened_by(
    session: Session, token: str, reader_id: uuid.UUID | None, invitation_id: uuid.UUID | None = None
) -> Result[Any]:
    """The open invitations behind this link, or the one of them that is named."""
    given = {"token_hash": fingerprint(token), "reader_id": reader_id, "invitation_id": invitation_id}
    return run(session, _opened(is_one=invitation_id is not None, has_reader=reader_id is not None), given)


@cache
def _opened(*, is_one: bool, has_reader: bool) -> Select[Any]:
    """What a link opens, built once: half of the time of such a query went into building it anew."""
    rater = aliased(Person)
    found = (
        select(
            Invitation.id.label("invitation_id"),
            Invitation.relationship,
            Review.id.label("review_id"),
            Review.invited,
            Review.minutes,
            Person.name.label("subject"),
            Cycle.id.label("cycle_id"),
            Cycle.name.label("cycle"),
            Cycle.closes_at,
            Cycle.time_zone,
            rater.time_zone.label("rater_zone"),
            Cycle.minimum,
            Cycle.public_key,
        )
        .join(InvitationToken, InvitationToken.invitation_id == Invitation.id)
        .join(Review, Review.id == Invitation.review_id)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .join(Person, Person.id == Review.subject_id)
        .join(rater, rater.id == Invitation.rater_id)
        .where(
            InvitationToken.hash == bindparam("token_hash"),
            Invitation.state == State.OPEN,
            Cycle.phase == Phase.OPEN,
        )
        .order_by(Cycle.closes_at, Cycle.folded, Cycle.id, *by_name())
    )
    if is_one:
        found = found.where(Invitation.id == bindparam("invitation_id"))
    if has_reader:
        is_own_view = Invitation.relationship == Relationship.SELF
        found = found.where(or_(Review.subject_id != bindparam("reader_id"), is_own_view))
    return found


def _zone(name: str | None) -> tzinfo | None:
    return ZoneInfo(name) if name else None


def _open_invitation(
    session: Session, token: str, invitation_id: uuid.UUID, reader_id: uuid.UUID | None
) -> Row[tuple[object, ...]]:
    row: Row[tuple[object, ...]] | None = _opened_by(session, token, reader_id, invitation_id).one_or_none()
    if row is None:
        raise LinkClosed(CLOSED)
    return row


def _claim(session: Session, invitation_id: uuid.UUID, state: State) -> None:
    """One UPDATE decides who was first, also against the close of the cycle."""
    if run(session, _CLAIM, {"invitation": invitation_id, "becomes": state}).rowcount != 1:
        raise LinkClosed(CLOSED)
    run(session, _FORGET_LINKS, {"invitation": invitation_id})


def _hand_in(session: Session, asked: Asked, box: bytes, draft_secret: bytes | None) -> None:
    given = {"invitation": asked.invitation_id, "becomes": State.DONE}
    given |= {"envelope": uuid.uuid4(), "review": asked.review_id, "box": box}
    if draft_secret is not None:
        given["draft"] = envelopes.draft_id(draft_secret, asked.invitation_id)
    if run(session, _handing_in(has_draft=draft_secret is not None), given).rowcount != 1:
        raise LinkClosed(CLOSED)


@cache
def _handing_in(*, has_draft: bool) -> Insert:
    """The claim, and what follows from it, in one statement: without the claim nothing of it happens."""
    claimed = _CLAIM.returning(Invitation.id).cte("claimed")
    is_claimed = select(claimed.c.id).exists()
    links = delete(InvitationToken).where(InvitationToken.invitation_id.in_(select(claimed.c.id))).cte("links")
    drafts = _FORGET_DRAFT.where(is_claimed).cte("drafts")
    values = select(
        bindparam("envelope", type_=Uuid), bindparam("review", type_=Uuid), bindparam("box", type_=LargeBinary)
    ).where(is_claimed)
    kept = insert(Envelope).from_select(["id", "review_id", "box"], values).add_cte(links)
    return (kept.add_cte(drafts) if has_draft else kept).execution_options(preserve_rowcount=True)


def _delete_draft(session: Session, invitation_id: uuid.UUID, draft_secret: bytes | None) -> None:
    if draft_secret is not None:
        run(session, _FORGET_DRAFT, {"draft": envelopes.draft_id(draft_secret, invitation_id)})


# Built once, as `_opened` is.
_CLAIM = (
    update(Invitation)
    .where(Invitation.id == bindparam("invitation"), Invitation.state == State.OPEN)
    .values(state=bindparam("becomes"))
)
_FORGET_LINKS = delete(InvitationToken).where(InvitationToken.invitation_id == bindparam("invitation"))
_DRAFT = select(Draft.box).where(Draft.id == bindparam("draft"))
_FORGET_DRAFT = delete(Draft).where(Draft.id == bindparam("draft"))


def _asked_of(session: Session, row: Row[tuple[object, ...]]) -> Questionnaire:
    """The questionnaire of a launched review never changes, so each process reads it once."""
    key = (row.review_id, Relationship(row.relationship))
    if key not in _frozen:
        plain = session.scalar(select(Review.questionnaire).where(Review.id == row.review_id))
        if len(_frozen) >= _FROZEN_AT_MOST:
            _frozen.clear()
        _frozen[key] = values.load(Questionnaire, plain).for_rater(key[1])
    return _frozen[key]


_FROZEN_AT_MOST = 2_000
_frozen: dict[tuple[uuid.UUID, Relationship], Questionnaire] = {}
