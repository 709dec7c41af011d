"""What a plate is drawn from: the course, and the foods with their share of the dish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from ochaq_web.cookbook.plates.motifs import HERBS, SMALL

# Rough grams of one unit, only to tell what there is much of: a picture needs no scale.
_GRAMS = {
    "kg": 1000,
    "l": 1000,
    "g": 1,
    "ml": 1,
    "cup": 140,
    "tbsp": 14,
    "tsp": 4,
    "piece": 80,
    "bunch": 50,
    "slice": 30,
}
_FEW_GRAMS = 4
_MANY_EGGS = 200

# Foods that are in a dish without being seen on it.
UNSEEN = frozenset({"basic", "oil"})
COURSES = (
    "soups",
    "salads",
    "meze",
    "breads",
    "dumplings",
    "rice",
    "noodles",
    "meat",
    "poultry",
    "fish",
    "vegetables",
    "beans and lentils",
    "breakfast",
    "savoury pastries",
    "cakes",
    "sweets",
    "drinks",
    "sauces",
    "preserves",
)


@dataclass(frozen=True)
class Part:
    """One food of the dish."""

    name: str
    colour: str
    motif: str
    category: str
    grams: float

    @property
    def seen(self) -> bool:
        return self.category not in UNSEEN

    @property
    def herb(self) -> bool:
        return self.motif in HERBS and self.category in {"herb", "drink"}

    @property
    def hidden_egg(self) -> bool:
        """One or two eggs bind a dish; only more of them are there to be seen."""
        return self.motif == "egg" and self.grams < _MANY_EGGS

    @property
    def small(self) -> bool:
        return self.motif in SMALL


@dataclass(frozen=True)
class Dish:
    """Everything a drawing may depend on."""

    seed: str
    course: str
    parts: tuple[Part, ...]

    @property
    def seen(self) -> list[Part]:
        """What can be seen, the most of it first."""
        return sorted((part for part in self.parts if part.seen), key=lambda part: (-part.grams, part.name))

    @property
    def pieces(self) -> list[Part]:
        """What lies on the plate in pieces."""
        bigger = [
            part
            for part in self.seen
            if not part.herb and not part.small and part.motif != "drop" and not part.hidden_egg
        ]
        return bigger or [part for part in self.seen if not part.herb] or list(self.parts)

    @property
    def herbs(self) -> list[Part]:
        return [part for part in self.seen if part.herb]

    @property
    def specks(self) -> list[Part]:
        return [part for part in self.seen if part.small and part.category in {"spice", "nut", "fruit", "herb"}]

    def of(self, *categories: str) -> list[Part]:
        return [part for part in self.seen if part.category in categories]

    def has(self, *names: str) -> bool:
        return any(part.name in names for part in self.parts)


def grams(amount: Decimal | None, unit: str) -> float:
    return float(amount) * _GRAMS.get(unit, _FEW_GRAMS) if amount is not None else _FEW_GRAMS


def course_of(tags: Sequence[str]) -> str:
    """The first course among a recipe's tags; unknown dishes are served on a plate."""
    return next((course for course in COURSES if course in tags), "meat")
