"""Service-account tokens of a cluster that is not there: real JSON Web Tokens, signed with real keys.

It plays the API server's part in both ways of verifying them: TokenReview, and the documents of service account issuer
discovery. `FakeApiServer.issuer` serves it over HTTP; by itself it makes tokens for tests without any server.
"""

import json
import time
from collections.abc import Sequence
from typing import Any, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

Algorithm = Literal["RS256", "ES256"]
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/openid/v1/jwks"


class FakeTokenIssuer:
    """Makes tokens and reviews them. One key at a time signs; `rotate` makes another one."""

    def __init__(self, algorithm: Algorithm = "ES256", url: str = "https://kubernetes.default.svc") -> None:
        self.url = url
        """The `iss` of its tokens."""
        self.reviewed: list[str] = []
        """Every token that it was asked about, in order."""
        self._algorithm: Algorithm = algorithm
        self._keys: dict[str, Any] = {}
        self._revoked: set[str] = set()
        self._kid = ""
        self.rotate()

    def rotate(self, *, keep: bool = True) -> None:
        """Sign with a new key from now on; without `keep` the old ones are taken away."""
        if not keep:
            self._keys.clear()
        self._kid = f"key-{time.monotonic_ns()}"
        if self._algorithm == "RS256":
            self._keys[self._kid] = rsa.generate_private_key(65537, 2048)
        else:
            self._keys[self._kid] = ec.generate_private_key(ec.SECP256R1())

    def token(
        self,
        namespace: str = "shop",
        account: str = "web",
        audience: str | Sequence[str] = "steerway",
        life_seconds: float = 3600,
        **claims: Any,
    ) -> str:
        """A token of a service account. `claims` replace its claims; None takes one out."""
        now = int(time.time())  # whole seconds, as the API server writes them: clients read nothing else
        made: dict[str, Any] = {
            "iss": self.url,
            "sub": f"system:serviceaccount:{namespace}:{account}",
            "aud": audience if isinstance(audience, str) else list(audience),
            "exp": now + int(life_seconds),
            "iat": now,
            "nbf": now - 1,
        } | claims
        present = {name: value for name, value in made.items() if value is not None}
        return jwt.encode(present, self._keys[self._kid], self._algorithm, {"kid": self._kid})

    def revoke(self, token: str) -> None:
        """Have reviews refuse a token, as when its pod is gone. Its signature stays good."""
        self._revoked.add(token)

    def review(self, token: str, audiences: Sequence[str]) -> dict[str, Any]:
        """The status of a TokenReview."""
        self.reviewed.append(token)
        try:
            key = self._keys[jwt.get_unverified_header(token)["kid"]].public_key()
            options: Any = {"verify_aud": False}
            claims = jwt.decode(token, key, [self._algorithm], issuer=self.url, options=options)
        except (jwt.PyJWTError, KeyError):
            return {"authenticated": False, "error": "invalid bearer token"}
        listed = [claims["aud"]] if isinstance(claims.get("aud"), str) else claims.get("aud", [])
        shared = [audience for audience in audiences if audience in listed]
        if token in self._revoked or not shared:
            reason = (
                "service account token has been invalidated" if shared else "token audiences do not match"
            )
            return {"authenticated": False, "error": reason}
        return {"authenticated": True, "audiences": shared, "user": {"username": claims["sub"], "uid": "1"}}

    def document(self, path: str) -> bytes | None:
        """A document of issuer discovery; None for another path."""
        if path == DISCOVERY:
            return json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}{JWKS}"}).encode()
        return self.jwks() if path == JWKS else None

    def jwks(self) -> bytes:
        """The public keys."""
        made = []
        for kid, key in self._keys.items():
            algorithm = RSAAlgorithm if self._algorithm == "RS256" else ECAlgorithm
            public: dict[str, Any] = algorithm.to_jwk(key.public_key(), as_dict=True)
            made.append({**public, "kid": kid, "use": "sig", "alg": self._algorithm})
        return json.dumps({"keys": made}).encode()
