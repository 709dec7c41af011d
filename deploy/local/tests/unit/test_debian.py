from pathlib import Path

import pytest
from ochaq_local import debian
from ochaq_local.stop import Stop


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(debian, "POLICY", tmp_path / "policy-rc.d")
    return tmp_path / "policy-rc.d"


def test_no_server_may_start_during_an_installation_and_the_ban_is_lifted_after_it(policy: Path) -> None:
    with debian._nothing_starts([]):
        assert policy.stat().st_mode & 0o777 == 0o755
        assert policy.read_text().endswith("exit 101\n")
    assert not policy.exists()


def test_the_ban_is_lifted_after_a_failed_installation_too(policy: Path) -> None:
    with pytest.raises(RuntimeError), debian._nothing_starts([]):
        raise RuntimeError
    assert not policy.exists()


def test_a_ban_that_a_torn_installation_left_is_taken_over(policy: Path) -> None:
    policy.write_text(debian.POLICY_TEXT)
    with debian._nothing_starts([]):
        pass
    assert not policy.exists()


def test_a_ban_that_a_killed_installation_forgot_is_lifted_at_the_next_start(policy: Path) -> None:
    policy.write_text(debian.POLICY_TEXT)
    debian.install_missing(())
    assert not policy.exists()


def test_the_ban_of_an_installation_that_goes_on_elsewhere_stays(policy: Path) -> None:
    with debian._nothing_starts([]):
        debian.install_missing(())
        assert policy.exists()


def test_somebody_elses_policy_stays_as_it_is(policy: Path) -> None:
    policy.write_text("#!/bin/sh\nexit 0\n")
    with debian._nothing_starts([]):
        assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"


def test_what_is_installed_is_not_installed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(debian.CHECKS, "nginx", lambda: True)
    monkeypatch.setattr(debian, "_install", lambda packages: pytest.fail(f"installs {packages}"))
    assert debian.install_missing(("nginx",)) == []


def test_a_system_without_apt_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(debian.CHECKS, "nginx", lambda: False)
    monkeypatch.setattr(debian.shutil, "which", lambda name: None)
    with pytest.raises(Stop, match="no apt-get: install nginx"):
        debian.install_missing(("nginx",))


def test_a_user_without_root_and_sudo_is_told_whom_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(debian.shutil, "which", lambda name: None if name == "sudo" else f"/usr/bin/{name}")
    monkeypatch.setitem(debian.CHECKS, "nginx", lambda: False)
    with pytest.raises(Stop, match="needs root: ask an administrator"):
        debian.install_missing(("nginx",))
