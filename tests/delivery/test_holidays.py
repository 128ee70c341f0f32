"""The holidays of places, by day and name."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

import config as settings
from survey import context
from survey.app import create_app
from survey.core.errors import BadInput
from survey.delivery import holidays
from tests.company import Company
from tests.conftest import Browser


def test_the_holidays_of_several_places_are_those_of_any():
    found = holidays.of(["AT", "DE-BY"], [2026])
    assert found[date(2026, 10, 26)] == "National Day (AT)"
    assert found[date(2026, 10, 3)].endswith("(DE-BY)")
    assert found[date(2026, 12, 25)] == "Christmas Day (AT)"
    assert date(2026, 10, 27) not in found
    assert date(2027, 10, 26) not in found


@pytest.mark.parametrize("place", ["XX", "DE-XX"])
def test_a_place_that_is_not_known_is_named(place):
    with pytest.raises(BadInput, match=place):
        holidays.of(["AT", place], [2026])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_setting_reaches_the_plan_of_mail_and_the_warnings_of_a_round(environ, clock):
    with pytest.raises(settings.BadConfig, match="No holidays are known of XX"):
        create_app(settings.load(environ | {"SURVEY_HOLIDAYS": "XX"}), clock=clock)
    app = create_app(settings.load(environ | {"SURVEY_HOLIDAYS": "at"}), clock=clock)
    app.test_client_class = Browser
    with app.app_context():
        company = Company(app)
        clock.moment = datetime(2026, 10, 12, 9, tzinfo=UTC)
        cycle_id, _ = company.draft()
        page = company.sign_in("marta").get(f"/rounds/{cycle_id}/setup").text
        assert "The last day to answer is a holiday: National Day (AT)." in page
        assert context.installation().pace.days_off[date(2030, 10, 26)] == "National Day (AT)"
        context.installation().engine.dispose()


def test_without_a_place_there_are_none():
    assert holidays.of([], [2026]) == {}
