"""The register of faults: a name of the matrix, what it is, how soon the platform must be back, and the code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rig.ground import Ground
from rig.report import Row
from rig.scene import Scene, Size

Body = Callable[[Scene], None]


@dataclass(frozen=True)
class Fault:
    """One row of the matrix. `limit` is its recovery time in seconds; `ordered` is False where the fault shuffles."""

    name: str
    title: str
    limit: float
    body: Body
    ordered: bool = True

    def play(self, ground: Ground, seed: int, size: Size) -> Row:
        return Scene(ground, self.name, self.limit, seed, size, self.ordered).play(self.body)


_known: dict[str, Fault] = {}


def fault(name: str, title: str, *, limit: float, ordered: bool = True) -> Callable[[Body], Body]:
    """Register the code of a fault. It runs while the ledger works; see `Scene` for what it may do."""

    def register(body: Body) -> Body:
        if name in _known:
            raise ValueError(f"{name} is registered twice")
        _known[name] = Fault(name, title, limit, body, ordered)
        return body

    return register


def known() -> dict[str, Fault]:
    """Every fault, in the order of their registration, which is the order they run in."""
    return dict(_known)
