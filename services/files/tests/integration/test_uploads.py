"""Uploads through the real door, on the real database and object store."""

from __future__ import annotations

import hashlib
import os
import uuid
from typing import Any

import httpx


def upload(client: httpx.Client, name: str, content: bytes, folder: str = "", **headers: str) -> httpx.Response:
    return client.post("/api/v1/files/", files={"file": (name, content)}, data={"folder": folder}, headers=headers)


def test_a_new_content_answers_201_with_the_whole_file(client: httpx.Client, person: str) -> None:
    content = os.urandom(300_000)
    answer = upload(client, "çorba.bin", content, "bench/one")
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/files/{body['id']}"
    assert body["name"] == "çorba.bin"
    assert body["folder"] == "bench/one"
    assert body["size"] == 300_000
    assert body["sha256"] == hashlib.sha256(content).hexdigest()
    assert body["status"] == "pending"
    assert body["duplicate_of"] is None
    assert body["owner"] == person
    assert client.get(body["url"]).content == content


def test_a_renamed_copy_answers_200_and_names_the_first(client: httpx.Client) -> None:
    content = os.urandom(5000)
    first = upload(client, "a.bin", content, "x").json()
    again = upload(client, "b.bin", content, "y")
    assert again.status_code == 200
    assert again.json()["id"] != first["id"]
    assert again.json()["duplicate_of"] == {"id": first["id"], "name": "a.bin", "folder": "x", "url": first["url"]}
    assert client.get(f"/api/v1/files/{again.json()['id']}").json()["duplicate_of"]["id"] == first["id"]


def test_the_same_upload_again_answers_200_with_the_existing_entry(client: httpx.Client) -> None:
    content = os.urandom(5000)
    first = upload(client, "a.bin", content, "x").json()
    again = upload(client, "a.bin", content, "x")
    assert again.status_code == 200
    assert again.json()["id"] == first["id"]
    assert again.json()["duplicate_of"]["id"] == first["id"]
    assert again.json()["version"] == 1


def test_other_content_under_the_same_name_is_a_new_version(client: httpx.Client, house: Any) -> None:
    first = upload(client, "menu.txt", b"soup", "x").json()
    second = upload(client, "menu.txt", os.urandom(50), "x")
    assert second.status_code == 201
    assert second.json()["id"] == first["id"]
    assert second.json()["version"] == 2
    versions = house.rows("SELECT number FROM file_version WHERE file_id = %s ORDER BY number", first["id"])
    assert [row["number"] for row in versions] == [1, 2]


def test_a_copy_no_longer_names_an_original_that_has_other_content(client: httpx.Client) -> None:
    content = os.urandom(60)
    original = upload(client, "menu.txt", content, "x").json()
    copy = upload(client, "copy.txt", content, "x").json()
    assert copy["duplicate_of"]["id"] == original["id"]
    upload(client, "menu.txt", os.urandom(50), "x")
    assert client.get(f"/api/v1/files/{copy['id']}").json()["duplicate_of"] is None


def test_content_of_others_is_stored_once_without_a_word(house: Any, serve: Any) -> None:
    content = os.urandom(9000)
    with house.client(serve, str(uuid.uuid4())) as one, house.client(serve, str(uuid.uuid4())) as other:
        first, second = upload(one, "a.bin", content), upload(other, "b.bin", content)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json()["duplicate_of"] is None
    sha256 = first.json()["sha256"]
    assert len(house.rows("SELECT 1 FROM blob WHERE sha256 = %s", sha256)) == 1
    assert len([key for key in house.objects() if sha256 in key]) == 1


def test_a_manager_is_told_about_everybodys_copies(house: Any, serve: Any, client: httpx.Client) -> None:
    content = os.urandom(900)
    first = upload(client, "a.bin", content).json()
    with house.client(serve, str(uuid.uuid4()), "manager") as manager:
        answer = upload(manager, "b.bin", content)
    assert answer.status_code == 200
    assert answer.json()["duplicate_of"]["id"] == first["id"]


def test_a_large_file_goes_through_the_spool_and_comes_back(client: httpx.Client, house: Any) -> None:
    content = os.urandom(7_000_001)
    body = upload(client, "film.bin", content, "large").json()
    assert client.get(body["url"]).content == content
    assert house.scraps() == []


def test_an_empty_file_is_a_file(client: httpx.Client) -> None:
    body = upload(client, "empty.txt", b"").json()
    answer = client.get(body["url"])
    assert (body["size"], answer.status_code, answer.content) == (0, 200, b"")


def test_the_folder_field_may_come_after_the_file(client: httpx.Client) -> None:
    boundary = "x1"
    form = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="folder"\r\n\r\nlate\r\n--{boundary}--\r\n'
    )
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    answer = client.post("/api/v1/files/", content=form.encode(), headers=headers)
    assert answer.json()["folder"] == "late"


def test_an_idempotency_key_gives_the_first_answer_again(client: httpx.Client, house: Any, person: str) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    content = os.urandom(100)
    first = upload(client, "a.bin", content, "x", **key)
    again = upload(client, "a.bin", content, "x", **key)
    other = upload(client, "a.bin", os.urandom(100), "x", **key)
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert other.json()["code"] == "idempotency.mismatch"
    assert len(house.rows("SELECT 1 FROM file WHERE owner = %s", person)) == 1


def test_a_form_without_a_script_is_sent_on_to_the_folder(client: httpx.Client) -> None:
    answer = upload(client, "a.txt", b"hello", "soups/hot", Accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/files/?folder=soups%2Fhot"


def test_each_upload_emits_one_event_with_its_owner(client: httpx.Client, house: Any, person: str) -> None:
    body = upload(client, "a.txt", os.urandom(10)).json()
    found = [event for event in house.events() if event["subject"] == body["id"]]
    assert [event["type"] for event in found] == ["ochaq.files.file.uploaded.v1"]
    assert found[0]["data"]["owner"] == person
