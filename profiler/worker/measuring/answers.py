"""Questions after the timing: predictions on other rows, and probes. A crash is an answer, too.

The runners stay between questions, one for each trial, so that a session is loaded once; one that
died is started anew for the next question.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from profiler.wire.codec import encode
from profiler.wire.messages import Answer, Job, Probed
from profiler.worker.blobs import BlobFolder
from profiler.worker.measuring.child import Child, RunnerFailed

LOAD_NS = 120_000_000_000


class Answers:
    """The runners that are being asked."""

    def __init__(self, home: Path, out: BlobFolder) -> None:
        self.home, self.out = home, out
        self.children: dict[str, Child] = {}
        self._started = 0

    def predict(self, job: Job, inputs: dict[str, str], limit_ns: int) -> Answer:
        """Predictions on the rows `inputs` (input name -> sha) by the session of `job`."""
        try:
            reply = self._ask(job, "predict", limit_ns, inputs=inputs)
        except RunnerFailed as failed:
            return Answer(status="failed", reason=failed.reason, detail=failed.detail)
        return Answer(status="ok", outputs=reply["outputs"])

    def probe(self, job: Job, case: str, limit_ns: int) -> Probed:
        """Ask what must not be asked; what killed the runner is the outcome."""
        try:
            return Probed(case=case, **self._ask(job, "probe", limit_ns, case=case))
        except RunnerFailed as failed:
            outcome = "crash" if failed.reason == "crashed" else failed.reason
            return Probed(case=case, outcome=outcome, detail=failed.detail)

    def release(self) -> None:
        """End all runners."""
        while self.children:
            self.children.popitem()[1].close()

    def _ask(self, job: Job, operation: str, limit_ns: int, **arguments: Any) -> dict[str, Any]:
        child = self.children.get(job.trial) or self._start(job)
        try:
            return child.ask(operation, limit_ns, **arguments)
        except RunnerFailed as failed:
            if failed.reason != "error":  # then it is dead; after an error the session stays usable
                self.children.pop(job.trial).close()
            raise

    def _start(self, job: Job) -> Child:
        self._started += 1
        name = f"answers-{self._started}"
        child = Child(self.home, self.out.folder, name, job.memory_limit_bytes)
        try:
            child.ask("job", LOAD_NS, job=encode(job), out=str(self.out.folder))
            child.ask("load", LOAD_NS)
        except RunnerFailed:
            child.close()
            raise
        self.children[job.trial] = child
        return child
