"""What host and worker say to each other. Travels to devices: stdlib only, Python 3.8 source.

Durations are integer nanoseconds of `perf_counter_ns`; sizes are bytes; `sha` is the SHA-256 of a
blob's content in hex, which is also its name wherever it lies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Optional

from profiler.wire.codec import DecodeError
from profiler.wire.outside import is_sha, sha_name
from profiler.wire.providers import CPU
from profiler.wire.scenarios import SINGLE_STREAM

PROTOCOL = 1
SCHEMA_VERSION = 1
MARKER = "\x1eprofiler1 "
"""Every protocol line starts with this; whatever else appears on the stream is not ours."""
SEGMENT_NS = 1_000_000_000
"""server: least length of a segment of constant rate"""
SEGMENT_QUERIES = 400
"""server: least queries of a segment; fewer don't bound a p99"""
MIN_SEGMENTS = 2
MOST_BLOCKS = 256
"""of a trial in a round that asks for no more; half of them may be repeated"""
DRIVEN_PER_S = 200_000.0
"""server: queries a second of the highest rate that is looked for; issuing one takes some 3 us, so
beyond it a segment would be about the harness, and take longer than its time"""
TICK_NS = 10_000_000
"""/proc/stat counts CPU time in ticks of 10 ms."""

Status = Literal["ok", "failed"]
_SHA: dict[str, Any] = {"parse": sha_name, "expected": "a blob's name: 64 hex digits"}

PING_S = 10.0
"""how often the host says that it is still there"""
SILENCE_S = 60.0
"""a worker which hears nothing for so long ends with everything it started"""
GONE = "files of ours were removed on the device"
"""What a worker answers then, whatever came of it: they are sent again, and it is asked again."""


@dataclass(frozen=True)
class GpuOptions:
    """How a session uses an NVIDIA GPU."""

    select: str = "0"
    """index as nvidia-smi counts (PCI order), or UUID (GPU-… or MIG-…)"""
    binding: str = "device"
    """device: the computation alone; host: numpy in, numpy out, copies both ways included"""
    tf32: bool = False
    """19-bit floats in fp32 matrix products; off, so that fp32 means fp32"""
    cuda_graph: bool = False


@dataclass(frozen=True)
class GpuReading:
    """What NVML said right after a block; None where the GPU does not offer it."""

    sm_mhz: Optional[int] = None
    memory_mhz: Optional[int] = None
    celsius: Optional[int] = None
    power_mw: Optional[int] = None
    energy_mj: Optional[int] = None
    """counter since the driver was loaded, of the whole card; updated about ten times a second"""
    reasons: Optional[tuple[str, ...]] = None
    """why the clock is not higher"""
    process_bytes: Optional[int] = None
    """device memory of the runner"""


@dataclass(frozen=True)
class Job:
    """One trial as the device needs to know it."""

    trial: str
    backend: str = "onnxruntime"
    provider: str = CPU
    artifact: Optional[str] = None
    """sha of the model file; None for the null and torch backends."""
    artifact_bytes: int = 0
    plugin: Optional[str] = None
    """importable module that names a plug-in provider's library, e.g. onnxruntime_ep_openvino"""
    device: Optional[str] = None
    """kind of device for the provider, as get_ep_devices() lists them: CPU, GPU or NPU"""
    provider_options: dict[str, str] = field(default_factory=dict)
    session_options: dict[str, str] = field(default_factory=dict)
    """ONNX Runtime session config entries, e.g. session.x64quantprecision."""
    optimization: str = "all"
    arena: bool = True
    """onnxruntime: keep freed memory of the CPU for the next query; off, it goes back each time"""
    threads: int = 1
    scenario: str = SINGLE_STREAM
    batch: int = 1
    concurrency: int = 1
    """queries in flight: threads that share the session"""
    gap_ns: int = 0
    """single_stream: think time between one answer and the next query"""
    rate: Optional[float] = None
    """server: queries a second; None with `slo_ns` set: search the highest that keeps it"""
    slo_ns: Optional[int] = None
    """server: limit on p99, counted from the scheduled arrival"""
    affinity: tuple[int, ...] = ()
    """CPUs the runner may use; empty: all, or the round's CPU where one thread is all it needs"""
    starts: int = 3
    """cold_start: fresh processes a round"""
    cache: str = "warm"
    """cold_start: whether the model file lies in the page cache (warm) or not (cold)"""
    data: tuple[str, ...] = ()
    """shas of files beside the model file that hold its external weights"""
    inputs: dict[str, str] = field(default_factory=dict)
    """input name -> sha of an .npy blob whose first axis counts the rows."""
    stack: bool = True
    """True: a query stacks `batch` rows. False: the rows are whole queries already."""
    gpu: Optional[GpuOptions] = None
    source: Optional[str] = None
    """torch backend: 'module:callable', imported from `source_folders` on this very machine"""
    source_folders: tuple[str, ...] = ()
    seed: int = 0
    """torch backend: seed before the callable is called, the same as for the export"""
    outputs: tuple[str, ...] = ()
    """torch backend: names of the outputs in order, as in the exported baseline"""
    judged: tuple[str, ...] = ()
    """names of the outputs whose predictions are wanted; none: every output of numbers"""
    mask: dict[str, int] = field(default_factory=dict)
    """output name -> its axis of classes: predictions are each pixel's best class, no scores"""
    memory_limit_bytes: Optional[int] = None
    strict_provider: bool = False
    backend_options: dict[str, float] = field(default_factory=dict)
    """null backend: sleep_ns, spin_ns, a spike of memory, and faults for tests of the harness."""
    trace: bool = False
    """set by the runner for the session that records node by node; never one that is timed"""


