"""The world behind all doors, built once for each database; whoever walks through it leaves it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from survey import context
from tests import servers
from tests.attacks import rounds
from tests.conftest import Browser
from tests.web import doors
from tests.web.doors import World


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def built_world(
    request: pytest.FixtureRequest, databases: servers.Databases, tmp_path_factory: pytest.TempPathFactory
) -> World:
    with rounds.installation(databases, request.param, tmp_path_factory.mktemp("world")) as app:
        app.test_client_class = Browser
        # They are counted by address and time; a walk through all doors is faster than any person.
        for limiter in app.extensions["limiter"]:
            limiter.enabled = False
        return doors.build(app)


@pytest.fixture
def world(built_world: World) -> Iterator[World]:
    with built_world.app.app_context():
        before = doors.rows_of_all_tables()
        yield built_world
        assert doors.rows_of_all_tables() == before
        context.installation().engine.dispose()
