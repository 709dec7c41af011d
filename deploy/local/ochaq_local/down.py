"""`down` and `reset`: the end of every process this instance started, and of its data."""

from __future__ import annotations

import shutil

from . import kept, remains, supervisor
from .instance import Instance
from .stop import Stop


def down(instance: Instance) -> None:
    if not instance.state.exists():
        print("Nothing runs here.")
        return
    with kept.locked(instance.state / "up.lock", "Another `make up` or `make down` is at work here: waiting for it."):
        _stop(instance)


def _stop(instance: Instance) -> None:
    ran = supervisor.answers(instance)
    supervisor.shut_down(instance)
    # What the supervisor does not know: Erlang's port mapper, and whatever a killed supervisor left.
    ended = remains.end(instance)
    instance.done.unlink(missing_ok=True)
    left = remains.living(instance)
    if left:
        raise Stop(f"These processes do not end: {', '.join(map(str, left))}. End them by hand, then run this again.")
    print("Everything is stopped; the data is kept." if ran or ended else "Nothing runs here.")


def reset(instance: Instance, *, confirmed: bool) -> None:
    """Also delete the state: the databases, the files, the secrets."""
    if not confirmed:
        raise Stop(f"This deletes everything in {instance.state}: say `make reset YES=1` if you mean it.")
    down(instance)
    if instance.exists and "data" in instance.kept:
        shutil.rmtree(instance.data, ignore_errors=True)
    if instance.state.exists():
        shutil.rmtree(instance.state)
    if instance.socket.parent != instance.run:
        shutil.rmtree(instance.socket.parent, ignore_errors=True)
    print(f"{instance.state} is deleted.")
