"""What people do while tables are large: a rater's page, an answer, a way in, a report; for `make bench-tables`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask.testing import FlaskClient
from sqlalchemy import select

from survey import context
from survey.core.cycles import Phase
from survey.core.relationships import Relationship
from survey.core.responses import Answers
from survey.services import cycles
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation, InvitationToken, mint
from survey.web.questionnaires import as_fields
from tests.benchmarks.crowds import PEERS
from tests.company import Company, answers_to, csrf, hidden
from tests.conftest import Browser


class Visits:
    """Visits to an installation that has a released report, beside whatever else it holds."""

    def __init__(self, company: Company) -> None:
        company.app.test_client_class = Browser
        self._company = company
        _, self._review_id = company.run(company.usual_raters(peers=8))
        self._reader = company.sign_in("sam")

    def works(self, links: int) -> Mapping[str, Callable[[], object]]:
        """What can be done, by name. There are links for so many answers, and one more whose form is only read."""
        answers, tokens = self._asked(links + 1)
        *waiting, looked_at = [self._entered(token) for token in tokens]
        return {
            "rater's page": lambda: _read(*looked_at),
            "answer: page, send, thanks": lambda: _answer(*waiting.pop(), answers),
            "way in by a mailed link": lambda: self._company.sign_in("marta"),
            "report page": lambda: _read(self._reader, f"/reports/{self._review_id}"),
        }

    def _asked(self, number: int) -> tuple[Answers, list[str]]:
        """Answers to what the first open review asks, and so many links to invitations that ask the same."""
        tokens = []
        with context.transaction() as session:
            asking = select(Review).join(Cycle).where(Cycle.phase == Phase.OPEN)
            asked = session.scalars(asking.where(Review.questionnaire.is_not(None)).limit(1)).one()
            answers = answers_to(cycles.questionnaire(asked).for_rater(Relationship.PEER))
            others = session.scalars(asking.where(Review.questionnaire.is_(None)).limit(-(-number // PEERS))).all()
            for review in others:
                review.questionnaire, review.invited, review.minutes = asked.questionnaire, asked.invited, asked.minutes
            found = select(Invitation.id).where(Invitation.review_id.in_([review.id for review in others]))
            for invitation_id in session.scalars(found.limit(number)):
                token, token_hash = mint()
                session.add(InvitationToken(hash=token_hash, invitation_id=invitation_id))
                tokens.append(token)
        assert len(tokens) == number
        return answers, tokens

    def _entered(self, token: str) -> tuple[FlaskClient, str]:
        """A browser behind a link, and the address of its form."""
        client = self._company.app.test_client()
        page = client.get(f"/r/{token}")
        return client, client.post(f"/r/{token}", data={"csrf_token": csrf(page.text)}).location


def _answer(client: FlaskClient, address: str, answers: Answers) -> None:
    page = _read(client, address)
    fields = {"csrf_token": csrf(page), "fingerprint": hidden(page, "fingerprint"), "action": "submit"}
    sent = client.post(address, data=fields | as_fields(answers))
    assert sent.status_code == 303, sent.status
    assert "Thank you" in _read(client, sent.location)


def _read(client: FlaskClient, address: str) -> str:
    page = client.get(address)
    assert page.status_code == 200, page.status
    return page.text
