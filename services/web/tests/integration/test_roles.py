"""The roles that the accounts migration makes."""

import pytest
from django.contrib.auth.models import Group
from ochaq_web.core.policy import Role

pytestmark = pytest.mark.django_db


def test_the_migration_makes_one_group_for_each_role():
    assert set(Group.objects.values_list("name", flat=True)) == {role.value for role in Role}


def test_a_user_knows_its_roles(make_user):
    assert make_user("manager", "operator").role_names == {"manager", "operator"}


def test_me_shows_the_signed_in_user(api):
    answer = api("manager").get("/api/v1/users/me/")
    assert answer.status_code == 200
    assert answer.json()["roles"] == ["manager"]
