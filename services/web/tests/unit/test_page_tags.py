"""What the templates' own tags and filters write."""

from datetime import UTC, datetime

import pytest
from django.template import Context, Template
from django.utils import translation
from ochaq_web.core.templatetags import ochaq


def render(source, **context):
    return Template("{% load ochaq %}" + source).render(Context(context))


def test_an_amount_is_set_as_a_fraction():
    assert ochaq.fraction("1 1/2") == '1 <span class="fraction"><sup>1</sup>⁄<sub>2</sub></span>'
    assert ochaq.fraction("200") == "200"
    assert ochaq.fraction("<b>") == "&lt;b&gt;"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("for 20 minutes", 1200),
        ("1 1/2 hours", 5400),
        ("10-12 min", 600),
        ("2 saat", 7200),
        ("5 минут", 300),
        ("1,5 hours", 5400),
    ],
)
def test_times_in_a_step_are_marked_with_their_seconds(text, seconds):
    assert f'data-seconds="{seconds}"' in ochaq.times(text)


@pytest.mark.parametrize("text", ["2 minced onions", "at 180 degrees", "300 hours", "0 minutes"])
def test_other_numbers_are_left_alone(text):
    assert "data-seconds" not in ochaq.times(text)


def test_a_step_is_text_whatever_it_says():
    assert ochaq.times("<script>x</script> 5 min & <b>").startswith("&lt;script&gt;")
    assert ochaq.times("5 min & <b>").endswith(" &amp; &lt;b&gt;")


def test_a_moment_is_exact_for_machines_and_readable_for_people():
    html = ochaq.when(datetime(2026, 11, 20, 16, 30, 5, tzinfo=UTC))
    assert 'datetime="2026-11-20T16:30:05+00:00"' in html
    assert "20 Nov 2026 16:30" in html
    assert ochaq.when("2026-11-20T16:30:05.000Z") == html
    assert ochaq.when(None) == "–"


def test_numbers_are_grouped_as_the_language_groups_them():
    assert ochaq.figure(10000) == "10,000"
    with translation.override("tr"):
        assert ochaq.figure(10000) == "10.000"
    assert ochaq.figure("–") == "–"


def test_progress_is_a_percentage_even_before_the_total_is_known():
    assert ochaq.percent({"done": 62, "total": 100}) == 62
    assert ochaq.percent({"done": 5, "total": 0}) == 0
    assert ochaq.percent(None) == 0


def test_a_job_says_what_it_does():
    assert ochaq.job_title({"kind": "students.generate", "params": {"count": 10000}}) == "Make 10,000 demo students"
    assert ochaq.job_title({"kind": "search.rebuild", "params": {}}) == "Rebuild the search index"


def test_data_for_scripts_cannot_end_its_element():
    html = render("{% client_data %}", me={"id": "</script><script>alert(1)</script>", "is_staffish": False})
    assert "</script><script>" not in html
    assert html.count("<script") == 1


def test_an_icon_is_decoration_unless_it_has_a_name():
    assert 'aria-hidden="true"' in render('{% icon "check" %}')
    assert 'aria-label="done"' in render('{% icon "check" label="done" %}')


def test_every_icon_that_templates_and_scripts_name_is_drawn():
    import re
    from pathlib import Path

    import ochaq_web

    package = Path(ochaq_web.__file__).parent
    drawn = set(ochaq.icon_names())
    named = set()
    for path in (package / "templates").rglob("*.html"):
        named |= set(re.findall(r'{% icon "([a-z]+)"|picture="([a-z]+)"', path.read_text()))
    for path in (package / "static" / "js").glob("*.js"):
        named |= {(name, "") for name in re.findall(r'\bicon\("([a-z]+)"\)', path.read_text())}
    assert {one or other for one, other in named} <= drawn
