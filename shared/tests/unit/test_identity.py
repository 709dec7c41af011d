"""Identity tokens: only what the pinned algorithm, audience, issuer and lifetime allow gets through."""

import base64
import json
import time
from pathlib import Path

import jwt
import pytest
from ochaq_shared.identity import Signer, Verifier, bearer, create_keys, load_private_key
from ochaq_shared.problems import Problem


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    create_keys(tmp_path, ["web", "files", "worker"])
    return tmp_path


def signer(keys: Path, issuer: str) -> Signer:
    return Signer(keys / f"{issuer}.pem", issuer)


def verifier(keys: Path, audience: str = "files") -> Verifier:
    return Verifier(keys / "jwks.json", audience)


def claims(**changes: object) -> dict[str, object]:
    now = int(time.time())
    base: dict[str, object] = {
        "iss": "web",
        "aud": "files",
        "sub": "u1",
        "iat": now,
        "nbf": now,
        "exp": now + 60,
        "jti": "j",
    }
    return {**base, **changes}


def encode(keys: Path, body: dict[str, object], *, kid: str = "web-1", typ: str = "ochaq-id+jwt", **extra: str) -> str:
    return jwt.encode(
        body, load_private_key(keys / "web.pem"), algorithm="EdDSA", headers={"kid": kid, "typ": typ, **extra}
    )


def test_a_users_identity_comes_through_with_roles_and_session(keys: Path) -> None:
    token = signer(keys, "web").sign("files", "u1", roles=["manager"], session="s")
    identity = verifier(keys).verify(token)
    assert (identity.subject, identity.roles, identity.session, identity.is_service) == ("u1", {"manager"}, "s", False)
    assert identity.has_role("student", "manager") and not identity.has_role("student")


def test_a_service_speaks_for_itself_only(keys: Path) -> None:
    assert verifier(keys).verify(signer(keys, "worker").sign("files", "service:worker")).is_service
    for subject in ("service:web", "u1"):
        with pytest.raises(Problem):
            verifier(keys).verify(signer(keys, "worker").sign("files", subject))
    with pytest.raises(Problem):
        verifier(keys).verify(signer(keys, "web").sign("files", "service:worker"))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "search"},
        {"aud": ["files", "search"]},
        {"exp": int(time.time()) - 3600},
        {"nbf": int(time.time()) + 3600},
        {"iss": "files"},
        {"jti": None},
        {"exp": None},
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(keys: Path, changes: dict[str, object]) -> None:
    body = {key: value for key, value in claims(**changes).items() if value is not None}
    with pytest.raises(Problem) as caught:
        verifier(keys).verify(encode(keys, body))
    assert (caught.value.status, caught.value.code) == (401, "auth.invalid_token")


@pytest.mark.parametrize(
    "header", [{"kid": "nobody-1"}, {"kid": "files-1"}, {"typ": "JWT"}, {"jku": "http://evil.example"}]
)
def test_a_token_with_a_wrong_header_is_refused(keys: Path, header: dict[str, str]) -> None:
    with pytest.raises(Problem):
        verifier(keys).verify(encode(keys, claims(), **header))


def test_other_algorithms_are_refused(keys: Path) -> None:
    def part(value: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    none = f"{part({'alg': 'none', 'kid': 'web-1', 'typ': 'ochaq-id+jwt'})}.{part(claims())}."
    public = json.loads((keys / "jwks.json").read_text())["keys"][0]["x"]
    hmac = jwt.encode(claims(), public, algorithm="HS256", headers={"kid": "web-1", "typ": "ochaq-id+jwt"})
    good = encode(keys, claims())
    for token in (none, hmac, "x.y.z", "", good[:-4] + "AAAA", "a" * 20_000):
        with pytest.raises(Problem):
            verifier(keys).verify(token)


def test_a_new_key_is_found_in_the_file_without_a_restart(keys: Path) -> None:
    checks = verifier(keys)
    checks.verify(encode(keys, claims()))
    create_keys(keys, ["web", "files", "worker", "search"])
    checks._read_at = -1e9
    assert checks.verify(signer(keys, "search").sign("files", "service:search")).subject == "service:search"


def test_keys_are_private_and_made_once(keys: Path) -> None:
    before = (keys / "web.pem").read_bytes()
    assert create_keys(keys, ["web"]) == []
    assert (keys / "web.pem").read_bytes() == before
    assert (keys / "web.pem").stat().st_mode & 0o777 == 0o600


def test_another_scheme_than_bearer_is_refused_rather_than_ignored() -> None:
    assert bearer(None) is None and bearer("Bearer abc") == "abc"
    for header in ("Basic abc", "Bearer ", "abc"):
        with pytest.raises(Problem):
            bearer(header)
