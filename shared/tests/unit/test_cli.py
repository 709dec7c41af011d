"""The operators' command: where its options may stand, and what belongs to a story."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from ochaq_shared.cli import trace
from ochaq_shared.cli.main import main

STORY, OTHER = "a" * 32, "b" * 32


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OCHAQ_LOCAL", str(tmp_path))
    (tmp_path / "log").mkdir()
    return tmp_path / "log"


def write(log: Path, *lines: dict[str, object]) -> None:
    torn = json.dumps({"ts": "0", "event": "torn", "request_id": STORY})[:-1]
    log.write_text(
        f'no JSON at all {STORY}\n{torn}\n["{STORY}"]\n' + "".join(json.dumps(line) + "\n" for line in lines)
    )


def test_a_story_is_joined_from_lines_of_one_request_and_of_whole_batches(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        logs / "web-relay.log",
        {"ts": "2", "event": "relay.sent", "request_ids": [OTHER, STORY]},
        {"ts": "3", "event": "relay.sent", "request_ids": [OTHER]},
    )
    write(
        logs / "web-serve.log",
        {"ts": "1", "event": "http.request", "request_id": STORY},
        {"ts": "4", "event": "http.request", "request_id": OTHER, "path": f"/requests/{STORY}"},
    )
    assert main(["trace", STORY, "--json"]) == 0
    assert [line["ts"] for line in json.loads(capsys.readouterr().out)] == ["1", "2"]


@pytest.mark.parametrize("words", [["--json", "trace", STORY], ["trace", "--json", STORY], ["trace", STORY, "--json"]])
def test_json_may_be_asked_for_anywhere(logs: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    write(logs / "a.log", {"ts": "1", "event": "e", "request_id": STORY})
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)[0]["request_id"] == STORY


def test_a_story_nobody_told_is_a_failure(logs: Path) -> None:
    write(logs / "a.log", {"ts": "1", "event": "e", "request_id": OTHER})
    assert main(["trace", STORY]) == 1


def test_what_is_logged_meanwhile_does_not_mix_with_what_is_printed(
    logs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(logs / "a.log", {"ts": "1", "event": "e", "request_id": STORY})
    found = trace._matching

    def talkative(directory: Path, request_id: str) -> Iterator[dict[str, Any]]:
        structlog.get_logger("ochaq_shared.bus").info("chatter")
        structlog.get_logger("ochaq_shared.bus").warning("bus.blocked", reason="low on disk")
        yield from found(directory, request_id)

    monkeypatch.setattr(trace, "_matching", talkative)
    assert main(["trace", STORY, "--json"]) == 0
    printed = capsys.readouterr()
    assert [line["ts"] for line in json.loads(printed.out)] == ["1"]
    assert "bus.blocked" in printed.err
    assert "low on disk" in printed.err
    assert "chatter" not in printed.err
