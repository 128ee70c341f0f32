from __future__ import annotations

from survey.core import values
from survey.core.relationships import Relationship


def test_a_set_is_written_the_same_in_every_process():
    """Else a page that one server showed would be of an older form to the next."""
    assert values.dump(frozenset(Relationship)) == sorted(Relationship)
    assert values.load(frozenset[Relationship], values.dump(frozenset(Relationship))) == frozenset(Relationship)
