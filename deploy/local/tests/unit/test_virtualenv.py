from pathlib import Path

import pytest
from ochaq_local import kept, virtualenv


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with all that decides what `.venv` holds, and a `.venv` that runs."""
    for name in virtualenv.SETS:
        kept.write(tmp_path / "requirements" / f"{name}.txt", f"# {name}\n")
    for package in virtualenv.PACKAGES:
        kept.write(tmp_path / package / "pyproject.toml", "[project]\n")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/bin/true")
    return tmp_path


def _install(checkout: Path, name: str) -> None:
    kept.write_json(checkout / ".venv" / "ochaq.json", {name: virtualenv.stamp(checkout, name)})


def test_an_environment_without_a_stamp_is_a_half_finished_one(checkout: Path) -> None:
    assert not virtualenv.is_current(checkout, "local")


def test_the_larger_set_holds_the_smaller_one(checkout: Path) -> None:
    _install(checkout, "dev")
    assert virtualenv.is_current(checkout, "dev")
    assert virtualenv.is_current(checkout, "local")


def test_the_smaller_set_does_not_hold_the_larger_one(checkout: Path) -> None:
    _install(checkout, "local")
    assert virtualenv.is_current(checkout, "local")
    assert not virtualenv.is_current(checkout, "dev")


@pytest.mark.parametrize("changed", ["requirements/local.txt", "services/web/pyproject.toml"])
def test_changed_requirements_are_installed_again(checkout: Path, changed: str) -> None:
    _install(checkout, "local")
    (checkout / changed).write_text("# changed\n")
    assert not virtualenv.is_current(checkout, "local")


def test_an_environment_whose_python_is_gone_is_made_again(checkout: Path) -> None:
    _install(checkout, "local")
    (checkout / ".venv" / "bin" / "python").unlink()
    assert not virtualenv.is_current(checkout, "local")
