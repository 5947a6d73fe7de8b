from profiler.analysis.trials.gpu import summarise, warnings
from profiler.wire.messages import Block, GpuReading, Repetition


def block(**reading: object) -> Block:
    return Block(position=0, queries=1, wall_ns=1, cpu_ns=1, gpu=GpuReading(**reading))


def repetition(*blocks: Block, **more: object) -> Repetition:
    return Repetition(trial="t", round=0, status="ok", blocks=blocks, **more)


def test_the_worst_of_all_blocks_counts() -> None:
    found = summarise([
        repetition(block(sm_mhz=1980, celsius=40, process_bytes=5, reasons=()), engine_build_ns=9),
        repetition(block(sm_mhz=1500, celsius=70, process_bytes=7, reasons=("power cap", "idle"))),
    ])  # fmt: skip
    assert found == {"engine_build_ns": 9, "gpu_memory_bytes": 7, "gpu_sm_mhz_low": 1500,
                     "gpu_celsius_high": 70, "gpu_slowed": "power cap"}  # fmt: skip


def test_nothing_read_is_nothing_said() -> None:
    plain = repetition(Block(position=0, queries=1, wall_ns=1, cpu_ns=1))
    assert set(summarise([plain, repetition(block())]).values()) == {None}


def test_a_reader_is_told_about_copies_and_slow_clocks() -> None:
    row = {"status": "ok", "target": "gpu", "copies": "excluded", "gpu_slowed": None}
    assert warnings([row]) == ["gpu: copies between host and GPU are excluded in every latency"]
    assert (
        "slowed down in 1 of 2 trials (power cap)"
        in warnings([row, {**row, "gpu_slowed": "power cap"}])[0]
    )
    assert warnings([{**row, "copies": None}]) == []
