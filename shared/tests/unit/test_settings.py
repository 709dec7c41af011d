"""Settings: a missing or misspelt value stops the start by name."""

from pathlib import Path

import pytest
from ochaq_shared import failpoints
from ochaq_shared.settings import ServiceSettings, load

GOOD = {
    "OCHAQ_MODE": "test",
    "OCHAQ_PUBLIC_URL": "http://127.0.0.1:8080",
    "OCHAQ_BIND_PORT": "20000",
    "OCHAQ_SIGNING_KEY_FILE": "/keys/web.pem",
    "OCHAQ_JWKS_FILE": "/keys/jwks.json",
    "OCHAQ_AMQP_URL": "amqp://u:p@127.0.0.1/v",
    "OCHAQ_REDIS_URL": "redis://127.0.0.1/0",
    "OCHAQ_WEB_URL": "http://127.0.0.1:1",
    "OCHAQ_FILES_URL": "http://127.0.0.1:2",
    "OCHAQ_SEARCH_URL": "http://127.0.0.1:3",
    "OCHAQ_REALTIME_URL": "http://127.0.0.1:4",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_good_settings_load_and_cannot_change(environment: pytest.MonkeyPatch) -> None:
    settings = load(ServiceSettings)
    assert settings.bind_port == 20000
    with pytest.raises(ValueError, match="frozen"):
        settings.bind_port = 1


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_missing_setting_stops_the_start_by_name(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    environment.delenv(name)
    with pytest.raises(SystemExit) as caught:
        load(ServiceSettings)
    assert caught.value.code == 2
    assert f"{name} is not set" in capsys.readouterr().err


def test_a_misspelt_name_is_guessed(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    environment.delenv("OCHAQ_REDIS_URL")
    environment.setenv("OCHAQ_REDSI_URL", "redis://127.0.0.1/0")
    with pytest.raises(SystemExit):
        load(ServiceSettings)
    assert "is OCHAQ_REDSI_URL a misspelling of it?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"), [("OCHAQ_MODE", "debug"), ("OCHAQ_PUBLIC_URL", "127.0.0.1:8080/"), ("OCHAQ_BIND_PORT", "0")]
)
def test_a_wrong_value_stops_the_start_by_name(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(SystemExit):
        load(ServiceSettings)
    assert f"{name} is wrong" in capsys.readouterr().err


def test_faults_are_injected_in_test_mode_only(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "failpoints.json"
    failpoints.write(file, {"a": {"do": "value", "value": 5}})
    environment.setenv("OCHAQ_FAILPOINTS_FILE", str(file))
    load(ServiceSettings)
    assert failpoints.value("a", 1) == 5
    for mode in ("production", "demo"):
        environment.setenv("OCHAQ_MODE", mode)
        with pytest.raises(SystemExit):
            load(ServiceSettings)
        assert "OCHAQ_FAILPOINTS_FILE is wrong" in capsys.readouterr().err
    environment.setenv("OCHAQ_MODE", "test")
    environment.delenv("OCHAQ_FAILPOINTS_FILE")
    load(ServiceSettings)
    assert failpoints.value("a", 1) == 1
