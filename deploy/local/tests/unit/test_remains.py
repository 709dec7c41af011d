"""Who is the main one among the processes behind one name, where ids have started again from below."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ochaq_local import guard, kept, remains
from ochaq_local.instance import Instance

# Runs as the first process of a namespace of its own, whose next id may be chosen; all of it ends with this script.
STORY = """
import json, pathlib, subprocess, sys, time
from ochaq_local import remains
from ochaq_local.instance import Instance

environment, state = json.loads(sys.argv[1]), pathlib.Path(sys.argv[2])
found = []
for last in (20_000, 100):
    pathlib.Path("/proc/sys/kernel/ns_last_pid").write_text(str(last))
    found.append(subprocess.Popen(["/usr/bin/sleep", "60"], env=environment).pid)
    time.sleep(0.1)
assert found[0] > found[1], found
print(json.dumps([found, remains.of_process(Instance(state), "main")]))
"""
UNSHARE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


@pytest.mark.skipif(
    subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode != 0,
    reason="only root can make a namespace",
)
def test_the_oldest_is_the_first_even_where_its_id_is_the_higher_one(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "local")
    instance.keep(data=str(tmp_path))
    spec = {"name": "main", "instance": instance.id, "directory": "/nowhere", "command": ["/usr/bin/sleep"]}
    kept.write_json(tmp_path / "run" / "main.json", spec)
    marked = json.dumps({guard.INSTANCE: instance.id, guard.PROCESS: "main"})
    words = [*UNSHARE, sys.executable, "-W", "ignore", "-c", STORY, marked, str(instance.state)]
    environment = {"PYTHONPATH": str(Path(remains.__file__).parents[1])}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    started, told = json.loads(done.stdout)
    assert told == started
