"""This service's own key, and the two kinds of token it reads."""

from __future__ import annotations

from functools import cache

from ochaq_shared.identity import Signer, Verifier

from ochaq_web.config.environment import environment

ACCESS_AUDIENCE = "ochaq-api"
# Another `typ` than identity tokens have, so that neither can be used in the other's place (RFC 8725, section 3.11).
ACCESS_TYPE = "ochaq-at+jwt"


@cache
def signer() -> Signer:
    """Signs with web's private key."""
    return Signer(environment().signing_key_file, "web")


@cache
def internal_tokens() -> Verifier:
    """Checks the tokens other services send to `/internal/v1/`."""
    return Verifier(environment().jwks_file, "web")


@cache
def access_tokens() -> Verifier:
    """Checks the access tokens of API clients."""
    return Verifier(environment().jwks_file, ACCESS_AUDIENCE, typ=ACCESS_TYPE)
