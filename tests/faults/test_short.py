"""Some faults: nothing is lost, nothing is counted twice, nothing comes unasked."""

from __future__ import annotations

import pytest

from tests.faults import harness


@pytest.mark.processes
def test_a_few_faults_lose_nothing():
    outcome = harness.run("sqlite", seed=11, faults=16, seconds=300, subjects=2)
    outcome.print()
    assert outcome.faults >= 8
    assert outcome.is_good, outcome.verdict
    assert outcome.figures["answers"] > 0
    assert outcome.figures["reminders among them"] > 0
