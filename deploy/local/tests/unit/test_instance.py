import configparser
import json
from pathlib import Path

import pytest
from ochaq_local import instance as instances
from ochaq_local import processes, settings, supervisor, table
from ochaq_local.instance import Instance


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    made = Instance(tmp_path / "local")
    made.keep(port=8090, object_store="local", data=str(tmp_path / "local" / "data"))
    names = [name for name in processes.NAMES if name != "gateway"]
    made.ports = {name: 20000 + n for n, name in enumerate([*names, *instances.EXTRA_PORTS])}
    return made


def test_an_instance_is_the_same_after_its_state_was_deleted(tmp_path: Path) -> None:
    assert Instance(tmp_path).id == Instance(tmp_path).id
    assert Instance(tmp_path).id != Instance(tmp_path / "other").id


def test_the_processes_have_exactly_the_names_of_the_contract(instance: Instance) -> None:
    assert tuple(process.name for process in table.all_processes(instance)) == processes.NAMES


def test_the_object_store_is_one_more_process(instance: Instance) -> None:
    instance.keep(object_store="s3")
    names = [process.name for process in table.all_processes(instance)]
    assert sorted(names) == sorted([*processes.NAMES, "objectstore"])
    files = settings.of_process(instance, "files-serve")
    assert files["OCHAQ_OBJECT_STORE"] == "s3"
    assert files["OCHAQ_S3_SECRET_KEY"] == instance.secrets["s3_secret_key"]


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    long = Instance(tmp_path / ("a" * 100))
    assert len(str(long.socket)) < 100
    assert long.id in str(long.socket)


def test_only_web_knows_the_demo_password_and_webs_database(instance: Instance) -> None:
    for name in processes.SERVICES:
        found = settings.of_process(instance, name)
        assert ("OCHAQ_DEMO_PASSWORD" in found) == name.startswith("web-")
        assert ("ochaq_web@" in found.get("OCHAQ_DATABASE_URL", "")) is False
        assert f"ochaq_{name.partition('-')[0]}" in found.get("OCHAQ_DATABASE_URL", f"ochaq_{name.partition('-')[0]}")


def test_a_setting_in_the_callers_environment_wins(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCHAQ_WORKER_CONCURRENCY", "4")
    monkeypatch.setenv("OCHAQ_LOCAL", "/somewhere")
    found = settings.of_process(instance, "worker-work")
    assert found["OCHAQ_WORKER_CONCURRENCY"] == "4"
    assert "OCHAQ_LOCAL" not in found


def test_no_secret_is_in_the_supervisors_configuration(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    instance.keep(object_store="s3")
    for process in table.all_processes(instance):
        object.__setattr__(process, "user", None)
    monkeypatch.setattr(type(instance), "account", property(lambda self: instances.account.current()))
    instance.run.mkdir(parents=True)
    supervisor.configure(instance, table.all_processes(instance))
    text = (instance.state / "supervisord.conf").read_text()
    assert not [name for name, secret in instance.secrets.items() if secret in text]
    specs = sorted((instance.data / "run").glob("*.json"))
    assert {path.stem for path in specs} == {*processes.NAMES, "objectstore", "log-keeper"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in specs)
    assert not [
        process.name
        for process in table.all_processes(instance)
        for word in process.command
        if instance.secrets["s3_secret_key"] in word
    ]


def test_every_program_is_given_a_log_of_its_own(instance: Instance) -> None:
    instance.run.mkdir(parents=True)
    supervisor.configure(instance, table.all_processes(instance))
    read = configparser.RawConfigParser()
    read.read(instance.state / "supervisord.conf")
    programs = {name.partition(":")[2]: read[name] for name in read.sections() if name.startswith("program:")}
    assert set(programs) == {*processes.NAMES, "log-keeper"}
    for name, program in programs.items():
        assert program["command"].split()[-1] == str(instance.logs / f"{name}.log")
        assert program["stdout_logfile"] == "NONE"
        spec = json.loads((instance.data / "run" / f"{name}.json").read_text())
        other = instance.account.is_other and name in (*processes.SERVERS, "gateway")
        assert spec["account"] == (list(instance.account.owner) if other else None)
