import socket
from pathlib import Path

import pytest
from ochaq_local import ports
from ochaq_local.stop import Stop


@pytest.fixture
def taken() -> int:
    with socket.socket() as stranger:
        stranger.bind((ports.HOST, 0))
        stranger.listen()
        yield stranger.getsockname()[1]


def test_ports_are_kept_from_one_start_to_the_next(tmp_path: Path) -> None:
    first = ports.pick(("web", "files"), tmp_path / "ports.json")
    assert ports.pick(("web", "files"), tmp_path / "ports.json") == first
    assert len(set(first.values())) == 2
    assert all(port in ports.RANGE for port in first.values())


def test_a_port_that_a_stranger_took_is_picked_again_and_the_others_stay(tmp_path: Path) -> None:
    first = ports.pick(("web", "files"), tmp_path / "ports.json")
    with socket.socket() as stranger:
        stranger.bind((ports.HOST, first["web"]))
        stranger.listen()
        second = ports.pick(("web", "files"), tmp_path / "ports.json")
    assert second["web"] != first["web"]
    assert second["files"] == first["files"]


def test_no_port_is_the_public_one(tmp_path: Path) -> None:
    first = ports.pick(("web",), tmp_path / "ports.json")
    second = ports.pick(("web",), tmp_path / "ports.json", frozenset({first["web"]}))
    assert second["web"] != first["web"]


def test_a_torn_file_of_ports_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text('{"web": 2')
    assert ports.pick(("web",), tmp_path / "ports.json")["web"] in ports.RANGE


def test_a_public_port_in_use_is_refused_with_one_that_is_free(taken: int) -> None:
    with pytest.raises(Stop, match=rf"Port {taken} is in use.*make up PORT=\d+"):
        ports.check_gateway(taken)


@pytest.mark.parametrize("port", [0, 80, 443, 1023, 65536, 99999])
def test_a_public_port_that_nginx_could_not_open_is_refused(port: int) -> None:
    with pytest.raises(Stop, match=f"PORT={port} cannot be used"):
        ports.check_gateway(port)
