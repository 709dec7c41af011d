"""The administration: who may open it, and what it may do."""

import pytest
from ochaq_web.accounts.models import User

pytestmark = pytest.mark.django_db
LISTS = ["accounts/user", "accounts/session", "accounts/tokenfamily", "ops/indexstate"]


@pytest.mark.parametrize("where", LISTS)
@pytest.mark.parametrize("role", ["manager", "operator"])
def test_managers_and_operators_can_look(make_user, browser, role, where):
    client = browser(user=make_user(role, is_staff=True))
    assert client.get("/admin/").status_code == 200
    assert client.get(f"/admin/{where}/").status_code == 200


def test_others_are_sent_away(make_user, browser):
    for user in (make_user("manager"), make_user("student", is_staff=True)):
        assert browser(user=user).get("/admin/accounts/user/").status_code in {302, 403}


def test_searching_and_filtering_users_works(make_user, browser):
    client = browser(user=make_user("manager", is_staff=True, email="boss@example.com"))
    make_user("student", email="ana@example.com")
    found = client.get("/admin/accounts/user/", {"q": "ana", "is_active__exact": "1"})
    assert b"ana@example.com" in found.content
    assert b"boss@example.com</a>" not in found.content


def test_managers_can_add_users_and_operators_cannot(make_user, browser):
    fields = {
        "email": "new@example.com",
        "usable_password": "true",
        "password1": "cumin and salt 9",
        "password2": "cumin and salt 9",
    }
    operator = browser(user=make_user("operator", is_staff=True))
    assert operator.post("/admin/accounts/user/add/", fields).status_code == 403
    manager = browser(user=make_user("manager", is_staff=True))
    assert manager.post("/admin/accounts/user/add/", fields).status_code == 302
    assert User.objects.get(email="new@example.com").check_password("cumin and salt 9")


def test_switching_somebody_off_ends_what_they_have_open(make_user, browser):
    user = make_user("student")
    theirs = browser(user=user)
    manager = browser(user=make_user("manager", is_staff=True))
    manager.post("/admin/accounts/user/", {"action": "switch_off", "_selected_action": [str(user.pk)]})
    assert theirs.get("/api/v1/users/me/").status_code == 401


def test_nobody_can_make_themselves_a_superuser(make_user, browser):
    manager = make_user("manager", is_staff=True)
    page = browser(user=manager).get(f"/admin/accounts/user/{manager.pk}/change/")
    assert page.status_code == 200
    assert b"is_superuser" not in page.content
