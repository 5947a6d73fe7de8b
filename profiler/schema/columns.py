"""The columns of the table of trials, in order: a new one is a line here.

From `Row` come the table's header, its CSV and DataFrame columns, the units and formats of its
values, and the list in the README. A misspelt name is refused by mypy where a row is read or made,
and on import where a metric names it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal, TypedDict, cast, get_args

from profiler.units import (
    format_duration,
    format_energy,
    format_percent,
    format_rate,
    format_size,
)

Kind = Literal[
    "duration", "size", "share", "points", "rate", "money", "energy", "number", "text", "flag"
]


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


_KINDS: Final[Mapping[Kind, tuple[str, Callable[[Any], str]]]] = {
    "duration": ("ns", format_duration),
    "size": ("bytes", format_size),
    "share": ("of 1", format_percent),
    "points": ("of 1", format_percent),
    "rate": ("/s", format_rate),
    "money": ("of its currency", _plain),
    "energy": ("J", format_energy),
    "number": ("", _plain),
    "text": ("", str),
    "flag": ("", str),
}
"""kind -> (unit, how a value is told); points are differences of shares"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnEntry:
    """What is known of a column. `show` tells a value, which may be None, in a sentence."""

    help: str
    kind: Kind
    unit: str
    show: Callable[[Any], str]
    name: str = ""
    ends: tuple[str, str] | None = None
    """the columns of its 95 % interval"""


def _is(
    means: str, kind: Kind, unit: str | None = None, show: Callable[[Any], str] | None = None
) -> ColumnEntry:
    usual_unit, usual_show = _KINDS[kind]
    return ColumnEntry(
        help=means, kind=kind, unit=usual_unit if unit is None else unit, show=show or usual_show
    )


def _text(means: str) -> ColumnEntry:
    return _is(means, "text")


def _flag(means: str) -> ColumnEntry:
    return _is(means, "flag")


def _ns(means: str) -> ColumnEntry:
    return _is(means, "duration")


def _bytes(means: str) -> ColumnEntry:
    return _is(means, "size")


def _number(means: str, unit: str = "") -> ColumnEntry:
    return _is(means, "number", unit)


_LOW, _HIGH = "low end of its 95 % interval", "high end of its 95 % interval"
_NS_LOW, _NS_HIGH = _ns(_LOW), _ns(_HIGH)
_SHARE_LOW, _SHARE_HIGH = _is(_LOW, "share"), _is(_HIGH, "share")
_POINTS_LOW, _POINTS_HIGH = _is(_LOW, "points"), _is(_HIGH, "points")
_RATE_LOW, _RATE_HIGH = _is(_LOW, "rate"), _is(_HIGH, "rate")
_NUMBER_LOW, _NUMBER_HIGH = _number(_LOW), _number(_HIGH)
_NOTE = _text("why it is missing or has no interval")

Number = float | None
Count = int | None
Text = str | None
"""None: not known, or not of this trial"""


