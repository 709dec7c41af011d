"""Pieces in batches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from ochaq_files.reading import batches
from ochaq_files.storage.objects import Piece, Span

pieces_strategy = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.tuples(st.integers(0, 50), st.integers(0, 200)).map(
            lambda found: Span("k", found[0], found[0] + found[1], 300)
        ),
    ),
    max_size=30,
)


def spelled(pieces: list[Piece]) -> list[object]:
    """Byte by byte, so that only order and content count."""
    return [
        unit for p in pieces for unit in (p if isinstance(p, bytes) else [("k", at) for at in range(p.start, p.stop)])
    ]


@given(pieces_strategy, st.integers(20, 100), st.integers(1, 5))
def test_batches_keep_order_and_limits(pieces: list[Piece], limit: int, spans: int) -> None:
    found = list(batches(iter(pieces), limit, spans))
    assert spelled([piece for batch in found for piece in batch]) == spelled(pieces)
    for batch in found:
        assert sum(len(p) if isinstance(p, bytes) else p.stop - p.start for p in batch) <= limit
        assert sum(isinstance(p, Span) for p in batch) <= spans
