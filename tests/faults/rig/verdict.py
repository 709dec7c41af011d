"""What the oracle says of one run of one fault."""

from __future__ import annotations

from dataclasses import dataclass, field

SHOWN = 6


@dataclass
class Verdict:
    """Each list holds sentences; an empty verdict is a good one."""

    lost: list[str] = field(default_factory=list)
    dup: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    ghosts: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Anything else that must not be: an answer that may not be given, a limit that did not hold."""

    def __bool__(self) -> bool:
        """Whether something was found."""
        return any(vars(self).values())

    def add(self, other: Verdict) -> None:
        for name, found in vars(other).items():
            vars(self)[name].extend(found)

    def __str__(self) -> str:
        parts = []
        for name, found in vars(self).items():
            if found:
                more = f" … and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
                parts.append(f"{name} {len(found)}: " + "; ".join(found[:SHOWN]) + more)
        return "\n".join(parts) or "nothing found"
