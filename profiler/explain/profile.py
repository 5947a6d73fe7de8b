"""ONNX Runtime's own trace (Chrome's JSON format), read into time per node and operator type.

The trace counts whole microseconds, cut off: a kernel of 3.2 µs is written as 3. Half a
microsecond is added to every kernel, the mean of what was cut off, so that a thousand short
kernels don't vanish. The profiler also costs
1 to 3 µs a kernel, partly inside of what it counts: 200 kernels which take 33 µs are traced as
470 µs. So the latency of plain queries, taken in turns with the traced ones in the same process,
decides: where kernels add up to more, the excess is taken off every call alike (up to
MOST_PRICE_US), and what is left of the plain latency was spent outside kernels. Where they add up
to less, the time outside is a lower bound.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from profiler.errors import ResultsError
from profiler.wire.providers import CPU

CUT_OFF_US = 0.5
MOST_PRICE_US = 3.0
"""More than this a call is no price of the profiler but a disturbance, and stays visible."""
MOST_OUTSIDE_US = 20.0
"""On a CPU, ONNX Runtime spends 0.2 to 3 µs between two kernels. Far more than that is time which
somebody else had: the machine was busy just then."""
MOST_EXCESS = 1.5
"""Kernels traced in turns with plain queries agree with them to a few per cent."""
CONTROL = frozenset({"If", "Loop", "Scan", "SequenceMap", "BeamSearch", "GreedySearch", "Sampling"})
"""Operators whose kernel runs other kernels."""
_SUFFIX = "_kernel_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node of the graph as it really ran, after fusion. Times are per query."""

    name: str
    op: str
    provider: str
    us: float
    """median over queries of the time in this node's kernel, without kernels it runs itself"""
    whole_us: float
    """the same with the kernels it runs itself (Loop, If, Scan)"""
    calls: float
    """median number of runs in a query"""
    inputs: tuple[str, ...] = ()
    """ONNX Runtime's names of the inputs' types: float, float16, uint8, int8, …"""
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Where the time of one trial goes. Shares are of `total_us`."""

    queries: int
    plain_us: float
    """median latency in the same process without the profiler"""
    nodes: tuple[Node, ...]

    @property
    def kernels_us(self) -> float:
        """Time inside kernels. A Loop's own time is not a kernel's: it hands out work."""
        return sum(node.us for node in self.nodes if node.op not in CONTROL)

    @property
    def contradictory(self) -> bool:
        """Whether plain queries took longer than kernels and framework can explain, or kernels
        much longer than the plain queries they are part of.

        The first never on other providers, whose kernels' times may be no more than the launch,
        nor with loops, whose steps have costs of their own.
        """
        calls = 1 + sum(node.calls for node in self.nodes)
        busy = self.plain_us - self.kernels_us > MOST_OUTSIDE_US * calls
        if busy and all(n.provider == CPU and n.op not in CONTROL for n in self.nodes):
            return True
        return self.kernels_us > MOST_EXCESS * self.plain_us

    @property
    def total_us(self) -> float:
        """What shares refer to: the plain latency, or the kernels where they were slower.

        Where the two contradict each other, kernels alone: what is outside is then not known.
        """
        return self.kernels_us if self.contradictory else max(self.plain_us, self.kernels_us)

    @property
    def outside_us(self) -> float:
        """Time between kernels: scheduling, memory for outputs, copying inputs, Python's call."""
        return self.total_us - self.kernels_us

    def by(self, key: str) -> dict[str, float]:
        """Time per "op", "name" or "provider", longest first; control operators are left out."""
        found: dict[str, float] = defaultdict(float)
        for node in self.nodes:
            if node.op not in CONTROL:
                found[getattr(node, key)] += node.us
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def share(self, ops: Iterable[str]) -> float:
        """Share of the time spent in kernels of these operator types."""
        wanted = frozenset(ops)
        return sum(node.us for node in self.nodes if node.op in wanted) / self.total_us

    def count(self, ops: Iterable[str]) -> int:
        """Number of nodes of these operator types."""
        wanted = frozenset(ops)
        return sum(node.op in wanted for node in self.nodes)


def parse(text: str | bytes, queries: int, plain_ns: Iterable[int]) -> Profile:
    """Read a trace; its last `queries` runs count, those before are warm-up.

    Raises ResultsError when the text is no such trace or holds fewer runs.
    """
    try:
        return _profile(json.loads(text), queries, plain_ns)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise ResultsError(f"not a trace of ONNX Runtime ({type(error).__name__})") from None


