"""Why a trial takes the time it takes: rules over a parsed trace.

Every rule has a threshold and a reason for it, and says the share of the query's time that it
holds responsible, so that causes can be ranked. `scripts/bench_explain` plants causes, asks the
rules and removes the causes again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Optional

from profiler.explain import families as ops
from profiler.explain.profile import CONTROL, Node, Profile
from profiler.wire.providers import CPU


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is known about a trial besides its trace."""

    threads: int = 1
    optimization: str = "all"
    provider: str = CPU
    architecture: str = ""
    graph: Mapping[str, int] = field(default_factory=dict)
    """operator type -> number of nodes in the model file, before ONNX Runtime optimized it"""
    one_thread_us: Optional[float] = None
    """latency of the same configuration with one thread"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One cause. `share` is the part of a query's time it is held responsible for."""

    cause: str
    share: float
    text: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a rule looks at. `baseline` is None for the baseline itself."""

    profile: Profile
    setting: Setting
    baseline: Optional[Profile] = None


Rule = Callable[[Case], Optional[Diagnosis]]


def percent(share: float) -> str:
    """0.123 -> '12 %'."""
    return f"{share * 100:.0f} %"


INTEGER_SLOW = 0.25
"""Below a quarter of the time, a kernel twice as fast would save less than an eighth."""


def conv_integer(case: Case) -> Diagnosis | None:
    """ConvInteger: an unpacked im2col and a plain integer product, no fused scale or activation."""
    share = case.profile.share({"ConvInteger"})
    if share < INTEGER_SLOW or _faster_than_baseline(case, "convolution"):
        return None
    text = f"ConvInteger has no fast kernel: {percent(share)} of the time"
    if case.baseline is not None:
        mine, other = ops.times(case.profile), ops.times(case.baseline)
        if other.get("convolution"):
            text += f", {mine['convolution'] / other['convolution']:.1f} times the float Conv"
    return Diagnosis(
        cause="conv_integer", share=share, text=text,
        advice="quantize convolutions statically (int8-static), or leave them in float",
    )  # fmt: skip


def _faster_than_baseline(case: Case, family: str) -> bool:
    if case.baseline is None:
        return False
    mine, other = ops.times(case.profile).get(family), ops.times(case.baseline).get(family)
    return mine is not None and other is not None and mine < other


QDQ_MANY = 0.15
"""A fused int8 graph keeps one Q at its inputs and one DQ at its outputs, a few per cent; the
share counts for less than this even in small fused models (4 to 9 % in scripts/bench_explain)."""


def unfused_qdq(case: Case) -> Diagnosis | None:
    """QuantizeLinear and DequantizeLinear which no integer kernel absorbed run as nodes."""
    share = case.profile.share(ops.QDQ)
    if share < QDQ_MANY or case.setting.optimization in ("none", "basic"):
        return None
    left = case.profile.count({"DequantizeLinear"})
    planned = case.setting.graph.get("DequantizeLinear", 0)
    pairs = f"{left} of {planned}" if planned >= left else f"{left}"
    return Diagnosis(
        cause="unfused_qdq", share=share,
        text=f"unfused QDQ pairs: {pairs}; quantizing and dequantizing take {percent(share)}",
        advice="leave operators without an 8-bit kernel out of the quantization",
    )  # fmt: skip


CASTS_MANY = 0.1
"""Casts of indices or masks stay below 5 %; a tenth of the time is worth another file."""


def casts(case: Case) -> Diagnosis | None:
    """Casts around kernels that exist in another precision only."""
    share = case.profile.share(ops.CAST)
    if share < CASTS_MANY:
        return None
    half = any("float16" in (*n.inputs, *n.outputs) for n in case.profile.nodes if n.op == "Cast")
    kind = "casts around fp16: this provider computes in float32" if half else "casts"
    return Diagnosis(
        cause="casts", share=share,
        text=f"{kind}; {case.profile.count(ops.CAST)} Cast nodes take {percent(share)}",
        advice="use float32 (or bfloat16, int8) here; fp16 pays where its kernels exist"
        if half else "export the model in one type",
    )  # fmt: skip


DYNAMIC_MANY = 0.15
"""Scaling reads every activation twice; beside a product worth quantizing it is below 10 %. The
share says where the time goes, not what can be saved: static models quantize their inputs, too,
and gained 5 to 8 % where scaling took 40 to 50 % (scripts/bench_explain)."""


def dynamic_quantize(case: Case) -> Diagnosis | None:
    """Ranges of activations found at run time cost more than the integer product saves."""
    share = case.profile.share(ops.DYNAMIC_QUANTIZE)
    if share < DYNAMIC_MANY or case.setting.optimization in ("none", "basic"):
        return None
    return Diagnosis(
        cause="dynamic_quantize", share=share,
        text=f"scaling activations at run time (DynamicQuantizeLinear): {percent(share)}",
        advice="int8-static knows the ranges beforehand, which saves a part of this",
    )  # fmt: skip


def u8_weights(case: Case) -> Diagnosis | None:
    """x86's 8-bit dot products multiply unsigned by signed; u8 weights take the slower kernel."""
    if case.setting.architecture not in ("x86_64", "AMD64"):
        return None
    slow = [n for n in case.profile.nodes if n.op in ops.INTEGER_COMPUTE and _u8_weights(n)]
    share = sum(node.us for node in slow) / case.profile.total_us
    if share < INTEGER_SLOW:
        return None
    return Diagnosis(
        cause="u8_weights", share=share,
        text=f"u8 weights: {len(slow)} integer kernels with unsigned weights take {percent(share)}",
        advice='weights = "int8": x86 multiplies unsigned activations by signed weights',
    )  # fmt: skip


