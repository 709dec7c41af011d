"""Bad input to every door: the right status as a problem, and nothing changed."""

from __future__ import annotations

import socket
import uuid
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

NOBODYS = "00000000-0000-7000-8000-000000000000"
FORM = {"Content-Type": "multipart/form-data; boundary=b"}


def is_problem(answer: httpx.Response, *status: int) -> dict[str, Any]:
    assert answer.status_code in status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status_code
    assert body["code"]
    assert body["title"]
    assert "Traceback" not in answer.text
    return body


def part(disposition: str, content: str = "x", extra: str = "") -> str:
    return f"--b\r\nContent-Disposition: {disposition}\r\n{extra}\r\n{content}\r\n"


FILE = part('form-data; name="file"; filename="a.txt"')
END = "--b--\r\n"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/files/"),
        ("POST", "/api/v1/files/"),
        ("GET", f"/api/v1/files/{NOBODYS}"),
        ("PATCH", f"/api/v1/files/{NOBODYS}"),
        ("DELETE", f"/api/v1/files/{NOBODYS}"),
        ("GET", f"/api/v1/files/{NOBODYS}/content"),
        ("GET", "/api/v1/folders/"),
        ("GET", "/api/v1/folders/x/archive.zip"),
    ],
)
def test_nobody_is_asked_to_sign_in(house: Any, serve: Any, method: str, path: str) -> None:
    with house.client(serve) as anonymous:
        body = is_problem(anonymous.request(method, path), 401)
        assert body["code"] == "auth.required"
        forged = {"X-Ochaq-Identity": "1", "X-User": "1"}
        is_problem(anonymous.request(method, path, headers=forged), 401)
        assert (
            is_problem(anonymous.request(method, path, headers={"Authorization": "Bearer x.y.z"}), 401)["code"]
            == "auth.invalid_token"
        )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/api/v1/files/{NOBODYS}", 404),
        ("GET", f"/api/v1/files/{NOBODYS}/content", 404),
        ("DELETE", f"/api/v1/files/{NOBODYS}", 404),
        ("GET", "/api/v1/files/xyz", 422),
        ("GET", "/api/v1/files/xyz/content", 422),
        ("GET", "/api/v1/folders/no/such/archive.zip", 404),
        ("GET", "/api/v1/folders/%2e%2e/%2e%2e/etc/archive.zip", 404),
        ("GET", "/api/v1/folders/a%00b/archive.zip", 404),
        ("GET", "/api/v1/files/?limit=0", 422),
        ("GET", "/api/v1/files/?limit=201", 422),
        ("GET", "/api/v1/files/?limit=many", 422),
        ("GET", "/api/v1/files/?cursor=%25%25%25", 422),
        ("GET", "/api/v1/files/?cursor=WyJ4eXoiLGZhbHNlXQ", 422),
        ("GET", "/api/v1/files/?status=lost", 422),
        ("GET", "/api/v1/files/?kind=smell", 422),
        ("GET", "/api/v1/files/?q=%00", 422),
        ("GET", "/api/v1/files/?q=" + "a" * 5000, 422),
        ("GET", "/api/v1/files/?folder=../x", 422),
        ("GET", "/api/v1/folders/?under=../../etc", 422),
        ("GET", "/api/v1/folders/?cursor=x", 422),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/files", 404),
        ("PUT", "/api/v1/files/", 405),
        ("POST", f"/api/v1/files/{NOBODYS}", 405),
    ],
)
def test_bad_addresses_and_parameters_are_problems(client: httpx.Client, method: str, path: str, status: int) -> None:
    is_problem(client.request(method, path), status)


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"\xff\xfe{}", {"Content-Type": "application/json"}, 400),
        (b"[]", {"Content-Type": "application/json"}, 422),
        (b'{"nmae": "x"}', {"Content-Type": "application/json"}, 422),
        (b'{"name": 5}', {"Content-Type": "application/json"}, 422),
        (b'{"name": ""}', {"Content-Type": "application/json"}, 422),
        (b'{"name": "a\\u0000"}', {"Content-Type": "application/json"}, 422),
        (b'{"name": ".."}', {"Content-Type": "application/json"}, 422),
        (b'{"folder": "../x"}', {"Content-Type": "application/json"}, 422),
        (b"[" * 100_000, {"Content-Type": "application/json"}, 400),
    ],
)
def test_bad_changes_are_problems_and_change_nothing(
    client: httpx.Client, content: bytes, headers: dict[str, str], status: int
) -> None:
    file = client.post("/api/v1/files/", files={"file": ("a.txt", uuid.uuid4().bytes)}).json()
    path = f"/api/v1/files/{file['id']}"
    is_problem(client.patch(path, content=content, headers=headers), status)
    assert client.get(path).json() == file


