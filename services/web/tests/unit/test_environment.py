"""A wrong setting stops the start by its name."""

import pytest
from ochaq_shared.settings import load
from ochaq_web.config.environment import WebSettings


def test_the_demo_password_is_required_in_demo_mode(monkeypatch, capsys):
    monkeypatch.setenv("OCHAQ_MODE", "demo")
    with pytest.raises(SystemExit) as stopped:
        load(WebSettings)
    assert stopped.value.code == 2
    assert "OCHAQ_DEMO_PASSWORD" in capsys.readouterr().err


def test_a_test_may_have_a_demo_password(monkeypatch):
    monkeypatch.setenv("OCHAQ_MODE", "test")
    monkeypatch.setenv("OCHAQ_DEMO_PASSWORD", "school")
    assert load(WebSettings).demo_password.get_secret_value() == "school"


def test_the_demo_password_is_refused_in_production(monkeypatch, capsys):
    monkeypatch.setenv("OCHAQ_MODE", "production")
    monkeypatch.setenv("OCHAQ_DEMO_PASSWORD", "school")
    with pytest.raises(SystemExit):
        load(WebSettings)
    assert "OCHAQ_DEMO_PASSWORD" in capsys.readouterr().err


def test_a_missing_setting_is_named(monkeypatch, capsys):
    monkeypatch.delenv("OCHAQ_SECRET_KEY")
    with pytest.raises(SystemExit):
        load(WebSettings)
    assert "OCHAQ_SECRET_KEY is not set" in capsys.readouterr().err
