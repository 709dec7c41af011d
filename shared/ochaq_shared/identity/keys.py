"""Ed25519 keys: one private PEM per service, one JWKS file with every public key (RFC 7517, RFC 8037)."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


def create_keys(directory: Path, services: list[str]) -> list[str]:
    """Make the missing `<service>.pem` files (mode 600) and write `jwks.json`; returns the services with a new key."""
    directory.mkdir(parents=True, exist_ok=True)
    made = [service for service in services if _create_key(directory / f"{service}.pem")]
    keys = [_jwk(service, load_private_key(directory / f"{service}.pem").public_key()) for service in services]
    _write(directory / "jwks.json", json.dumps({"keys": keys}, indent=2).encode(), 0o644)
    return made


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a PEM file; ValueError when it holds another kind of key."""
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} does not hold an Ed25519 key")
    return key


def load_public_keys(path: Path) -> dict[str, Ed25519PublicKey]:
    """kid → public key, from a JWKS file; keys of any other kind are refused."""
    return {jwk["kid"]: _public(jwk) for jwk in json.loads(path.read_text())["keys"]}


def _create_key(path: Path) -> bool:
    if path.exists():
        return False
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(path, pem, 0o600)
    return True


def _write(path: Path, content: bytes, mode: int) -> None:
    # Written beside and renamed, so that a reader never sees half a file.
    beside = path.with_suffix(".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    beside.replace(path)


def _jwk(service: str, key: Ed25519PublicKey) -> dict[str, str]:
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": f"{service}-1", "x": x}


def _public(jwk: dict[str, Any]) -> Ed25519PublicKey:
    if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519":
        raise ValueError(f"key {jwk.get('kid')} is not an Ed25519 key")
    return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(jwk["x"] + "=="))