@pytest.mark.parametrize(
    ("form", "headers", "status"),
    [
        ("", FORM, 400),
        ("nonsense", {"Content-Type": "multipart/form-data"}, 400),
        ("nonsense", FORM, 400),
        (END, FORM, 422),
        (FILE, FORM, 400),
        (FILE + "--b", FORM, 400),
        (part('form-data; name="folder"') + END, FORM, 422),
        (part('form-data; name="file"') + END, FORM, 422),
        (part('form-data; name="file"; filename=""') + END, FORM, 422),
        (FILE + FILE + END, FORM, 422),
        (part('form-data; filename="x"') + END, FORM, 400),
        (part("attachment") + END, FORM, 400),
        (FILE + part('form-data; name="folder"', "../../etc") + END, FORM, 422),
        (FILE + part('form-data; name="folder"', "a\0b") + END, FORM, 422),
        (part('form-data; name="file"; filename="a/../b.txt"') + END, FORM, 422),
        (part('form-data; name="file"; filename=".."') + END, FORM, 422),
        (part('form-data; name="file"; filename="con.txt"') + END, FORM, 422),
        (part('form-data; name="file"; filename="' + "x" * 300 + '"') + END, FORM, 422),
        (FILE + part('form-data; name="folder"', "x" * 9000) + END, FORM, 413),
        (part('form-data; name="x"') * 21 + FILE + END, FORM, 400),
        (part('form-data; name="file"; filename="a"', extra="X: y\r\n" * 20) + END, FORM, 400),
        (part('form-data; name="file"; filename="a"', extra="X: " + "y" * 9000 + "\r\n") + END, FORM, 400),
        ("folder=x", {"Content-Type": "application/x-www-form-urlencoded"}, 422),
        ("{}", {"Content-Type": "application/json"}, 415),
        ("", {}, 415),
        (FILE + END, {"Content-Type": "multipart/form-data; boundary=" + "b" * 71}, 400),
        (FILE + END, {**FORM, "Idempotency-Key": "x" * 256}, 422),
        (FILE + END, {**FORM, "Idempotency-Key": ""}, 422),
    ],
)
def test_bad_forms_are_problems_and_store_nothing(
    client: httpx.Client, house: Any, person: str, form: str, headers: dict[str, str], status: int
) -> None:
    is_problem(client.post("/api/v1/files/", content=form.encode(), headers=headers), status)
    assert house.rows("SELECT 1 FROM file WHERE owner = %s", person) == []
    assert house.scraps() == []


def test_names_that_are_not_utf_8_are_refused(client: httpx.Client) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="\xff\xfe"\r\n\r\nx\r\n--b--\r\n'
    is_problem(client.post("/api/v1/files/", content=form, headers=FORM), 422)


def test_a_file_over_the_limit_is_refused_before_and_while_it_is_read(house: Any, person: str) -> None:
    small = house.start("serve", OCHAQ_MAX_UPLOAD_BYTES="1000000")
    with house.client(small, person) as client:
        fits = client.post("/api/v1/files/", files={"file": ("a", b"1" * 1_000_000)})
        assert fits.status_code == 201
        is_problem(client.post("/api/v1/files/", files={"file": ("a", b"2" * 1_000_001)}), 413)
        is_problem(client.post("/api/v1/files/", content=_endless(3_000_000), headers=FORM), 413)
        is_problem(client.post("/api/v1/files/", files={"file": ("a", b"2" * 3_000_000)}), 413)
    assert house.scraps() == []


def _endless(size: int) -> Any:
    """A chunked body that announces no length."""
    yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    for _ in range(size // 100_000):
        yield b"3" * 100_000
    yield b"\r\n--b--\r\n"


def test_a_connection_that_ends_early_leaves_nothing(house: Any, serve: Any, person: str) -> None:
    address = urlsplit(serve.url)
    with socket.create_connection((address.hostname, address.port)) as raw:
        head = (
            f"POST /api/v1/files/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {house.token(person)}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 9000000\r\n\r\n"
            '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        )
        raw.sendall(head.encode() + b"x" * 4_000_000)
    with house.client(serve, person) as client:
        assert client.get("/api/v1/files/").json()["results"] == []
    house.wait(lambda: not house.scraps())


def test_a_database_that_is_away_is_503_with_a_time_to_come_back(house: Any, person: str) -> None:
    away = house.spawn("serve", OCHAQ_DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
    house.wait(lambda: httpx.get(f"{away.url}/livez").status_code == 200)
    assert httpx.get(f"{away.url}/readyz").status_code == 503
    with house.client(away, person) as client:
        answer = client.get("/api/v1/files/")
        is_problem(answer, 503)
        assert answer.headers["retry-after"]