def _u8_weights(node: Node) -> bool:
    """Both factors unsigned; a dynamic kernel's first input is float and becomes unsigned."""
    kinds = [kind for kind in node.inputs if kind in ("uint8", "int8")]
    return "int8" not in kinds and len(kinds) >= (1 if node.op.startswith("Dynamic") else 2)


NOT_QUANTIZED = 0.4
"""First and last layers often stay in float on purpose; two fifths of the time is not that."""


def not_quantized(case: Case) -> Diagnosis | None:
    """A quantized model that still computes in float, e.g. products of two activations."""
    integer = case.profile.count(ops.INTEGER_COMPUTE)
    pairs = case.setting.graph.get("DequantizeLinear", 0)
    if (integer == 0 and pairs == 0) or case.setting.optimization in ("none", "basic"):
        return None
    share = case.profile.share(ops.FLOAT_COMPUTE)
    if share < NOT_QUANTIZED:
        return None
    top = next(op for op in case.profile.by("op") if op in ops.FLOAT_COMPUTE)
    nodes = case.profile.count(ops.FLOAT_COMPUTE)
    return Diagnosis(
        cause="not_quantized", share=share,
        text=f"still in float: {nodes} kernels such as {top} take {percent(share)}",
        advice="8 bits can't speed up the rest; quantize these operators or accept it",
    )  # fmt: skip


FEW_FUSED = 0.03
"""What could be fused is the smaller part of the loss: without optimization, convolutions don't
get their blocked layout either (a planted 7 % stands for half of the time in bench_explain)."""


def optimization_off(case: Case) -> Diagnosis | None:
    """Nothing was fused because the session was told so."""
    level = case.setting.optimization
    share = case.profile.share(ops.FUSIBLE)
    if level not in ("none", "basic") or share < FEW_FUSED:
        return None
    return Diagnosis(
        cause="optimization_off", share=share,
        text=f"graph optimization is {'off' if level == 'none' else 'basic only'}:"
        f" operators which it would fuse take {percent(share)}; faster layouts are lost, too",
        advice='let ONNX Runtime optimize: optimization = "all"',
    )  # fmt: skip


OVERHEAD = 0.5
"""More than half of the time outside of work: another variant or more threads can't help much."""
TINY_KERNEL_US = 2.0
"""A kernel this short is mostly its own call: checking shapes, finding memory for the output."""


def overhead(case: Case) -> Diagnosis | None:
    """Tiny models, or many tiny nodes: the framework's fixed costs dominate."""
    profile = case.profile
    if _control_us(profile) > 0:
        return None
    tiny = [n for n in profile.nodes if n.us <= TINY_KERNEL_US * n.calls and n.op not in CONTROL]
    share = (profile.outside_us + sum(n.us for n in tiny)) / profile.total_us
    if share < OVERHEAD:
        return None
    many = f", of {len(profile.nodes)} nodes {len(tiny)} take under {TINY_KERNEL_US:g} µs each"
    return Diagnosis(
        cause="overhead", share=share,
        text=f"tiny model: framework overhead dominates, {percent(share)} of"
        f" {profile.total_us:.0f} µs{many}",
        advice="batch the queries, or merge small operators; precision and threads hardly matter",
    )  # fmt: skip


LOOPED = 0.4
"""The body's own kernels do the rest of the work, which a loop does not slow down."""