class Row(TypedDict, total=False):
    """What is known of one trial. Rows of a table have every column; parts of one have some."""

    trial: Annotated[str, _text("name of the trial")]
    model: Annotated[str, _text("name of the model")]
    variant: Annotated[str, _text("name of the variant")]
    recipe: Annotated[str, _text("how the variant was made")]
    is_baseline: Annotated[bool, _flag("whether others of its configuration are held against it")]
    target: Annotated[str, _text("name of the target")]
    provider: Annotated[str, _text("execution provider or library")]
    threads: Annotated[int, _number("threads of the session")]
    scenario: Annotated[str, _text("how queries arrive")]
    batch: Annotated[int, _number("samples in a query")]
    concurrency: Annotated[int, _number("queries in flight")]
    cache: Annotated[str, _text("cold_start: whether the file was in the page cache")]
    gap_ns: Annotated[int, _ns("pause between queries")]
    rate: Annotated[Number, _is("server: queries a second that were driven", "rate")]
    optimization: Annotated[str, _text("level of graph optimization")]
    affinity: Annotated[str, _text("CPUs the trial was bound to; empty: all")]
    arena: Annotated[bool, _flag("whether memory is kept in an arena")]
    memory_limit: Annotated[str, _text("memory it had to fit in; empty: no limit of its own")]
    shapes: Annotated[str, _text("swept sizes of inputs, such as sequence=128")]
    status: Annotated[str, _text("ok, failed, pending or excluded")]
    reason: Annotated[Text, _text("why it failed, is pending or excluded; or how often it failed")]
    stopped: Annotated[Text, _text("what ended the measuring")]
    rounds: Annotated[Count, _number("rounds with good measurements, each a fresh process")]
    queries: Annotated[Count, _number("timed queries of all rounds")]
    p50_ns: Annotated[Number, _ns("median latency of a query")]
    p50_low_ns: Annotated[Number, _NS_LOW]
    p50_high_ns: Annotated[Number, _NS_HIGH]
    p50_note: Annotated[Text, _NOTE]
    full_ns: Annotated[Number, _ns("the same at full speed, where the machine has two speeds")]
    slowed_ns: Annotated[Number, _ns("the same in the machine's slow moments")]
    slowed_share: Annotated[Number, _is("time that was slow", "share")]
    p90_ns: Annotated[Number, _ns("latency that 90 % of queries keep")]
    p90_low_ns: Annotated[Number, _NS_LOW]
    p90_high_ns: Annotated[Number, _NS_HIGH]
    p90_note: Annotated[Text, _NOTE]
    p99_ns: Annotated[Number, _ns("latency that 99 % of queries keep")]
    p99_low_ns: Annotated[Number, _NS_LOW]
    p99_high_ns: Annotated[Number, _NS_HIGH]
    p99_note: Annotated[Text, _NOTE]
    throughput: Annotated[Number, _is("samples a second; server: the goodput", "rate")]
    throughput_low: Annotated[Number, _RATE_LOW]
    throughput_high: Annotated[Number, _RATE_HIGH]
    throughput_note: Annotated[Text, _text("why it is the rate that was driven")]
    capacity: Annotated[
        Number,
        _is(
            "samples a second that one process serves within the limit on p99, at random times",
            "rate",
        ),
    ]
    capacity_low: Annotated[Number, _RATE_LOW]
    capacity_high: Annotated[Number, _RATE_HIGH]
    capacity_note: Annotated[Text, _text("why there is none, or that no limit was set")]
    load_ns: Annotated[Number, _ns("loading the model, once a process")]
    load_low_ns: Annotated[Number, _NS_LOW]
    load_high_ns: Annotated[Number, _NS_HIGH]
    first_query_ns: Annotated[Number, _ns("the first query of a process")]
    first_query_low_ns: Annotated[Number, _NS_LOW]
    first_query_high_ns: Annotated[Number, _NS_HIGH]
    steady_ns: Annotated[Number, _ns("cold_start: a query once they are level")]
    steady_low_ns: Annotated[Number, _NS_LOW]
    steady_high_ns: Annotated[Number, _NS_HIGH]
    processes: Annotated[Count, _number("fresh processes that loaded the model")]
    warmup_ns: Annotated[Number, _ns("time until queries were level, the median of rounds")]
    memory_imports_bytes: Annotated[Number, _bytes("memory of the process before the model")]
    memory_loaded_bytes: Annotated[Number, _bytes("memory with the model loaded")]
    memory_first_query_bytes: Annotated[Number, _bytes("memory after the first query")]
    memory_peak_bytes: Annotated[Number, _bytes("highest memory of the process")]
    memory_pss_bytes: Annotated[Number, _bytes("memory with shared pages counted in part")]
    file_bytes: Annotated[Count, _bytes("size of the model file with its weights")]
    providers: Annotated[Text, _text("providers that the session had")]
    placed: Annotated[Number, _is("nodes that ran on the provider asked for", "share")]
    placed_note: Annotated[Text, _text("which nodes ran elsewhere")]
    output_error: Annotated[
        Number, _is("outputs against the first target's, relative RMS", "share")
    ]
    copies: Annotated[Text, _text("whether copies between host and GPU are in the latency")]
    engine_build_ns: Annotated[Count, _ns("building the provider's engine")]
    gpu_memory_bytes: Annotated[Count, _bytes("highest GPU memory of the process")]
    gpu_sm_mhz_low: Annotated[Count, _number("lowest clock of the GPU", "MHz")]
    gpu_celsius_high: Annotated[Count, _number("highest temperature of the GPU", "°C")]
    gpu_slowed: Annotated[Text, _text("what held the GPU back")]
    ratio: Annotated[Number, _number("latency over the baseline's at the same moment")]
    ratio_low: Annotated[Number, _NUMBER_LOW]
    ratio_high: Annotated[Number, _NUMBER_HIGH]
    ratio_slowed: Annotated[Number, _number("that in the machine's slow moments, if it differs")]
    ratio_slowed_low: Annotated[Number, _NUMBER_LOW]
    ratio_slowed_high: Annotated[Number, _NUMBER_HIGH]
    yardsticks: Annotated[Number, _number("latency over the yardstick's at the same moment")]
    yardsticks_low: Annotated[Number, _NUMBER_LOW]
    yardsticks_high: Annotated[Number, _NUMBER_HIGH]
    yardstick_ns: Annotated[Number, _ns("what the yardstick took in its rounds")]
    verdict: Annotated[Text, _text("faster, slower, equivalent or undecided")]
    rounds_needed: Annotated[Number, _number("rounds that would decide an undecided verdict")]
    accuracy: Annotated[Number, _is("right rows, or what accuracy_is says", "share")]
    accuracy_low: Annotated[Number, _SHARE_LOW]
    accuracy_high: Annotated[Number, _SHARE_HIGH]
    accuracy_is: Annotated[Text, _text("what accuracy is, where it is no share of right rows")]
    judged: Annotated[Text, _text("the output that is judged, where there are several")]
    drop: Annotated[Number, _is("accuracy lost against its own baseline", "points")]
    drop_low: Annotated[Number, _POINTS_LOW]
    drop_high: Annotated[Number, _POINTS_HIGH]
    quality: Annotated[Text, _text("non-inferior, worse or undecided")]
    quality_n_needed: Annotated[Number, _number("labelled rows that would decide it")]
    flips: Annotated[Count, _number("answers that differ from the baseline's")]
    agreement: Annotated[Number, _is("answers that are the baseline's", "share")]
    kl: Annotated[Number, _number("divergence from the baseline's probabilities", "nats")]
    cosine: Annotated[Number, _number("similarity of the outputs to the baseline's")]
    sqnr_db: Annotated[Number, _number("the baseline's outputs over the difference", "dB")]
    max_abs: Annotated[Number, _number("largest difference of an output from the baseline's")]
    damaged: Annotated[Text, _text("classes and slices that lost more than the rest")]
    decision_cost: Annotated[Number, _number("mean cost of a decision, by [data] costs")]
    decision_cost_more: Annotated[Number, _number("how much more than the baseline's")]
    decision_cost_more_low: Annotated[Number, _NUMBER_LOW]
    decision_cost_more_high: Annotated[Number, _NUMBER_HIGH]
    gap: Annotated[
        Number, _is("accuracy lost against the most accurate baseline", "points", show=_plain)
    ]
    gap_low: Annotated[Number, _POINTS_LOW]
    gap_high: Annotated[Number, _POINTS_HIGH]
    stress_worst: Annotated[Text, _text("perturbation and severity with the largest extra loss")]
    stress_drop: Annotated[Number, _is("extra loss there, beyond the baseline's", "points")]
    stress_drop_low: Annotated[Number, _POINTS_LOW]
    stress_drop_high: Annotated[Number, _POINTS_HIGH]
    stress_broken: Annotated[Text, _text("where it breaks under stress")]
    cost_per_million: Annotated[
        Number, _is("a million samples at that capacity, machine and electricity", "money")
    ]
    cost_per_million_low: Annotated[Number, _is(_LOW, "money")]
    cost_per_million_high: Annotated[Number, _is(_HIGH, "money")]
    cost_note: Annotated[Text, _text("why there is none, or what is not in it")]
    currency: Annotated[Text, _text("currency of its price")]
    price: Annotated[Text, _text("the declared price that rests on")]
    energy_j_per_query: Annotated[Number, _is("energy of a query", "energy")]
    energy_label: Annotated[Text, _text("measured, estimated or unavailable")]
    energy_note: Annotated[Text, _text("where the energy comes from, or why there is none")]
    noise: Annotated[Text, _text("what disturbed the trial as a whole")]
    saturable: Annotated[Count, _number("8-bit products that can saturate on its processor")]
    advice: Annotated[Text, _text("what speaks against the recipe there, and what to type")]
    slo: Annotated[Text, _text("met, missed or undecided, by all limits of the study")]
    frontier: Annotated[bool | None, _flag("whether no other trial dominates it")]
    dominated_by: Annotated[Text, _text("a trial that is as good in all and better in one")]
    chosen: Annotated[bool, _flag("whether it is the recommendation")]


