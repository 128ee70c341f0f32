"""Shares as small bars of SVG. They carry classes only: the stylesheet decides for light, dark and paper."""

from __future__ import annotations

from markupsafe import Markup

WIDTH, HEIGHT = 120, 8


def share(value: float) -> Markup:
    """A bar for a share from 0 to 1. The number stands beside it as text, so that the bar is hidden from readers."""
    return Markup(
        '<svg class="bar" viewBox="0 0 {width} {height}" aria-hidden="true"><rect class="bar-whole" width="{width}" '
        'height="{height}" rx="4"/><rect class="bar-share" width="{share}" height="{height}" rx="4"/></svg>'
    ).format(width=WIDTH, height=HEIGHT, share=round(WIDTH * value, 1))
