"""Many raters at once, against the web server as the container starts it: nobody meets an error, no answer is lost.

The short version of `make load`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.benchmarks import load


@pytest.mark.processes
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_forty_raters_at_once_all_read_the_thanks_and_every_answer_is_stored_as_it_was_sent(databases, kind, tmp_path):
    # In a thread: where a browser was driven before, this one has an event loop already.
    with ThreadPoolExecutor(1) as elsewhere:
        assert elsewhere.submit(load.run, databases, kind, 40, tmp_path / "load").result() == []
