"""What may be known of a person."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email

from survey.core.errors import BadInput


def check_address(typed: str) -> str:
    """The address in lower case. Raises `BadInput` if no mail could ever reach it."""
    address = typed.strip()
    try:
        checked = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise BadInput(f"“{address}” is not an e-mail address: {error}") from error
    return checked.normalized.lower()
