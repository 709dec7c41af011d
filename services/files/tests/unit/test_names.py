"""What a file and a folder may be called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ochaq_files.names import file_name, folder_path, new_name
from ochaq_shared.problems import Problem


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("soup.txt", "soup.txt"),
        ("e\u0301.txt", "\u00e9.txt"),
        ("C:\\kitchen\\soup.txt", "soup.txt"),
        ("kitchen/soup.txt", "soup.txt"),
        ("  soup.txt  ", "soup.txt"),
        ("soup.", "soup"),
        ("çorba 🍲.jpg", "çorba 🍲.jpg"),
        ("ş" * 125 + ".jpg", "ş" * 125 + ".jpg"),
        (".htaccess", ".htaccess"),
        ("o'zbek oʻchoq.pdf", "o'zbek oʻchoq.pdf"),
    ],
)
def test_a_usable_name_is_kept_in_its_one_spelling(raw: str, kept: str) -> None:
    assert file_name(raw) == kept


@pytest.mark.parametrize(
    "raw",
    ["", " ", ".", "..", "...", "a/../b.txt", "../b.txt", "a\0b", "a\nb", "\x7f", "con", "NUL.txt", "com1", "LPT¹.doc",
     "x/", "ş" * 128, "photo\u202egpj.exe", "a\u2028b", "\ud800"],
)  # fmt: skip
def test_an_unusable_name_is_refused(raw: str) -> None:
    with pytest.raises(Problem) as refused:
        file_name(raw)
    assert refused.value.code == "files.name_invalid"


@pytest.mark.parametrize("raw", ["a/b.txt", "/b.txt", "a\\b.txt", "..", ""])
def test_a_new_name_is_taken_whole_or_not_at_all(raw: str) -> None:
    assert new_name(" b.txt ") == "b.txt"
    with pytest.raises(Problem) as refused:
        new_name(raw)
    assert refused.value.code == "files.name_invalid"


@pytest.mark.parametrize(
    ("raw", "kept"), [("", ""), ("/", ""), ("a/b", "a/b"), ("/a//b/", "a/b"), (" a / b ", "a/b"), ("e\u0301", "\u00e9")]
)
def test_a_usable_folder_has_one_canonical_path(raw: str, kept: str) -> None:
    assert folder_path(raw) == kept


@pytest.mark.parametrize(
    "raw", ["../../etc", "a/../b", "./a", "a/.", "a\\b", "a/con/b", "a\0", "a/\n",
     "x" * 256, "/".join(["a"] * 33), "/".join(["ş" * 100] * 6)]
)  # fmt: skip
def test_an_unusable_folder_is_refused(raw: str) -> None:
    with pytest.raises(Problem) as refused:
        folder_path(raw)
    assert refused.value.code == "files.folder_invalid"


@given(st.text())
def test_a_kept_name_is_kept_again_and_never_climbs(raw: str) -> None:
    try:
        kept = file_name(raw)
    except Problem:
        return
    assert file_name(kept) == kept
    assert "/" not in kept
    assert kept not in {".", ".."}
    assert len(kept.encode()) <= 255


@given(st.text())
def test_a_kept_folder_is_kept_again_and_never_climbs(raw: str) -> None:
    try:
        kept = folder_path(raw)
    except Problem:
        return
    assert folder_path(kept) == kept
    assert not {".", ".."} & set(kept.split("/"))
