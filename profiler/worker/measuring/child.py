"""The supervisor's handle of one runner process: ask, wait with a timeout, name how it failed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Optional

from profiler.wire.endings import ended_by
from profiler.wire.lines import EndOfStream, Garbled, LineReader, Silence, pack
from profiler.worker.code import program
from profiler.worker.instruments.counters import read_text
from profiler.worker.instruments.memory_limit import Limit
from profiler.worker.instruments.software import version
from profiler.worker.isolated import private, python

NO_SPACE = "no space"
"""Reason of a failure that is the device's, not the trial's: its disk is full."""
_STOPS_IN_S = 0.005
CRASHES = (signal.SIGILL, signal.SIGSEGV, signal.SIGBUS)
_OOM_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


class RunnerFailed(Exception):
    """A runner answered with an error, ended, or fell silent."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def oom_kills() -> int:
    """Out-of-memory kills the kernel counts: machine-wide, and in our control group."""
    total = 0
    for path, key in [("/proc/vmstat", "oom_kill"), *((p, "oom_kill") for p in _OOM_COUNTERS)]:
        for line in (read_text(path) or "").splitlines():
            name, _, value = line.partition(" ")
            if name == key and value.strip().isdigit():
                total += int(value)
    return total


class Child:
    """A runner process. Its stderr goes to a file, whose tail explains a crash."""

    def __init__(self, home: Path, out: Path, name: str, limit_bytes: Optional[int]) -> None:
        self._log = out / f"{name}.log"
        environment = dict(os.environ)
        # numpy's own thread pools would add threads and memory that are not the model's.
        environment.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
        self._oom_before = oom_kills()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*python(), str(program(Path(sys.argv[0]), home)), "runner", str(home)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
            )
        self._stopped = False
        self._limit: Optional[Limit] = None
        if limit_bytes is not None:
            self._limit = Limit(limit_bytes, f"profiler-{os.getpid()}-{name}")
            self._limit.apply(self._process.pid)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin = self._process.stdin
        self._reader = LineReader(self._process.stdout.fileno())

    def send(self, operation: str, **arguments: Any) -> None:
        """Send a command without waiting for the answer."""
        try:
            os.write(self._stdin.fileno(), pack({"op": operation, "args": arguments}))
        except BrokenPipeError:
            raise self._ended() from None
        if self._stopped:
            self._stopped = False
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """No thread of it runs until the next command.

        The signal is taken by a thread that has to get a CPU for that: where others' threads have
        them all, its own ones would spin on for some milliseconds. So its stop is waited for.
        """
        self._stopped = True
        self._process.send_signal(signal.SIGSTOP)
        if self._process.returncode is not None:
            return
        if hasattr(os, "waitid"):  # without taking it: it may have ended, which others ask for
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        else:
            time.sleep(_STOPS_IN_S)

    def answer(self, timeout_ns: int) -> dict[str, Any]:
        """The answer to the last command. Raises RunnerFailed with the reason."""
        try:
            reply = self._reader.read(timeout_ns / 1e9)
        except Silence:
            self.kill()
            raise RunnerFailed("timeout", f"no answer within {timeout_ns / 1e9:g} s") from None
        except EndOfStream:
            raise self._ended() from None
        except Garbled as error:
            self.kill()
            raise RunnerFailed("error", f"the runner sent {error}") from None
        if not reply.pop("ok"):
            raise RunnerFailed(reply["reason"], reply["detail"])
        return reply

    def ask(self, operation: str, timeout_ns: int, **arguments: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self.send(operation, **arguments)
        return self.answer(timeout_ns)

    def _ended(self) -> RunnerFailed:
        code = self._process.wait()
        tail = " | ".join((read_text(str(self._log)) or "").strip().splitlines()[-3:])[-500:]
        tail = private(tail)
        if code >= 0:
            return RunnerFailed("crashed", f"exit code {code}. {tail}".strip())
        if -code == signal.SIGKILL and oom_kills() > self._oom_before:
            detail = "the kernel's out-of-memory killer ended it"
            if self._limit is not None:
                detail += f" at its limit of {self._limit.limit_bytes / 1e6:.0f} MB"
            return RunnerFailed("out of memory", detail)
        what = ended_by(-code)
        if -code in CRASHES and (runtime := version("onnxruntime")):
            what += f", with onnxruntime {runtime}: another version may help"
        return RunnerFailed("crashed", f"ended by {what}. {tail}".strip())

    def close(self) -> None:
        """Let the runner go; kill it if it does not."""
        try:
            self.send("exit")
            self._process.wait(timeout=5)
        except (RunnerFailed, OSError, subprocess.TimeoutExpired):
            self.kill()
        self._close_pipes()

    def kill(self) -> None:
        """End the runner now."""
        self._process.kill()
        self._process.wait()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._log.unlink()
        if self._limit is not None:
            self._limit.close()
