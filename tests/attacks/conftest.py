"""What attacks need: a crowd of raters on a fresh database."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.attacks import rounds
from tests.attacks.rounds import Crowd
from tests.company import Company


@pytest.fixture
def gather(company: Company) -> Callable[[int], Crowd]:
    """Opens a round with so many peers."""
    return lambda size: rounds.gather(company, size)
