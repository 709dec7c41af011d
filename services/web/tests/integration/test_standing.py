"""Who is remembered for the time without PostgreSQL, and what ends that."""

import time

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from ochaq_web.accounts import services
from ochaq_web.core import standing
from ochaq_web.core.postgres.absence import Absence

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "salt and pepper 42"
NEW = "cumin and coriander 43"


@pytest.fixture
def operator(make_user):
    return make_user("operator", name="Olga", handle="olga")


@pytest.fixture
def seen(browser, operator):
    """An operator's browser that has been on a page."""
    client = browser(user=operator)
    assert client.get("/ops/").status_code == 200
    return client


def recalled(client):
    return standing.recall(client.cookies["sessionid"].value)


def test_an_operator_is_remembered_by_any_page_that_lets_in(browser, operator):
    client = browser(user=operator)
    assert recalled(client) is None
    client.get("/accounts/profile/")
    known = recalled(client)
    assert (known.user_id, known.name, known.role_names) == (str(operator.pk), "Olga", {"operator"})
    assert not known.is_staff


@pytest.mark.parametrize("role", ["student", "instructor", "customer"])
def test_who_may_not_see_the_page_is_not_remembered(browser, role):
    client = browser(role)
    assert client.get("/accounts/profile/").status_code == 200
    assert client.get("/ops/").status_code == 403
    assert recalled(client) is None


def test_only_this_session_counts(seen):
    key = seen.cookies["sessionid"].value
    assert standing.recall(key) is not None
    for other in (None, "", key[:-1], key.upper() + "x", "\udcff", "a" * 10_000):
        assert standing.recall(other) is None


def test_signing_out_ends_it_and_a_late_page_does_not_bring_it_back(seen, operator):
    key = seen.cookies["sessionid"].value
    began = time.time()
    seen.post("/accounts/logout/")
    assert standing.recall(key) is None
    standing.remember(key, user_id=operator.pk, name="", roles=frozenset({"operator"}), began=began)
    assert standing.recall(key) is None


def test_a_sign_in_elsewhere_ends_nothing(seen, client, operator):
    client.post("/accounts/login/", {"username": operator.email, "password": PASSWORD})
    assert recalled(seen) is not None


def _new_password(user):
    user.set_password(NEW)
    user.save()


def _leave(user):
    Group.objects.get(name="operator").user_set.remove(user)


CHANGES = {
    "switched off": lambda user: services.user_deactivate(user=user),
    "saved as a whole": lambda user: user.save(),
    "a new password": _new_password,
    "without the role": lambda user: user.groups.clear(),
    "another role": lambda user: user.groups.set([]),
    "taken out of the group": _leave,
    "the group is emptied": lambda user: Group.objects.get(name="operator").user_set.clear(),
    "removed": lambda user: user.delete(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_the_user_ends_it(seen, operator, change):
    assert recalled(seen) is not None
    change(operator)
    assert recalled(seen) is None


def test_after_a_change_the_next_page_decides(seen, operator):
    operator.name = "Olga Ivanova"
    operator.save()
    assert recalled(seen) is None
    assert seen.get("/ops/").status_code == 200
    assert recalled(seen).name == "Olga Ivanova"


def test_it_is_stretched_by_looking_but_not_for_ever(operator, monkeypatch):
    monkeypatch.setattr(standing, "LONGEST_SECONDS", 60)
    roles = frozenset({"operator"})
    standing.remember("young", user_id=operator.pk, name="", roles=roles, began=time.time() - 50)
    standing.remember("old", user_id=operator.pk, name="", roles=roles, began=time.time() - 61)
    cache.delete(f"standing-changed:{operator.pk}")
    assert standing.recall("young") is not None
    assert standing.recall("old") is None


def test_a_redis_that_goes_away_in_the_middle_lets_nobody_in(seen, monkeypatch):
    """What ends a standing may be what could not be read."""
    monkeypatch.setattr(type(cache._connections[cache._alias]), "touch", lambda *_args, **_more: False)
    assert recalled(seen) is None


def test_an_absence_lasts_from_the_first_failure_to_a_new_connection():
    absence = Absence()
    assert absence.since is None
    absence.failed()
    first = absence.since
    time.sleep(0.02)
    absence.failed()
    assert absence.since == first
    absence.answered()
    assert absence.since is None


def test_failures_that_lie_far_apart_are_two_absences():
    absence = Absence(forget=0.01)
    absence.failed()
    first = absence.since
    time.sleep(0.05)
    assert absence.since is None
    absence.failed()
    assert absence.since > first
