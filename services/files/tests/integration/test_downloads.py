"""Content and archives through the real door."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import random
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest


def upload(client: httpx.Client, name: str, content: bytes, folder: str = "") -> dict[str, Any]:
    answer = client.post("/api/v1/files/", files={"file": (name, content)}, data={"folder": folder})
    assert answer.status_code in {200, 201}, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture
def stored(client: httpx.Client) -> tuple[str, bytes]:
    content = os.urandom(1_500_000)
    return upload(client, 'ço"rba.bin', content)["url"], content


def test_content_comes_with_headers_that_keep_it_from_running(client: httpx.Client, stored: tuple[str, bytes]) -> None:
    url, content = stored
    answer = client.get(url)
    assert answer.content == content
    assert answer.headers["etag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    assert answer.headers["repr-digest"] == f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"
    assert (
        answer.headers["content-disposition"]
        == "attachment; filename=\"_o_rba.bin\"; filename*=UTF-8''%C3%A7o%22rba.bin"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["accept-ranges"] == "bytes"


def test_head_says_what_get_says(client: httpx.Client, stored: tuple[str, bytes]) -> None:
    got, head = client.get(stored[0]), client.head(stored[0])
    same = {"content-length", "etag", "content-type", "content-disposition", "last-modified", "repr-digest"}
    assert {name: head.headers[name] for name in same} == {name: got.headers[name] for name in same}
    assert head.content == b""


def test_ranges_of_content_are_slices(client: httpx.Client, stored: tuple[str, bytes]) -> None:
    url, content = stored
    chance = random.Random(7)
    for _ in range(30):
        a, b = sorted(chance.choices(range(len(content)), k=2))
        part = client.get(url, headers={"Range": f"bytes={a}-{b}"})
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes {a}-{b}/{len(content)}"
        assert part.content == content[a : b + 1]
    assert client.get(url, headers={"Range": "bytes=-10"}).content == content[-10:]
    assert client.get(url, headers={"Range": "bytes=1499990-"}).content == content[1_499_990:]


def test_several_ranges_come_as_parts_of_the_announced_length(client: httpx.Client, stored: tuple[str, bytes]) -> None:
    url, content = stored
    answer = client.get(url, headers={"Range": "bytes=0-4,700000-700009,-5"})
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges; boundary=")
    assert int(answer.headers["content-length"]) == len(answer.content)
    boundary = answer.headers["content-type"].partition("boundary=")[2].encode()
    parts = [
        part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in answer.content.split(b"--" + boundary)[1:-1]
    ]
    assert parts == [content[:5], content[700_000:700_010], content[-5:]]


def test_a_range_outside_is_a_416_problem(client: httpx.Client, stored: tuple[str, bytes]) -> None:
    answer = client.get(stored[0], headers={"Range": "bytes=1500000-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */1500000"
    assert answer.headers["content-type"] == "application/problem+json"


def test_conditions_on_content_hold(client: httpx.Client, stored: tuple[str, bytes]) -> None:
    url, content = stored
    etag = client.head(url).headers["etag"]
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 304
    assert client.get(url, headers={"If-None-Match": f'W/{etag}, "x"'}).status_code == 304
    assert client.get(url, headers={"If-Match": '"other"'}).status_code == 412
    assert client.get(url, headers={"If-Range": etag, "Range": "bytes=0-1"}).status_code == 206
    assert client.get(url, headers={"If-Range": '"other"', "Range": "bytes=0-1"}).content == content


def test_what_a_browser_could_run_is_sent_as_bytes_without_a_meaning(client: httpx.Client, house: Any) -> None:
    file = upload(client, "evil.html", b"<!doctype html><script>alert(1)</script>")
    house.execute(
        "UPDATE file SET media_type = 'text/html', kind = 'text', status = 'completed' WHERE id = %s", file["id"]
    )
    assert client.get(file["url"]).headers["content-type"] == "application/octet-stream"


def test_the_gateway_may_send_local_objects_itself(house: Any, person: str) -> None:
    with house.client(house.start("serve", OCHAQ_SENDFILE="1"), person) as client:
        file = upload(client, "a.bin", os.urandom(100))
        answer = client.get(file["url"], headers={"Range": "bytes=0-1"})
        assert answer.status_code == 200
        assert answer.headers["x-accel-redirect"] == f"/internal-objects/{house.objects_of(file['sha256'])[0]}"
        assert answer.headers["etag"] == f'"{file["sha256"]}"'
        assert client.get(file["url"], headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
        assert "x-accel-redirect" not in client.get(file["url"], headers={"If-Match": answer.headers["etag"]}).headers


def test_a_missing_object_is_a_problem_and_not_a_torn_answer(client: httpx.Client, house: Any) -> None:
    file = upload(client, "a.bin", os.urandom(100))
    (house.directory / "objects" / house.objects_of(file["sha256"])[0]).unlink()
    answer = client.get(file["url"])
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"


@pytest.fixture
def folder(client: httpx.Client) -> dict[str, bytes]:
    contents = {
        "çorba.txt": b"salt and pepper",
        "sub/deep/film.bin": os.urandom(1_300_000),
        "sub/empty.txt": b"",
        **{f"many/{index}.txt": os.urandom(index) for index in range(1, 60)},
    }
    for path, content in contents.items():
        parent, _, name = path.rpartition("/")
        upload(client, name, content, f"school/{parent}")
    upload(client, "elsewhere.txt", b"not here", "schoolyard")
    return contents


ARCHIVE = "/api/v1/folders/school/archive.zip"


def test_a_folder_comes_as_a_zip_of_the_announced_length(
    client: httpx.Client, folder: dict[str, bytes], tmp_path: Path
) -> None:
    head, answer = client.head(ARCHIVE), client.get(ARCHIVE)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    assert 'filename="school.zip"' in answer.headers["content-disposition"]
    assert int(answer.headers["content-length"]) == len(answer.content) == int(head.headers["content-length"])
    assert head.headers["etag"] == answer.headers["etag"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == folder
    assert client.get(ARCHIVE).content == answer.content


def test_any_range_of_a_zip_is_a_slice(client: httpx.Client, folder: dict[str, bytes]) -> None:
    data = client.get(ARCHIVE).content
    chance = random.Random(3)
    for _ in range(60):
        a, b = sorted(chance.choices(range(len(data)), k=2))
        part = client.get(ARCHIVE, headers={"Range": f"bytes={a}-{b}"})
        assert (part.status_code, part.content) == (206, data[a : b + 1])


def test_an_interrupted_zip_goes_on_with_the_same_bytes_after_changes_and_a_restart(
    house: Any, folder: dict[str, bytes], client: httpx.Client, person: str
) -> None:
    whole = client.get(ARCHIVE)
    gone = client.get("/api/v1/files/", params={"folder": "school/sub"}).json()["results"][0]["id"]
    assert client.delete(f"/api/v1/files/{gone}").status_code == 204
    upload(client, "new.txt", b"new", "school")
    half = len(whole.content) // 2
    with house.client(house.start("serve"), person) as later:
        resume = {"Range": f"bytes={half}-", "If-Range": whole.headers["etag"]}
        rest = later.get(ARCHIVE, headers=resume)
        assert rest.status_code == 206
        assert whole.content[:half] + rest.content == whole.content
        fresh = later.get(ARCHIVE)
        assert fresh.headers["etag"] != whole.headers["etag"]
        assert "new.txt" in zipfile.ZipFile(io.BytesIO(fresh.content)).namelist()
        unknown = later.get(ARCHIVE, headers={**resume, "If-Range": '"unknown"'})
        assert (unknown.status_code, unknown.content) == (200, fresh.content)


def test_a_snapshot_is_not_given_to_others(
    house: Any, serve: Any, folder: dict[str, bytes], client: httpx.Client
) -> None:
    etag = client.head(ARCHIVE).headers["etag"]
    other = "00000000-0000-7000-8000-00000000abcd"
    with house.client(serve, other) as stranger:
        assert stranger.get(ARCHIVE).status_code == 404
        upload(stranger, "own.txt", b"mine", "school")
        answer = stranger.get(ARCHIVE, headers={"If-Range": etag, "Range": "bytes=0-9"})
        assert answer.status_code == 200
        assert zipfile.ZipFile(io.BytesIO(answer.content)).namelist() == ["own.txt"]


def test_a_manager_gets_everybodys_files_of_a_folder_under_distinct_names(house: Any, serve: Any) -> None:
    people = [f"00000000-0000-7000-8000-0000000000{index:02}" for index in range(3)]
    for index, who in enumerate(people):
        with house.client(serve, who) as client:
            upload(client, "Soup.txt", f"soup {index}".encode(), "shared-name")
    with house.client(serve, people[0], "manager") as manager:
        data = manager.get("/api/v1/folders/shared-name/archive.zip").content
    assert zipfile.ZipFile(io.BytesIO(data)).namelist() == ["Soup.txt", "Soup (2).txt", "Soup (3).txt"]


def test_all_files_come_as_one_zip_too(client: httpx.Client, folder: dict[str, bytes]) -> None:
    names = zipfile.ZipFile(io.BytesIO(client.get("/api/v1/folders/archive.zip").content)).namelist()
    assert "school/çorba.txt" in names
    assert "schoolyard/elsewhere.txt" in names


def test_a_zip_ends_short_when_an_object_is_cut(client: httpx.Client, house: Any) -> None:
    upload(client, "a.bin", os.urandom(3_000_000), "torn")
    file = upload(client, "b.bin", os.urandom(3_000_000), "torn")
    path = house.directory / "objects" / house.objects_of(file["sha256"])[0]
    path.write_bytes(path.read_bytes()[:1_000_000])
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/api/v1/folders/torn/archive.zip")
