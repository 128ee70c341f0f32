"""Templates as the app has them, without a database behind it."""

from __future__ import annotations

import secrets

import pytest

import config as settings
from survey.app import create_app


@pytest.fixture(scope="session")
def mail_templates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("templates")
    app = create_app(
        settings.load(
            {
                "SURVEY_MODE": "testing",
                "SURVEY_SECRET_KEY": secrets.token_urlsafe(48),
                "SURVEY_DATABASE_URL": f"sqlite:///{folder}/database/none.sqlite",
                "SURVEY_REDIS_URL": "redis://127.0.0.1:1/0",
                "SURVEY_KEY_DIRECTORY": str(folder / "keys"),
                "SURVEY_BASE_URL": "http://localhost",
                "SURVEY_SMTP_HOST": "127.0.0.1",
                "SURVEY_MAIL_PACE": "at_once",
            }
        )
    )
    return app.jinja_env
