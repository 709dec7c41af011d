"""What a race concludes from its laps."""

from __future__ import annotations

from typing import Any

import pytest
from ochaq_worker.lab import compared
from ochaq_worker.runs import JobFailed


def lap(way: str, number: int, seconds: float, **over: int) -> dict[str, Any]:
    result = {"rows": 500, "left": 0, "seconds": seconds, "round": number, **over}
    return {"id": f"{way}{number}", "kind": f"lab.{way}", "status": "succeeded", "result": result}


def test_the_ratio_is_of_each_round_and_laps_may_come_in_any_order() -> None:
    laps = [lap("ours", 3, 0.01), lap("naive", 1, 1.0), lap("ours", 1, 0.01), lap("naive", 3, 3.0)]
    found = compared(500, [*laps, lap("ours", 2, 0.02), lap("naive", 2, 1.0)])
    assert found["rounds"] == [
        {"naive_seconds": 1.0, "ours_seconds": 0.01},
        {"naive_seconds": 1.0, "ours_seconds": 0.02},
        {"naive_seconds": 3.0, "ours_seconds": 0.01},
    ]
    assert found["ratio"] == {"median": 100.0, "min": 50.0, "max": 300.0}
    assert found["rows"] == 500


@pytest.mark.parametrize("over", [{"rows": 499}, {"rows": 501}, {"left": 1}])
@pytest.mark.parametrize("way", ["naive", "ours"])
def test_sides_that_did_not_do_the_same_are_not_compared(way: str, over: dict[str, int]) -> None:
    laps = {"naive": lap("naive", 1, 1.0), "ours": lap("ours", 1, 0.01)}
    laps[way]["result"].update(over)
    with pytest.raises(JobFailed) as caught:
        compared(500, list(laps.values()))
    assert caught.value.code == "lab.rows_differ"