@dataclass(frozen=True)
class RoundRequest:
    """One fresh process per job, all resident, measured in blocks in turns, seeded."""

    jobs: tuple[Job, ...]
    round: int
    seed: int
    block_ns: int = 10_000_000
    """aimed length of a block"""
    measure_ns: int = 500_000_000
    """aimed measuring time of each job in this round"""
    min_blocks: int = 5
    warmup_ns: int = 100_000_000
    """least warm-up; it goes on until block medians are level, or max_warmup_ns"""
    max_warmup_ns: int = 3_000_000_000
    load_timeout_ns: int = 120_000_000_000
    query_timeout_ns: int = 60_000_000_000
    predict: tuple[str, ...] = ()
    """trials whose predictions on all rows are wanted, after the timing, by the timed session"""
    yardstick: Optional[Job] = None
    """a small job that is measured seldom, beside the others"""

    @property
    def every_job(self) -> tuple[Job, ...]:
        """Those that a repetition is wanted of, in the order of the answer: the yardstick last."""
        return self.jobs if self.yardstick is None else (*self.jobs, self.yardstick)


@dataclass(frozen=True)
class Thermal:
    """Heat right after a block; None where the device does not offer it."""

    celsius: Optional[float] = None
    """hottest of the processor's zones"""
    before_celsius: Optional[float] = None
    """the same, right before the block"""
    governor: Optional[str] = None
    """which rule sets the clock"""
    mhz: Optional[tuple[int, ...]] = None
    """clock of each group of cores that shares one"""
    throttled: Optional[tuple[str, ...]] = None
    """what limits the clock, or did since the block before"""


@dataclass(frozen=True)
class Block:
    """A run of consecutive queries of one job, with what the machine did meanwhile."""

    position: int
    """place in the round's random order"""
    queries: int
    wall_ns: int
    cpu_ns: int
    """CPU time of the runner process during the block"""
    run_delay_ns: Optional[int] = None
    """time the runner's threads waited for a CPU (/proc/self/schedstat)"""
    involuntary_switches: Optional[int] = None
    steal_ns: Optional[int] = None
    """time the hypervisor gave this machine's CPUs to others (/proc/stat)"""
    other_cpu_ns: Optional[int] = None
    """CPU time spent by everything else on the machine (/proc/stat), without idle. Below 0 where
    fewer ticks fell into the block than it used, so that the sum over blocks is right"""
    rate: Optional[float] = None
    """server: queries a second that were scheduled"""
    lateness_ns: Optional[int] = None
    """server: p99 of how late the driver itself issued queries, queueing not counted"""
    disturbed: Optional[str] = None
    """what contaminated the block; it stays in the record and was measured once more"""
    gpu: Optional[GpuReading] = None
    thermal: Optional[Thermal] = None


@dataclass(frozen=True)
class Memory:
    """Resident memory by the kernel's own high-water mark; None where it can't be read."""

    imports_bytes: Optional[int] = None
    loaded_bytes: Optional[int] = None
    first_query_bytes: Optional[int] = None
    peak_bytes: Optional[int] = None
    """highest resident set from load to the end of the timed blocks"""
    pss_bytes: Optional[int] = None