def _profile(events: Any, queries: int, plain_ns: Iterable[int]) -> Profile:
    runs = sorted((e["ts"], e["ts"] + e["dur"]) for e in events if e["name"] == "model_run")
    kernels = [e for e in events if e.get("cat") == "Node" and e["name"].endswith(_SUFFIX)]
    kernels.sort(key=lambda e: (e["ts"], -e["dur"]))
    if queries < 1 or len(runs) < queries:
        raise ResultsError(f"the trace holds {len(runs)} runs, {queries} were expected")
    runs = runs[-queries:]
    starts = [start for start, _ in runs]
    per_query: list[list[Mapping[str, Any]]] = [[] for _ in runs]
    for event in kernels:
        place = bisect_right(starts, event["ts"]) - 1
        if place >= 0 and event["ts"] <= runs[place][1]:
            per_query[place].append(event)
    plain_us = median(plain_ns) / 1000
    nodes = _nodes([_sums(found) for found in per_query], kernels)
    return Profile(queries=queries, plain_us=plain_us, nodes=_without_price(nodes, plain_us))


def _without_price(nodes: tuple[Node, ...], plain_us: float) -> tuple[Node, ...]:
    """Take the profiler's price off every call, so that kernels don't exceed the whole query.

    The price is the smallest one that does it; a kernel shorter than the price keeps nothing.
    """
    kernels = [(n.us, n.calls) for n in nodes if n.op not in CONTROL and n.calls > 0]
    if sum(us for us, _ in kernels) <= plain_us:
        return nodes
    low, high = 0.0, MOST_PRICE_US
    for _ in range(30):  # bisection: the remainder falls steadily with the price
        price = (low + high) / 2
        rest = sum(max(0.0, us - calls * price) for us, calls in kernels)
        low, high = (price, high) if rest > plain_us else (low, price)
    taken = [replace(n, us=max(0.0, n.us - n.calls * high)) for n in nodes]
    return tuple(sorted(taken, key=lambda node: -node.us))


Key = tuple[str, str, str]


def _key(event: Mapping[str, Any]) -> Key:
    args = event["args"]
    name = event["name"].removesuffix(_SUFFIX)
    op = args.get("op_name", "?")
    return name or f"{op} {args.get('node_index', '')}".strip(), op, args.get("provider", "?")


def _sums(events: list[Mapping[str, Any]]) -> dict[Key, tuple[float, float, int]]:
    """(own, whole, calls) of each node in one query; events in order of their start."""
    sums: dict[Key, tuple[float, float, int]] = {}
    open_ones: list[tuple[float, Key]] = []  # (end, node) of the control operators around us

    def add(key: Key, own: float, whole: float, calls: int) -> None:
        before = sums.get(key, (0.0, 0.0, 0))
        sums[key] = (before[0] + own, before[1] + whole, before[2] + calls)

    for event in events:
        key, end = _key(event), event["ts"] + event["dur"]
        spent = event["dur"] + CUT_OFF_US
        while open_ones and open_ones[-1][0] < end:
            open_ones.pop()
        if open_ones:
            add(open_ones[-1][1], -spent, 0.0, 0)
        add(key, spent, spent, 1)
        if key[1] in CONTROL:
            open_ones.append((end, key))
    return sums


def _nodes(
    queries: list[dict[Key, tuple[float, float, int]]], kernels: list[Mapping[str, Any]]
) -> tuple[Node, ...]:
    types = {_key(e): (_types(e, "input_type_shape"), _types(e, "output_type_shape"))
             for e in kernels}  # fmt: skip
    seen = dict.fromkeys(key for query in queries for key in query)
    absent = (0.0, 0.0, 0)
    nodes = []
    for key in seen:
        taken = [query.get(key, absent) for query in queries]
        name, op, provider = key
        nodes.append(
            Node(
                name=name,
                op=op,
                provider=provider,
                us=max(0.0, median(own for own, _, _ in taken)),
                whole_us=median(whole for _, whole, _ in taken),
                calls=median(calls for _, _, calls in taken),
                inputs=types[key][0],
                outputs=types[key][1],
            )
        )
    return tuple(sorted(nodes, key=lambda node: -node.us))


def _types(event: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(kind for entry in event["args"].get(name, ()) for kind in entry)
