"""Where the time goes: one runner with the backend's own profiler on. Nothing here is a result
that may be compared: the profiler slows down every node."""

from __future__ import annotations

from pathlib import Path

from profiler.wire.codec import encode
from profiler.wire.messages import Trace, TraceRequest
from profiler.worker.blobs import BlobFolder
from profiler.worker.measuring.child import Child, RunnerFailed


def trace(request: TraceRequest, home: Path, out: BlobFolder) -> Trace:
    """Profile a few queries of one job in a fresh process; a failure is a record, too."""
    child = Child(home, out.folder, "runner-trace", request.job.memory_limit_bytes)
    limit_ns = request.load_timeout_ns + request.most_ns + 2 * request.query_timeout_ns
    try:
        child.ask("job", request.load_timeout_ns, job=encode(request.job), out=str(out.folder))
        reply = child.ask(
            "trace",
            limit_ns,
            warmup=request.warmup_queries,
            queries=request.queries,
            least=request.least_queries,
            most_ns=request.most_ns,
        )
    except RunnerFailed as failed:
        return Trace(
            trial=request.job.trial, status="failed", reason=failed.reason, detail=failed.detail
        )
    finally:
        child.close()
    return Trace(
        trial=request.job.trial,
        status="ok",
        blob=reply["blob"],
        queries=reply["queries"],
        plain_ns=tuple(reply["plain_ns"]),
        providers=tuple(reply["providers"]),
    )
