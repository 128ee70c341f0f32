"""A company's OpenID provider on loopback: discovery, sign-in page, tokens signed with a key of its own."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from flask import Flask, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

from tests import servers

CLIENT, SECRET = "seek-feedback", "the-clients-secret"


@dataclass
class Provider:
    """`claims` is what it says of whoever signs in; `broken` makes one of its answers wrong."""

    port: int = field(default_factory=servers.free_port)
    claims: dict[str, Any] = field(default_factory=dict)
    broken: str = ""
    asked: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._key = RSAKey.generate_key(2048, parameters={"kid": "1"})
        self._server = make_server("127.0.0.1", self.port, self._app(), threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _app(self) -> Flask:
        app = Flask("provider")

        @app.get("/.well-known/openid-configuration")
        def configuration():
            return jsonify(
                issuer="https://elsewhere.test" if self.broken == "metadata" else self.issuer,
                authorization_endpoint=f"{self.issuer}/authorize",
                token_endpoint=f"{self.issuer}/token",
                jwks_uri=f"{self.issuer}/keys",
                response_types_supported=["code"],
                subject_types_supported=["public"],
                id_token_signing_alg_values_supported=["RS256"],
            )

        @app.get("/keys")
        def keys():
            return jsonify(keys=[self._key.as_dict(private=False)])

        @app.get("/authorize")
        def authorize():
            """Whoever comes here is signed in at once, as who `claims` says."""
            code = secrets.token_urlsafe(16)
            self.asked[code] = request.args.to_dict()
            answer = {"code": code, "state": request.args["state"]}
            return redirect(f"{request.args['redirect_uri']}?{urlencode(answer)}")

        @app.post("/token")
        def token():
            asked = self.asked.pop(request.form["code"], None)
            login = request.authorization
            if asked is None or login is None or (login.username, login.password) != (CLIENT, SECRET):
                return jsonify(error="invalid_grant"), 400
            digest = hashlib.sha256(request.form["code_verifier"].encode()).digest()
            assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
            now = int(time.time())
            claims = {
                "iss": "https://elsewhere.test" if self.broken == "issuer" else self.issuer,
                "aud": "somebody-else" if self.broken == "audience" else CLIENT,
                "sub": "1",
                "iat": now,
                "exp": now - 3600 if self.broken == "expiry" else now + 300,
                "nonce": "another" if self.broken == "nonce" else asked["nonce"],
            } | self.claims
            key = RSAKey.generate_key(2048, parameters={"kid": "1"}) if self.broken == "signature" else self._key
            signed = jwt.encode({"alg": "RS256", "kid": "1"}, claims, key)
            return jsonify(access_token="a", token_type="Bearer", expires_in=60, id_token=signed)

        return app
