"""What ends when somebody leaves: sign-ins, waiting mail, and whatever they have not answered."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from survey.core.cycles import Phase
from survey.store import invitations, outbox
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation, InvitationToken
from survey.store.nominations import Nomination
from survey.store.people import Person, SignIn, SignInLink

AT_ONCE = 1_000


def deactivate(session: Session, person_ids: Sequence[uuid.UUID]) -> None:
    """These people are not here any more. Says nothing about what each of them had answered, and keeps what they had.

    Open invitations become void, as at the close of a round. Drafts of answers lead to nobody, so they stay locked
    until their round ends. Nominations in rounds that have not been opened are taken back.
    """
    unopened = select(Review.id).join(Cycle).where(Cycle.phase.in_((Phase.DRAFT, Phase.NOMINATING, Phase.OPENING)))
    for start in range(0, len(person_ids), AT_ONCE):
        some = person_ids[start : start + AT_ONCE]
        asked = select(Invitation.id).where(Invitation.rater_id.in_(some))
        for statement in (
            update(Person).where(Person.id.in_(some)).values(is_active=False),
            update(Invitation)
            .where(Invitation.rater_id.in_(some), Invitation.state == invitations.State.OPEN)
            .values(state=invitations.State.VOID),
            delete(InvitationToken).where(InvitationToken.invitation_id.in_(asked)),
            delete(Nomination).where(Nomination.rater_id.in_(some), Nomination.review_id.in_(unopened)),
            delete(outbox.Mail).where(outbox.Mail.person_id.in_(some), outbox.Mail.state == outbox.State.WAITING),
            delete(SignIn).where(SignIn.person_id.in_(some)),
            delete(SignInLink).where(SignInLink.person_id.in_(some)),
        ):
            session.execute(statement.execution_options(synchronize_session="fetch"))
