"""Plates: the same every time, different for every recipe, and harmless as documents."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ochaq_web.cookbook.plates import draw
from ochaq_web.cookbook.plates.dish import COURSES, Dish, Part, course_of, grams
from ochaq_web.cookbook.plates.motifs import MOTIFS
from ochaq_web.cookbook.plates.palette import look_of

PARTS = (
    Part("tomato", "#dd3b2a", "slice", "vegetable", 200),
    Part("lamb", "#94503a", "chunk", "meat", 500),
    Part("dill", "#6c9c4a", "sprig", "herb", 20),
    Part("cumin", "#8a6436", "seed", "spice", 4),
    Part("plain yogurt", "#fffdf6", "drop", "dairy", 100),
)
ALLOWED = {
    "svg",
    "defs",
    "g",
    "path",
    "circle",
    "ellipse",
    "rect",
    "use",
    "radialGradient",
    "stop",
    "clipPath",
    "pattern",
}


@pytest.mark.parametrize("course", COURSES)
def test_every_course_is_a_well_formed_drawing_of_known_elements(course: str) -> None:
    picture = draw(Dish("somsa", course, PARTS), tool="spoon")
    names = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(picture).iter()}
    assert names <= ALLOWED
    assert len(picture) < 40_000


PROGRAM = """
import django, hashlib, os
os.environ["DJANGO_SETTINGS_MODULE"] = "ochaq_web.config.settings"
django.setup()
from ochaq_web.cookbook.plates import draw
from ochaq_web.cookbook.plates.dish import COURSES, Dish, Part
parts = {parts}
for course in COURSES:
    print(hashlib.sha256(draw(Dish("somsa", course, parts))).hexdigest())
"""


def test_the_same_dish_is_the_same_picture_in_another_process() -> None:
    program = PROGRAM.format(parts=repr(PARTS))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    here = [hashlib.sha256(draw(Dish("somsa", course, PARTS))).hexdigest() for course in COURSES]
    assert done.stdout.split() == here


def test_another_recipe_is_another_picture() -> None:
    assert len({draw(Dish(f"recipe-{number}", "soups", PARTS)) for number in range(20)}) == 20


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(COURSES),
    st.lists(
        st.builds(
            Part,
            st.text(max_size=20),
            st.from_regex(r"#[0-9a-f]{6}", fullmatch=True),
            st.sampled_from([*MOTIFS, "unheard of"]),
            st.sampled_from(["vegetable", "basic", "spice", "herb", "dairy", "other", "oil", "drink"]),
            st.floats(min_value=0, max_value=5000),
        ),
        max_size=6,
    ),
)
def test_whatever_is_in_a_dish_it_can_be_drawn(course: str, parts: list[Part]) -> None:
    one = Part("bread", "#d99a4a", "chunk", "bread", 100)
    ElementTree.fromstring(draw(Dish("x", course, (*parts, one))))


def test_an_unknown_food_looks_the_same_every_time() -> None:
    assert look_of("Durian") == look_of("durian")
    assert look_of("durian")["motif"] in MOTIFS


def test_a_dish_without_a_course_is_served_on_a_plate() -> None:
    assert course_of(["quick", "soups"]) == "soups"
    assert course_of([]) in COURSES


def test_no_amount_weighs_a_little() -> None:
    assert 0 < grams(None, "") < 10
