"""Several devices at work side by side: one session for each target, one thread for each machine.

Two targets on one machine (a CPU under two execution providers) take turns: side by side each
would be the other's noisy neighbour.

A device that can't be reached, or fails for good, leaves the fleet; the others go on. Any other
error, or Ctrl-C, stops them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any, Optional

from profiler.devices.session import Session
from profiler.errors import EnvironmentMissing, TransportError, WorkerError
from profiler.schema.device.target import Target


def _machine(target: Target) -> str:
    """Targets with the same answer share a machine."""
    return "local" if target.ssh is None else f"ssh {target.ssh.host} {target.ssh.port}"


Open = Callable[[Target], Session]
"""makes a session that is not entered yet"""
Failure = TransportError | WorkerError

_LOOK_S = 0.5


class Fleet:
    """Sessions of all targets of a study. Use as a context manager."""

    def __init__(self, targets: Mapping[str, Target], open_session: Open) -> None:
        self._targets, self._open = targets, open_session
        self.sessions: dict[str, Session] = {}
        self._connecting: dict[str, Session] = {}
        self._stopped = False
        self.lost: dict[str, Failure] = {}
        """target -> why it left the fleet"""
        self.missing: dict[str, EnvironmentMissing] = {}
        """target -> why its own packages can't be had"""

    def __enter__(self) -> Fleet:
        try:
            self._each(list(self._targets), self._connect)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for session in self.sessions.values():
            session.__exit__()

    def facts(self) -> dict[str, dict[str, Any]]:
        """Target -> what its worker found, for those that were reached."""
        return {n: self.sessions[n].facts for n in self._targets if n in self.sessions}

    def refuse(self, name: str, error: Failure) -> None:
        """Let a target go whose session can't be used for this work."""
        self.sessions.pop(name).__exit__()
        self.lost[name] = error

    def run(self, work: Callable[[str, Session], None]) -> None:
        """Do `work` on every machine at once; a target that fails is moved to `lost`."""
        machines: dict[str, list[str]] = {}
        for name in self._targets:
            if name in self.sessions:
                machines.setdefault(_machine(self._targets[name]), []).append(name)

        def visit(machine: str) -> None:
            for name in machines[machine]:
                try:
                    work(name, self.sessions[name])
                except (TransportError, WorkerError) as error:
                    self.lost[name] = error

        self._each(list(machines), visit)

    def _connect(self, name: str) -> None:
        try:
            self._connecting[name] = session = self._open(self._targets[name])
            if self._stopped:  # before it could be told
                session.stop()
            self.sessions[name] = session.__enter__()
        except EnvironmentMissing as error:
            self.missing[name] = error
        finally:
            self._connecting.pop(name, None)

    def _each(self, names: list[str], work: Callable[[str], None]) -> None:
        def guarded(name: str) -> Optional[Failure]:
            try:
                work(name)
            except (TransportError, WorkerError) as error:
                return error
            return None

        if not names:
            return
        with ThreadPoolExecutor(len(names), thread_name_prefix="target") as pool:
            futures = {pool.submit(guarded, name): name for name in names}
            try:
                pending = set(futures)
                while pending:
                    # Never for long: a Ctrl-C that the system hands to another thread wakes nobody.
                    done, pending = wait(pending, _LOOK_S, FIRST_EXCEPTION)
                    for future in done:
                        future.result()
            except BaseException:
                self._stopped = True
                for session in [*self._connecting.values(), *self.sessions.values()]:
                    session.stop()
                raise
        for future, name in futures.items():
            failure = future.result()
            if failure is not None:
                self.lost[name] = failure
