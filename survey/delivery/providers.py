"""The company's own OpenID provider, where one is named. Nothing is fetched before it is used."""

from __future__ import annotations

from typing import Any

from authlib.integrations.flask_client import FlaskOAuth2App, OAuth
from flask import Flask

DISCOVERY = "/.well-known/openid-configuration"
TIMEOUT = 10
"""Seconds that a sign-in may wait for the company's accounts."""


def register(app: Flask, issuer: str, client_id: str, client_secret: str) -> Any:
    """The client that signs people in at this issuer."""
    return OAuth(app).register(
        "company",
        client_cls=_Provider,
        client_id=client_id,
        client_secret=client_secret,
        server_metadata_url=issuer + DISCOVERY,
        client_kwargs={
            "scope": "openid email",
            "code_challenge_method": "S256",
            "default_timeout": TIMEOUT,
        },
    )


class _Provider(FlaskOAuth2App):  # type: ignore[misc]
    """The provider that is configured, and none that its metadata make it out to be."""

    def load_server_metadata(self) -> dict[str, object]:
        """What the provider says of itself. Raises ValueError if it names another issuer."""
        said: dict[str, object] = super().load_server_metadata()
        if str(said.get("issuer")).rstrip("/") != self._server_metadata_url.removesuffix(DISCOVERY):
            raise ValueError("The provider's metadata are those of another issuer.")
        return said
