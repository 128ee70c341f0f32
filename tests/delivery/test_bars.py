"""Bars are as long as the share that stands beside them."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from survey.delivery import bars


@pytest.mark.parametrize(("share", "length"), [(0.0, "0.0"), (0.25, "30.0"), (1.0, "120.0")])
def test_a_bar_is_as_long_as_its_share(share, length):
    whole, part = ElementTree.fromstring(bars.share(share))
    assert (whole.get("width"), part.get("width")) == ("120", length)
