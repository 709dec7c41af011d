"""Who may do what."""

import pytest
from ochaq_shared.problems import Problem
from ochaq_web.core.policy import ANYONE, RULES, Act, allows, require


class Somebody:
    is_authenticated = True

    def __init__(self, *roles):
        self.role_names = frozenset(roles)


def test_every_act_has_a_rule():
    assert set(RULES) == set(Act)


def test_what_has_no_rule_is_refused(monkeypatch):
    monkeypatch.delitem(RULES, Act.OPS_SEE)
    assert not allows(Somebody("manager", "operator"), Act.OPS_SEE)


@pytest.mark.parametrize("act", [act for act in Act if RULES[act] is not ANYONE])
def test_visitors_and_services_may_do_nothing_that_has_a_rule(act):
    service = Somebody("manager")
    service.is_service = True
    assert not allows(None, act)
    assert not allows(service, act)


def test_visitors_are_asked_to_sign_in_and_users_are_refused():
    with pytest.raises(Problem, match=r"auth\.required"):
        require(None, Act.STUDENTS_READ)
    with pytest.raises(Problem, match=r"auth\.forbidden"):
        require(Somebody("student"), Act.STUDENTS_READ)
    require(Somebody("instructor"), Act.STUDENTS_READ)
