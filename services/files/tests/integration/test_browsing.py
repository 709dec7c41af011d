"""Lists, folders, renames, removals, and who may see what."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest


def upload(client: httpx.Client, name: str, content: bytes, folder: str = "") -> dict[str, Any]:
    answer = client.post("/api/v1/files/", files={"file": (name, content)}, data={"folder": folder})
    assert answer.status_code in {200, 201}, answer.text
    body: dict[str, Any] = answer.json()
    return body


def follow(client: httpx.Client, url: str) -> httpx.Response:
    """Lists name the gateway's addresses; this client talks to the service itself."""
    assert url.startswith("http")
    parts = httpx.URL(url)
    return client.get(parts.raw_path.decode())


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["name"] for row in answer.json()["results"]]


def test_pages_of_files_go_forth_and_back_without_a_gap(client: httpx.Client) -> None:
    for index in range(7):
        upload(client, f"{index}.txt", f"{index}".encode(), "pages")
    first = client.get("/api/v1/files/", params={"folder": "pages", "limit": 3})
    second = follow(client, first.json()["next"])
    third = follow(client, second.json()["next"])
    assert names(first) + names(second) + names(third) == [f"{index}.txt" for index in (6, 5, 4, 3, 2, 1, 0)]
    assert first.json()["previous"] is None
    assert third.json()["next"] is None
    back = follow(client, third.json()["previous"])
    assert names(back) == names(second)
    assert names(follow(client, back.json()["previous"])) == names(first)


def test_filters_narrow_the_list(client: httpx.Client, house: Any) -> None:
    upload(client, "Soup.txt", b"1", "a")
    done = upload(client, "50%_off.png", b"2", "a/b")
    house.execute("UPDATE file SET status = 'completed', kind = 'image' WHERE id = %s", done["id"])
    assert names(client.get("/api/v1/files/", params={"folder": "a"})) == ["Soup.txt"]
    assert names(client.get("/api/v1/files/", params={"status": "completed"})) == ["50%_off.png"]
    assert names(client.get("/api/v1/files/", params={"kind": "image"})) == ["50%_off.png"]
    assert names(client.get("/api/v1/files/", params={"q": "soUP"})) == ["Soup.txt"]
    assert names(client.get("/api/v1/files/", params={"q": "0%_"})) == ["50%_off.png"]
    assert names(client.get("/api/v1/files/", params={"q": "%"})) == ["50%_off.png"]
    assert names(client.get("/api/v1/files/", params={"folder": ""})) == []


def test_folders_count_everything_below_them(client: httpx.Client) -> None:
    upload(client, "1.txt", b"12345", "meals/soups/hot")
    upload(client, "2.txt", b"123", "meals/soups")
    upload(client, "3.txt", b"1", "meals/cakes")
    upload(client, "4.txt", b"22", "meals")
    top = client.get("/api/v1/folders/").json()["results"]
    assert top == [{"path": "meals", "files": 4, "bytes": 11}]
    under = client.get("/api/v1/folders/", params={"under": "meals"}).json()["results"]
    assert under == [{"path": "meals/cakes", "files": 1, "bytes": 1}, {"path": "meals/soups", "files": 2, "bytes": 8}]
    assert client.get("/api/v1/folders/", params={"under": "nowhere"}).json()["results"] == []


def test_pages_of_folders_go_forth_and_back(client: httpx.Client) -> None:
    for index in range(5):
        upload(client, "x.txt", b"x", f"p/{index}")
    first = client.get("/api/v1/folders/", params={"under": "p", "limit": 2}).json()
    second = follow(client, first["next"]).json()
    third = follow(client, second["next"]).json()
    found = [row["path"] for page in (first, second, third) for row in page["results"]]
    assert found == [f"p/{index}" for index in range(5)]
    assert follow(client, third["previous"]).json()["results"] == second["results"]


def test_a_file_can_be_renamed_and_moved(client: httpx.Client) -> None:
    file = upload(client, "old.txt", b"1", "from")
    answer = client.patch(f"/api/v1/files/{file['id']}", json={"name": "new.txt", "folder": "to/there"})
    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["folder"]) == ("new.txt", "to/there")
    assert client.get("/api/v1/folders/no/archive.zip").status_code == 404
    assert client.get("/api/v1/folders/from/archive.zip").status_code == 404


