"""Public holidays, from the holidays package."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from survey.core.errors import BadInput


def of(places: Sequence[str], years: Iterable[int]) -> Mapping[date, str]:
    """The holidays of these countries, or parts of countries, in these years: by day, with their names in English.

    A place is an ISO code such as AT, or DE-BY. Raises `BadInput` for one that is not known.
    """
    found: dict[date, str] = {}
    if not places:
        return found
    # The package is large, and most installations name no place.
    from holidays import country_holidays  # noqa: PLC0415

    for place in places:
        country, _, part = place.partition("-")
        try:
            theirs = country_holidays(country, subdiv=part or None, years=years, expand=False, language="en_US")
        except NotImplementedError:  # what the package raises for a place that it does not know
            raise BadInput(f"No holidays are known of {place}.") from None
        for day, name in theirs.items():
            found.setdefault(day, f"{name} ({place})")
    return found