def control_flow(case: Case) -> Diagnosis | None:
    """A Loop or Scan whose body is so small that handing it out costs more than running it."""
    profile = case.profile
    if _control_us(profile) == 0:
        return None
    body = sum(n.us for n in profile.nodes if n.calls > 1 and n.us <= TINY_KERNEL_US * n.calls)
    share = (profile.outside_us + body) / profile.total_us
    if share < LOOPED:
        return None
    name = max((n for n in profile.nodes if n.op in CONTROL), key=lambda n: n.whole_us).op
    return Diagnosis(
        cause="control_flow", share=share,
        text=f"{name} hands out small pieces: {percent(share)} goes into stepping, not computing",
        advice="unroll the loop, or use a fused operator (LSTM, GRU, CumSum) instead",
    )  # fmt: skip


def _control_us(profile: Profile) -> float:
    return sum(node.whole_us for node in profile.nodes if node.op in CONTROL)


LAYOUT_MANY = 0.15
"""Blocked convolutions reorder at their borders, attention transposes heads: up to 10 %."""


def layout(case: Case) -> Diagnosis | None:
    """Memory moved to change its order."""
    share = case.profile.share(ops.LAYOUT)
    if share < LAYOUT_MANY:
        return None
    return Diagnosis(
        cause="layout", share=share,
        text=f"transposes and reorders: {case.profile.count(ops.LAYOUT)} nodes take"
        f" {percent(share)}",
        advice="export in the layout the kernels use (NCHW here), so that transposes cancel",
    )  # fmt: skip


COPIES_MANY = 0.3
"""Embeddings and concatenations belong to many models; below this they are not the matter."""


def copies(case: Case) -> Diagnosis | None:
    """Memory moved from place to place."""
    share = case.profile.share(ops.COPY)
    if share < COPIES_MANY:
        return None
    top = next(op for op in case.profile.by("op") if op in ops.COPY)
    return Diagnosis(
        cause="copies", share=share,
        text=f"moving data ({top} and the like): {case.profile.count(ops.COPY)} nodes take"
        f" {percent(share)}",
        advice="write results where they are needed: fewer Concat, Slice, Gather, Pad",
    )  # fmt: skip


DOUBLE = 0.25
"""As for slow integer kernels: below it, half the time of these kernels is little."""


def float64(case: Case) -> Diagnosis | None:
    """Double precision: half the numbers per instruction, and fewer tuned kernels."""
    share = sum(n.us for n in case.profile.nodes if "double" in n.inputs) / case.profile.total_us
    if share < DOUBLE:
        return None
    return Diagnosis(
        cause="float64", share=share,
        text=f"double precision: kernels in float64 take {percent(share)}",
        advice="convert the model to float32: half the memory, twice the numbers per instruction",
    )  # fmt: skip


FALLBACK = 0.1
"""A few shape computations belong on the CPU."""


def fallback(case: Case) -> Diagnosis | None:
    """An accelerator was asked for, and part of the graph ran on the CPU or was copied to it."""
    wanted = case.setting.provider
    if wanted == CPU:
        return None
    by = case.profile.by("provider")
    elsewhere = sum(us for name, us in by.items() if name != wanted) / case.profile.total_us
    share = max(elsewhere, case.profile.share(ops.MEMCPY))
    if share < FALLBACK:
        return None
    return Diagnosis(
        cause="fallback", share=share,
        text=f"not on {wanted}: {percent(share)} of the time runs elsewhere or copies there",
        advice="see which operators the provider lacks; strict_provider = true refuses this",
    )  # fmt: skip


USEFUL_SPEEDUP = 1.1
"""Fewer than a tenth faster than one thread is within what neighbours and clocks do."""


def threads(case: Case) -> Diagnosis | None:
    """Threads beyond the useful: they cost power and a core, and wait for each other."""
    count, one = case.setting.threads, case.setting.one_thread_us
    if count < 2 or one is None or one / case.profile.plain_us >= USEFUL_SPEEDUP:
        return None
    speedup = one / case.profile.plain_us
    share = max(0.0, 1 - speedup) + (1 - 1 / count) * min(1.0, speedup)
    word = "slower than" if speedup < 1 / USEFUL_SPEEDUP else "no faster than"
    return Diagnosis(
        cause="threads", share=share,
        text=f"threads beyond the useful: t{count} is {word} t1 ({speedup:.2f} times the speed),"
        f" {percent(share)} of the cores' time is waste",
        advice="threads = [1]; use the other cores for other queries",
    )  # fmt: skip


RULES: tuple[Rule, ...] = (
    conv_integer, unfused_qdq, casts, dynamic_quantize, u8_weights, not_quantized,
    optimization_off, overhead, control_flow, layout, copies, float64, fallback, threads,
)  # fmt: skip


def diagnose(case: Case) -> tuple[Diagnosis, ...]:
    """Every cause found, the largest share first. Shares of different causes may overlap."""
    found = [diagnosis for rule in RULES if (diagnosis := rule(case)) is not None]
    return tuple(sorted(found, key=lambda diagnosis: -diagnosis.share))