@dataclass(frozen=True)
class Placement:
    """Where the nodes of a session's graph run."""

    nodes: int
    on_provider: int
    """nodes on the provider asked for"""
    elsewhere: dict[str, int] = field(default_factory=dict)
    """operator type -> nodes of it on another provider, as a rule the CPU"""


@dataclass(frozen=True)
class Energy:
    """What the device's own counters saw during this trial's timed blocks; the whole package."""

    source: Optional[str] = None
    joules: Optional[float] = None
    window_ns: int = 0
    queries: int = 0
    reason: Optional[str] = None
    """why nothing was measured"""


@dataclass(frozen=True)
class Start:
    """One cold start: a fresh process from no model to level queries."""

    load_ns: int
    first_query_ns: int
    steady_ns: int
    """median of the last block of a short warm-up"""


@dataclass(frozen=True)
class Repetition:
    """The raw record of one fresh-process run of one trial."""

    trial: str
    round: int
    status: Status
    reason: Optional[str] = None
    """for failed: crashed, timeout, out of memory, error: …"""
    detail: Optional[str] = None
    latencies: Optional[str] = field(default=None, metadata=_SHA)
    """sha of little-endian int64 latencies in ns, in the order of `blocks`"""
    services: Optional[str] = field(default=None, metadata=_SHA)
    """server: sha of the part of each latency that was service, same layout"""
    blocks: tuple[Block, ...] = ()
    load_ns: Optional[int] = None
    first_query_ns: Optional[int] = None
    warmup_ns: Optional[int] = None
    warmup_queries: Optional[int] = None
    warmup_level: Optional[bool] = None
    """whether the block medians became level before max_warmup_ns"""
    starts: tuple[Start, ...] = ()
    """cold_start: every process of the round, in order"""
    memory: Memory = field(default_factory=Memory)
    energy: Energy = field(default_factory=Energy)
    outputs: dict[str, str] = field(default_factory=dict)
    """output name -> sha of an .npy blob with one prediction per row"""
    providers: tuple[str, ...] = ()
    """providers the session really has, in order"""
    affinity: tuple[int, ...] = ()
    """CPUs the runner was kept on; empty: any"""
    engine_build_ns: Optional[int] = None
    """TensorRT: load and first query of the one process that built the engine"""
    placement: Optional[Placement] = None
    """None: the library does not tell"""

    def __post_init__(self) -> None:
        _check_blobs(self.outputs)


@dataclass(frozen=True)
class TraceRequest:
    """A few queries of one job with the backend's own profiler on, in a process of their own."""

    job: Job
    warmup_queries: int = 3
    queries: int = 40
    least_queries: int = 5
    most_ns: int = 2_000_000_000
    """after `least_queries`, no further one begins later than this"""
    load_timeout_ns: int = 120_000_000_000
    query_timeout_ns: int = 60_000_000_000


@dataclass(frozen=True)
class Trace:
    """What a TraceRequest gave. The trace itself is Chrome's JSON format, in microseconds."""

    trial: str
    status: Status
    reason: Optional[str] = None
    detail: Optional[str] = None
    blob: Optional[str] = field(default=None, metadata=_SHA)
    """sha of the trace"""
    queries: int = 0
    """profiled queries; they are the last ones in the trace, after warm-up"""
    plain_ns: tuple[int, ...] = ()
    """latencies of a session without the profiler, which slows down every node; taken in turns
    with the profiled ones, in the same process"""
    providers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """Predictions on other rows than those of the job, after the timing."""

    status: Status
    reason: Optional[str] = None
    """for failed: crashed, timeout, out of memory, error"""
    detail: Optional[str] = None
    outputs: dict[str, str] = field(default_factory=dict)
    """output name -> sha of an .npy blob with one prediction per row"""

    def __post_init__(self) -> None:
        _check_blobs(self.outputs)


@dataclass(frozen=True)
class Probed:
    """What a session made of a query that it must not be asked."""

    case: str
    outcome: str
    """answer, wrong answer, NaN out, error, crash, timeout, out of memory, not applicable"""
    detail: Optional[str] = None
    wall_ns: Optional[int] = None
    """until the answer or the error; overload: the slowest query"""
    plain_ns: Optional[int] = None
    """the same session's ordinary query"""


def _check_blobs(outputs: dict[str, str]) -> None:
    for name, sha in outputs.items():
        if not is_sha(sha):
            raise DecodeError(f"outputs.{name}", _SHA["expected"], sha)
