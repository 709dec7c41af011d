"""The files page in front of something that answers as files does."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from ochaq_shared.http import InternalClient
from ochaq_shared.identity import Verifier
from ochaq_web.config.environment import environment
from ochaq_web.core.identity import signer
from ochaq_web.library import shelves

pytestmark = pytest.mark.django_db

FOLDERS = [{"path": "photos/2026 çorba", "files": 3, "bytes": 4096}]
FILE = {
    "id": "01930000-0000-7000-8000-000000000000",
    "name": "a.jpg",
    "folder": "photos",
    "size": 5,
    "kind": "image",
    "status": "completed",
    "failure": None,
    "duplicate_of": None,
    "url": "/api/v1/files/x/content",
    "previews": [],
    "metadata": {},
    "created_at": "2026-11-21T10:00:00.000Z",
}


class Files(BaseHTTPRequestHandler):
    def do_GET(self):
        parts = urlsplit(self.path)
        self.server.asked.append((parts.path, parse_qs(parts.query), self.headers["Authorization"]))
        if self.server.refuse:
            return self.answer(self.server.refuse, {"code": "request.invalid"})
        if parts.path == "/api/v1/folders/":
            return self.answer(200, {"results": FOLDERS, "next": None, "previous": None})
        following = "http://gateway/api/v1/files/?folder=photos&limit=50&cursor=abc"
        return self.answer(200, {"results": [FILE], "next": following, "previous": None})

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        """Quiet."""


@pytest.fixture
def files(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    server.asked, server.refuse = [], 0
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    client = InternalClient(f"http://127.0.0.1:{server.server_port}", signer(), "files")
    monkeypatch.setattr(shelves, "_client", lambda: client)
    yield server
    client.close()
    server.shutdown()
    server.server_close()


def test_a_folder_is_shown_as_its_reader_may_see_it(make_user, browser, files):
    user = make_user("student")
    page = browser(user=user).get("/files/", {"folder": "photos", "cursor": "start"})
    assert page.status_code == 200
    assert page.context["files"] == [FILE]
    assert page.context["folders"] == [
        {**FOLDERS[0], "name": "2026 çorba", "url": "/files/?folder=photos%2F2026+%C3%A7orba"}
    ]
    assert page.context["crumbs"] == [{"name": "photos", "url": "/files/?folder=photos"}]
    assert page.context["archive_url"] == "/api/v1/folders/photos/archive.zip"
    assert page.context["next_url"] == "/files/?folder=photos&cursor=abc"
    _, query, authorization = files.asked[1]
    assert (query["folder"], query["cursor"]) == (["photos"], ["start"])
    found = Verifier(environment().jwks_file, "files").verify(authorization.removeprefix("Bearer "))
    assert (found.subject, found.roles) == (str(user.pk), {"student"})


def test_while_files_is_away_the_page_stays_and_says_so(browser):
    page = browser("student").get("/files/")
    assert page.status_code == 503
    assert page.context["error"]["code"] == "unavailable"
    assert b"<h1" in page.content


@pytest.mark.parametrize("status", [403, 404, 422])
def test_what_files_refuses_is_shown_as_the_problem_it_is(browser, files, status):
    files.refuse = status
    page = browser("student").get("/files/", {"folder": "../../etc"})
    assert page.status_code == status
    assert page.context["error"]["status"] == status
