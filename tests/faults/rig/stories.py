"""What the ledger's clients do: short stories, each about one student, recipe, file or job of its own.

A story remembers what its platform must show in the end: the oracle compares that with what there is.
"""

from __future__ import annotations

import hashlib
import random
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rig.calls import Operation

Do = Callable[[Operation], bool]
"""Asks the platform; True when the operation was acknowledged."""

MANAGER, INSTRUCTOR = "manager", "instructor"
GENERATED_ROWS = 300


@dataclass
class Story(ABC):
    """One thing and what was done to it. `mark` is found nowhere else."""

    mark: str
    rng: random.Random
    operations: list[Operation] = field(default_factory=list)
    id: Any = None

    @abstractmethod
    def tell(self, do: Do) -> None:
        """Do everything, one operation after another; stop where one is not acknowledged."""

    def _ask(self, do: Do, kind: str, method: str, path: str, **more: Any) -> Operation | None:
        """The operation when it was acknowledged, else None."""
        role = more.pop("role", MANAGER)
        # Follows from the mark, so that no two operations of any two runs share a key.
        key = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.mark} {len(self.operations)}"))
        accepted = more.pop("accepted", frozenset())
        operation = Operation(kind, self.mark, method, path, role, key, more, accepted)
        self.operations.append(operation)
        return operation if do(operation) else None

    def of_kind(self, kind: str) -> list[Operation]:
        return [operation for operation in self.operations if operation.kind == kind]

    @property
    def made(self) -> bool:
        """Whether the first operation, the one that makes the thing, was acknowledged."""
        return bool(self.operations) and self.operations[0].acknowledged

    @property
    def settled(self) -> bool:
        """Whether every operation was answered, so that the end is known exactly."""
        return all(operation.status is not None for operation in self.operations)


@dataclass
class StudentStory(Story):
    """Enrolled, perhaps changed, perhaps removed."""

    expected: dict[str, Any] = field(default_factory=dict)
    removed: bool = False
    changes: int = 0

    @property
    def email(self) -> str:
        return f"{self.mark}@ledger.example"

    def tell(self, do: Do) -> None:
        self.expected = {"first_name": "Ledger", "last_name": f"Entry{self.mark[-6:]}", "email": self.email, "age": 20}
        made = self._ask(do, "student.create", "POST", "/api/v1/students/", json=dict(self.expected))
        if made is None:
            return
        self.id = made.answer["id"]
        for age in range(21, 21 + self.rng.choice((0, 0, 1, 2))):
            if self._ask(do, "student.change", "PATCH", self._path, json={"age": age}) is None:
                return
            self.expected["age"] = age
            self.changes += 1
        if self.rng.random() < 0.2:
            # After a lost answer the second request finds the student gone, which is what was wanted.
            gone = self._ask(do, "student.remove", "DELETE", self._path, accepted=frozenset({404}))
            self.removed = gone is not None

    @property
    def _path(self) -> str:
        return f"/api/v1/students/{self.id}/"


@dataclass
class RecipeStory(Story):
    """Published, then changed a few times."""

    expected: dict[str, Any] = field(default_factory=dict)
    changes: int = 0

    def tell(self, do: Do) -> None:
        self.expected = {"name": f"Pilaf {self.mark}", "desc": "0", "servings": 4}
        line = {"food": {"name": "rice"}, "amount": "0.250", "unit_of_measure": "kg"}
        body = {**self.expected, "ingredients": [line]}
        made = self._ask(do, "recipe.publish", "POST", "/api/v1/recipes/", role=INSTRUCTOR, json=body)
        if made is None:
            return
        self.id = made.answer["id"]
        for turn in range(1, 1 + self.rng.choice((0, 1, 2))):
            change = {"desc": str(turn), "servings": 4 + turn}
            path = f"/api/v1/recipes/{self.id}/"
            if self._ask(do, "recipe.change", "PATCH", path, role=INSTRUCTOR, json=change) is None:
                return
            self.expected.update(change)
            self.changes += 1


@dataclass
class FileStory(Story):
    """Uploaded; now and then with the very bytes of another one."""

    content: bytes = b""
    folder: str = ""

    @property
    def name(self) -> str:
        return f"{self.mark}.txt"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def tell(self, do: Do) -> None:
        made = self._ask(
            do,
            "file.upload",
            "POST",
            "/api/v1/files/",
            files={"file": (self.name, self.content, "text/plain")},
            data={"folder": self.folder},
        )
        if made is not None:
            self.id = made.answer["id"]


@dataclass
class JobStory(Story):
    """A job started, and perhaps cancelled."""

    kind: str = "test.noop"
    params: dict[str, Any] = field(default_factory=dict)
    cancelling: bool = False
    expecting: str = "succeeded"
    """How it has to end where nobody cancels it."""

    def tell(self, do: Do) -> None:
        body = {"kind": self.kind, "params": self.params}
        made = self._ask(do, "job.start", "POST", "/api/v1/jobs/", json=body)
        if made is None:
            return
        self.id = made.answer["id"]
        if self.cancelling:
            path = f"/api/v1/jobs/{self.id}/cancel/"
            self._ask(do, "job.cancel", "POST", path, accepted=frozenset({409}))


def stories(rng: random.Random, run: str, *, kinds: tuple[str, ...]) -> Iterator[Story]:
    """Stories without end, the same ones for the same seed. `kinds` are the jobs that this platform knows."""
    shared = f"These words are in several files of run {run}. ".encode() * 40
    for number in range(10**6):
        mark, own = f"{run}n{number}", random.Random(rng.getrandbits(64))
        match own.choices(("student", "recipe", "file", "job"), (40, 15, 20, 25))[0]:
            case "student":
                yield StudentStory(mark, own)
            case "recipe":
                yield RecipeStory(mark, own)
            case "file":
                content = shared if own.random() < 0.2 else f"file {mark}\n".encode() * own.randint(1, 4000)
                yield FileStory(mark, own, content=content, folder=f"faults/{run}")
            case "job":
                yield _job(mark, own, kinds)


def _job(mark: str, rng: random.Random, kinds: tuple[str, ...]) -> JobStory:
    kind = rng.choices(kinds, [PARAMS[kind][0] for kind in kinds])[0]
    params = dict(PARAMS[kind][1])
    return JobStory(mark, rng, kind=kind, params=params, cancelling=kind == "test.steps" and rng.random() < 0.4)


PARAMS: dict[str, tuple[int, dict[str, Any]]] = {
    "test.noop": (60, {}),
    "test.steps": (25, {"steps": 4, "seconds": 0.2}),
    "students.generate": (15, {"count": GENERATED_ROWS, "replace": False}),
}
"""How often each kind is started, and with what."""
