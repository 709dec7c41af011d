"""Range headers (RFC 9110 section 14)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ochaq_files.api.ranges import attachment, parse_ranges
from ochaq_shared.problems import Problem


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-99", [(0, 100)]),
        ("bytes=90-200", [(90, 100)]),
        ("bytes=5-", [(5, 100)]),
        ("bytes=-5", [(95, 100)]),
        ("bytes=-500", [(0, 100)]),
        ("BYTES = 1-2", [(1, 3)]),
        ("bytes=0-1,50-51", [(0, 2), (50, 52)]),
        ("bytes=50-51, 0-1", [(0, 2), (50, 52)]),
        ("bytes=0-10,5-20,21-22", [(0, 23)]),
        ("bytes=0-1,500-600", [(0, 2)]),
    ],
)
def test_satisfiable_ranges_are_found_merged_and_in_order(header: str, found: list[tuple[int, int]]) -> None:
    assert parse_ranges(header, 100) == found


@pytest.mark.parametrize(
    "header",
    ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-1", "bytes=--5", "bytes=1-2-3", "items=0-1", "bytes=٣-٤",
     "bytes=-1-1", "bytes=" + ",".join(f"{i * 3}-{i * 3}" for i in range(17)),
     "bytes=0-" + "9" * 100, "bytes=0-1," + " " * 3000],
)  # fmt: skip
def test_what_is_no_range_of_ours_is_ignored(header: str) -> None:
    assert parse_ranges(header, 100) is None


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=999-1000,500-"])
def test_ranges_outside_are_not_satisfiable(header: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_ranges(header, 100)
    assert refused.value.status == 416
    assert refused.value.headers["Content-Range"] == "bytes */100"


@given(st.text(max_size=60), st.integers(0, 1000))
def test_no_header_makes_an_impossible_range(header: str, size: int) -> None:
    try:
        found = parse_ranges("bytes=" + header, size)
    except Problem:
        return
    assert all(0 <= start < stop <= size for start, stop in found or [])


def test_a_name_survives_content_disposition_whatever_it_holds() -> None:
    assert (
        attachment('ço"rba\r\n.txt')
        == "attachment; filename=\"_o_rba__.txt\"; filename*=UTF-8''%C3%A7o%22rba%0D%0A.txt"
    )