@pytest.mark.parametrize("change", [{"name": None}, {"folder": None}, {"name": "a/b.txt"}, {"name": 7}])
def test_a_change_that_is_no_name_changes_nothing(client: httpx.Client, change: dict[str, Any]) -> None:
    file = upload(client, "a.txt", b"1", "f")
    answer = client.patch(f"/api/v1/files/{file['id']}", json=change)
    assert answer.status_code == 422
    found = client.get(f"/api/v1/files/{file['id']}").json()
    assert (found["name"], found["folder"]) == ("a.txt", "f")


def test_a_taken_name_is_a_conflict_and_nothing_changes(client: httpx.Client) -> None:
    upload(client, "a.txt", b"1", "f")
    file = upload(client, "b.txt", b"2", "f")
    answer = client.patch(f"/api/v1/files/{file['id']}", json={"name": "a.txt"})
    assert (answer.status_code, answer.json()["code"]) == (409, "files.name_taken")
    assert client.get(f"/api/v1/files/{file['id']}").json()["name"] == "b.txt"


def test_a_removed_file_is_gone_and_told_about_while_its_copy_stays(client: httpx.Client, house: Any) -> None:
    file = upload(client, "a.txt", b"only once", "f")
    copy = upload(client, "b.txt", b"only once", "f")
    assert client.delete(f"/api/v1/files/{file['id']}").status_code == 204
    assert client.get(f"/api/v1/files/{file['id']}").status_code == 404
    assert client.get(file["url"]).status_code == 404
    assert client.delete(f"/api/v1/files/{file['id']}").status_code == 404
    assert client.get(copy["url"]).content == b"only once"
    assert client.get(f"/api/v1/files/{copy['id']}").json()["duplicate_of"] is None
    events = [event["type"] for event in house.events() if event["subject"] == file["id"]]
    assert events == ["ochaq.files.file.uploaded.v1", "ochaq.files.file.removed.v1"]


@pytest.mark.parametrize("roles", [(), ("student",), ("instructor",), ("customer",), ("operator",)])
def test_a_foreign_file_does_not_exist(client: httpx.Client, house: Any, serve: Any, roles: tuple[str, ...]) -> None:
    file = upload(client, "mine.txt", uuid.uuid4().bytes, "private")
    with house.client(serve, str(uuid.uuid4()), *roles) as other:
        path = f"/api/v1/files/{file['id']}"
        found = [other.get(path), other.get(file["url"]), other.patch(path, json={"name": "x"}), other.delete(path)]
        found.append(other.get("/api/v1/folders/private/archive.zip"))
        assert [answer.status_code for answer in found] == [404] * 5
        assert names(other.get("/api/v1/files/")) == []
        assert other.get("/api/v1/folders/").json()["results"] == []
    assert client.get(path).json()["name"] == "mine.txt"


def test_a_manager_sees_and_keeps_order_in_everybodys_files(client: httpx.Client, house: Any, serve: Any) -> None:
    file = upload(client, "mine.txt", uuid.uuid4().bytes)
    with house.client(serve, str(uuid.uuid4()), "manager") as manager:
        assert manager.get(f"/api/v1/files/{file['id']}").status_code == 200
        assert manager.delete(f"/api/v1/files/{file['id']}").status_code == 204


def test_a_service_reads_but_owns_nothing(client: httpx.Client, house: Any, serve: Any) -> None:
    from ochaq_shared.identity import Signer

    file = upload(client, "mine.txt", uuid.uuid4().bytes)
    token = Signer(house.directory / "keys" / "worker.pem", "worker").sign("files", "service:worker")
    with httpx.Client(base_url=serve.url, headers={"Authorization": f"Bearer {token}"}) as worker:
        assert worker.get(file["url"]).status_code == 200
        assert worker.post("/api/v1/files/", files={"file": ("a", b"1")}).status_code == 403
        assert worker.delete(f"/api/v1/files/{file['id']}").status_code == 403


def test_the_api_describes_itself(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        "/api/v1/files/",
        "/api/v1/files/{file_id}",
        "/api/v1/files/{file_id}/content",
        "/api/v1/folders/",
        "/api/v1/folders/archive.zip",
        "/api/v1/folders/{path}/archive.zip",
    }
    assert "multipart/form-data" in document["paths"]["/api/v1/files/"]["post"]["requestBody"]["content"]
