"""supervisord, but one that notices at once: `python -P prompt_supervisord.py -c supervisord.conf`.

supervisord looks around once a second, starts what ended only at the look after the one that found it, and is not woken
when a child ends: a killed process was gone for up to two seconds before it was started. Here a signal wakes it, and
what ended is started in the same turn. A program that ends as soon as it starts still waits longer each time.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from supervisor import supervisord
from supervisor.states import SupervisorStates


class Bell:
    """A pipe that the interpreter writes to at every signal, as supervisord's loop wants what it reads from."""

    def __init__(self) -> None:
        self.read_end, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def handle_read_event(self) -> None:
        os.read(self.read_end, 4096)

    def handle_error(self) -> None:
        """What the loop calls for a failed read: nothing was there to read after all."""


class PromptSupervisor(supervisord.Supervisor):  # type: ignore[misc]
    """Woken by its children's ends, which it answers before it sleeps again."""

    def runforever(self) -> None:
        bell = Bell()
        self.options.get_socket_map()[bell.read_end] = bell
        super().runforever()

    def reap(self, once: bool = False, recursionguard: int = 0) -> Any:
        super().reap(once, recursionguard)
        if recursionguard == 0 and self.options.mood == SupervisorStates.RUNNING:
            for group in self.process_groups.values():
                group.transition()


if __name__ == "__main__":
    supervisord.Supervisor = PromptSupervisor
    supervisord.main()
