"""Signing and verifying identity tokens."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ochaq_shared.identity.keys import load_private_key, load_public_keys
from ochaq_shared.ids import uuid7
from ochaq_shared.problems import Problem

ALGORITHM = "EdDSA"
TYPE = "ochaq-id+jwt"
LIFETIME = 60
LEEWAY = 10
MAX_TOKEN = 4096
REQUIRED = ["iss", "aud", "sub", "iat", "nbf", "exp", "jti"]


@dataclass(frozen=True)
class Identity:
    """Who is asking. `subject` is a user's id, or `service:<name>`."""

    subject: str
    roles: frozenset[str]
    session: str | None
    issuer: str
    audience: str

    @property
    def is_service(self) -> bool:
        return self.subject.startswith("service:")

    def has_role(self, *roles: str) -> bool:
        """True when the identity has at least one of `roles`."""
        return not self.roles.isdisjoint(roles)


class Signer:
    """Makes tokens with one service's private key."""

    def __init__(self, key_file: Path, issuer: str) -> None:
        self.issuer = issuer
        self._key = load_private_key(key_file)

    def sign(
        self,
        audience: str,
        subject: str,
        *,
        roles: Iterable[str] = (),
        session: str | None = None,
        lifetime: int = LIFETIME,
        typ: str = TYPE,
    ) -> str:
        """A compact JWS for `audience`, valid from ten seconds ago for `lifetime` seconds."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": audience,
            "sub": subject,
            "roles": sorted(roles),
            "iat": now,
            "nbf": now - LEEWAY,
            "exp": now + lifetime,
            "jti": uuid7(),
        }
        if session:
            claims["sid"] = session
        headers = {"kid": f"{self.issuer}-1", "typ": typ}
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers=headers)


@dataclass
class Verifier:
    """Checks tokens addressed to one service. An unknown key id re-reads the JWKS file at most every five seconds."""

    jwks_file: Path
    audience: str
    typ: str = TYPE
    _keys: dict[str, Ed25519PublicKey] = field(default_factory=dict)
    _read_at: float = -1e9

    def verify(self, token: str) -> Identity:
        """The identity in `token`; raises `Problem("auth.invalid_token")` for anything that does not hold."""
        try:
            claims, kid = self._decode(token)
        except (jwt.InvalidTokenError, ValueError, KeyError) as error:
            raise Problem("auth.invalid_token", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}) from error
        return self._identity(claims, kid)

    def _decode(self, token: str) -> tuple[dict[str, Any], str]:
        if len(token) > MAX_TOKEN:
            raise ValueError("token too long")
        header = jwt.get_unverified_header(token)
        if header.get("typ") != self.typ or header.get("alg") != ALGORITHM or set(header) - {"alg", "typ", "kid"}:
            raise ValueError("unexpected header")
        kid = str(header["kid"])
        claims = jwt.decode(
            token,
            self._key(kid),
            algorithms=[ALGORITHM],
            audience=self.audience,
            leeway=LEEWAY,
            options={"require": REQUIRED, "strict_aud": True},
        )
        return claims, kid

    def _key(self, kid: str) -> Ed25519PublicKey:
        if kid not in self._keys and time.monotonic() - self._read_at > 5:
            self._keys = load_public_keys(self.jwks_file)
            self._read_at = time.monotonic()
        return self._keys[kid]

    def _identity(self, claims: dict[str, Any], kid: str) -> Identity:
        issuer, subject = str(claims["iss"]), str(claims["sub"])
        may_speak = subject == f"service:{issuer}" or (issuer == "web" and not subject.startswith("service:"))
        if kid.rpartition("-")[0] != issuer or not may_speak:
            raise Problem("auth.invalid_token")
        roles = frozenset(str(role) for role in claims.get("roles", []))
        return Identity(subject, roles, claims.get("sid"), issuer, self.audience)


def bearer(authorization: str | None) -> str | None:
    """The token of an `Authorization: Bearer …` header; None when there is no such header.

    Another scheme is no token of ours and answers like a wrong one, so that a client notices.
    """
    if not authorization:
        return None
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem("auth.invalid_token", headers={"WWW-Authenticate": "Bearer"})
    return token.strip()