def _registered() -> dict[str, ColumnEntry]:
    found = {name: get_args(kind)[1] for name, kind in Row.__annotations__.items()}
    entries = {}
    for name, entry in found.items():
        stem, unit, _ = name.partition("_ns")
        low, high = f"{stem}_low{unit}", f"{stem}_high{unit}"
        ends = (low, high) if low in found and high in found else None
        entries[name] = replace(entry, name=name, ends=ends)
    return entries


COLUMNS: Final[Mapping[str, ColumnEntry]] = _registered()


def part_of(columns: Mapping[str, Any]) -> Row:
    """Some columns of a row, whose names were computed. Raises KeyError for a strange one."""
    if not columns.keys() <= COLUMNS.keys():
        raise KeyError(f"no column is called {next(c for c in columns if c not in COLUMNS)!r}")
    return cast(Row, columns)


def row_of(*parts: Mapping[str, Any] | Row) -> Row:
    """A row with every column, later parts over earlier ones. Raises KeyError for a strange one."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    for part in parts:
        row.update(part)
    return part_of(row)


def value_of(row: Row, column: str) -> Any:
    """What a row says in the column of this name, which is in COLUMNS; None where it says nothing.

    For names that are computed; others are subscripts, which mypy checks.
    """
    return cast(Mapping[str, Any], row).get(COLUMNS[column].name)


def interval_of(row: Row, column: str) -> tuple[float, float] | None:
    """The 95 % interval of a column; None where there is none. Half an interval is none."""
    ends = COLUMNS[column].ends
    if ends is None:
        return None
    low, high = (value_of(row, end) for end in ends)
    return None if low is None or high is None else (low, high)


def half_width_of(row: Row, column: str) -> float | None:
    """Half of the interval as a share of the value; None where there is no interval."""
    ends, whole = interval_of(row, column), value_of(row, column)
    return None if ends is None or whole is None else (ends[1] - ends[0]) / 2 / float(whole)
