"""Absurd values are refused where they are written, with key, value and range."""

import dataclasses
import os
import typing
from pathlib import Path
from typing import Any

import pytest

from profiler.errors import InputError, StudyError
from profiler.schema.device import runtime, ssh, target
from profiler.schema.device.target import Target
from profiler.schema.device.target_files import read_target
from profiler.schema.study import data, images, stress, study, text, variant
from profiler.schema.study.study import Study
from profiler.wire.codec import DecodeError, decode, encode, nearest, show

MINIMAL: dict[str, Any] = {"name": "s", "models": [{"name": "m", "onnx": "m.onnx"}]}
DATA = {"file": "rows.npz"}
HUGE = "9" * 400


@pytest.mark.parametrize(
    ("given", "key", "expected"),
    [
        ({"seed": -1}, "seed", "from 0 to"),
        ({"seed": 2**64}, "seed", "from 0 to"),
        ({"threads": [10**9]}, "threads[0]", "from 1 to 4096"),
        ({"scenarios": [{"kind": "offline", "batch": [1, 10**9]}]},
         "scenarios[0].batch[1]", "from 1 to 1048576"),
        ({"scenarios": [{"kind": "offline", "batch": [2**63]}]},
         "scenarios[0].batch[0]", "from 1 to 1048576"),
        ({"scenarios": [{"kind": "offline", "concurrency": [10**5]}]},
         "scenarios[0].concurrency[0]", "from 1 to 1024"),
        ({"scenarios": [{"kind": "offline", "batch": [8, 8]}]}, "scenarios[0].batch", "once"),
        ({"scenarios": [{"kind": "cold_start", "starts": 10**9}]},
         "scenarios[0].starts", "from 1 to 1000"),
        ({"scenarios": [{"kind": "server", "rate": 1e300}]},
         "scenarios[0].rate", "from 0.001 to 1000000"),
        ({"scenarios": [{"kind": "single_stream", "gap": f"{HUGE}s"}]}, "scenarios[0].gap", "60s"),
        ({"slo": {"p99": "0s"}}, "slo.p99", "from 1ns to 1440min"),
        ({"slo": {"max_drop": "500%"}}, "slo.max_drop", "from 0 to 1"),
        ({"slo": {"max_drop": -0.5}}, "slo.max_drop", "from 0 to"),
        ({"slo": {"min_accuracy": 7}}, "slo.min_accuracy", "from 0 to 1"),
        ({"slo": {"memory": "0B"}}, "slo.memory", "from 1MB"),
        ({"measure": {"memory_limit": "0B"}}, "measure.memory_limit", "from 1MB"),
        ({"measure": {"query_timeout": "1ns"}}, "measure.query_timeout", "from 1ms"),
        ({"measure": {"round_time": f"{HUGE}s"}}, "measure.round_time", "to 1440min"),
        ({"measure": {"budget": f"0.{HUGE}s"}}, "measure.budget", "to 43200min"),
        ({"measure": {"round_time": "50ms", "block_time": "60ms"}},
         "measure.block_time", "no more than round_time"),
        ({"measure": {"max_rounds": 10**9}}, "measure.max_rounds", "to 100000"),
        ({"measure": {"precision": 10**400}}, "measure.precision", "a finite number"),
        ({"measure": {"precision": 1e-300}}, "measure.precision", "from 0.0001% to"),
        ({"sweep": {"affinity": ["5-1"]}}, "sweep.affinity", "'1-5'"),
        ({"sweep": {"affinity": ["0-999999999"]}}, "sweep.affinity", "from 0 to 4095"),
        ({"sweep": {"affinity": ["²"]}}, "sweep.affinity", "CPU numbers"),
        ({"sweep": {"affinity": ["Big"]}}, "sweep.affinity", "or big, little, all"),
        ({"sweep": {"memory_limit": ["0B"]}}, "sweep.memory_limit", "from 1MB"),
        ({"sweep": {"arena": [True, True]}}, "sweep.arena", "once"),
        ({"sweep": {"shapes": [{"n": 10**30}]}}, "sweep.shapes[0].n", "from 1 to"),
        ({"stress": {"severities": ["high"]}}, "stress.severities[0]", "one of 1, 2, 3"),
        ({"stress": {"rows": 10**12}}, "stress.rows", "from 1 to"),
        ({"stress": {"range": [0, 1e300]}}, "stress.range[1]", "to 1000000000"),
        ({"data": {**DATA, "top_k": [10**9]}}, "data.top_k[0]", "from 1 to 1000000"),
        ({"data": {**DATA, "classes": -3}}, "data.classes", "from 1 to"),
        ({"data": {**DATA, "labels": ""}}, "data.labels", "not empty"),
        ({"data": {**DATA, "file": "a\0b.npz"}}, "data.file", "control characters"),
        ({"data": {**DATA, "calibration_rows": 10**40}}, "data.calibration_rows", "from 1 to"),
        ({"data": {**DATA, "images": {"size": [10**9, 10**9]}}}, "data.images.size[0]", "to 16384"),
        ({"data": {**DATA, "images": {"size": [8, 8], "std": [1e-300] * 3}}},
         "data.images.std[0]", "above 0"),
        ({"data": {**DATA, "text": {"column": "c", "tokenizer": "t", "max_length": 2**63}}},
         "data.text.max_length", "to 1000000"),
        ({"variants": [{"name": "v", "recipe": "fp16", "keep_float": [""]}]},
         "variants[0].keep_float[0]", "not empty"),
        ({"variants": ["int4:²"]}, "variants[0]", "a block size"),
        ({"models": [{"name": "m", "onnx": "m" * 20_000}]}, "models[0].onnx", "characters at most"),
        ({"models": [{"name": "m\x1b[2J", "onnx": "m"}]}, "models[0].name", "letters, digits"),
        ({"threads": list(range(1, 401)), "sweep": {"affinity": [str(i) for i in range(400)]}},
         "", "100000 trials at most"),
    ],
)  # fmt: skip
def test_an_absurd_value_is_refused_with_its_range(
    given: dict[str, Any], key: str, expected: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(Study, {**MINIMAL, **given})
    assert caught.value.path == key
    assert expected in caught.value.expected
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()
    assert str(caught.value).count("expected") == 1


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"memory_limit": "0B"}, "memory_limit"),
        ({"cost": {"usd_per_hour": 1e300, "as_of": "2026"}}, "cost.usd_per_hour"),
        ({"declares": {"cores": -4}}, "declares.cores"),
        ({"declares": {"memory_gb": 10**400}}, "declares.memory_gb"),
        ({"backend_options": {"sleep_ns": -1}}, "backend_options.sleep_ns"),
        ({"transport": "ssh", "ssh": {"host": "h", "port": 10**9}}, "ssh.port"),
        ({"python": ""}, "python"),
        ({"description": "\x1b[2J"}, "description"),
    ],
)
def test_so_is_that_of_a_target(given: dict[str, Any], key: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(Target, {"name": "t", **given})
    assert caught.value.path == key


def test_a_metric_of_the_users_own_may_be_above_one() -> None:
    given = {**MINIMAL, "slo": {"min_accuracy": 30.0},
             "data": {**DATA, "labels": "y", "metric": "m:f"}}  # fmt: skip
    assert decode(Study, given).slo.min_accuracy == 30.0


def test_a_round_shorter_than_the_default_block_is_fine() -> None:
    found = decode(Study, {**MINIMAL, "measure": {"round_time": "5ms"}})
    assert decode(Study, encode(found)) == found


def _classes() -> set[type]:
    modules = (data, images, runtime, ssh, stress, study, target, text, variant)
    return {
        value for module in modules for value in vars(module).values()
        if dataclasses.is_dataclass(value) and isinstance(value, type)
        and value.__module__ == module.__name__
    }  # fmt: skip


def _scalars(hint: Any) -> set[Any]:
    return {hint, *(s for a in typing.get_args(hint) for s in _scalars(a))}


def test_every_number_of_a_study_and_a_target_declares_its_range() -> None:
    bare = [
        f"{kind.__name__}.{one.name}"
        for kind in _classes()
        for one in dataclasses.fields(kind)
        if one.init and "range" not in one.metadata
        and {int, float} & _scalars(typing.get_type_hints(kind)[one.name])
    ]  # fmt: skip
    assert bare == []


def test_every_table_of_a_study_and_a_target_checks_itself() -> None:
    without = [kind.__name__ for kind in _classes() if not hasattr(kind, "__post_init__")]
    assert without == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a = " + "[" * 100_000, "nested too deep"),
        ("a." * 50_000 + "a = 1", "nested too deep"),
        (f"seed = {'9' * 5000}", "got one of thousands"),
        (f"seed = 0x{'f' * 5000}", "seed: expected a number from 0"),
        ("name = '''a\n\x1b[2J'''", "not valid TOML"),
        ('"\\u001b[2J" = 1', "\\x1b[2J: unknown key"),
        ("#" * 5_000_000, "at most 4000000 bytes"),
    ],
)  # fmt: skip
def test_text_that_no_parser_survives_is_refused(
    tmp_path: Path, content: str, expected: str
) -> None:
    path = tmp_path / "study.toml"
    model = '[[models]]\nname = "m"\nonnx = "m"\n'
    path.write_text(f"{content}\n{model}")
    with pytest.raises(StudyError) as caught:
        Study.read(path)
    assert expected in caught.value.message
    assert len(caught.value.message) < 600
    assert "\x1b" not in caught.value.message


def test_what_has_no_end_is_not_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "study.toml"
    os.mkfifo(pipe)
    with pytest.raises(StudyError, match="it is a pipe"):
        Study.read(pipe)
    zero = tmp_path / "zero.toml"
    zero.symlink_to("/dev/zero")
    with pytest.raises(StudyError, match="it is a device"):
        read_target(zero)
    loop = tmp_path / "loop.toml"
    loop.symlink_to(loop)
    with pytest.raises(StudyError, match="can't be read"):
        Study.read(loop)


def test_values_are_shown_short_and_without_control_characters() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    assert show(nested) == "something too large to show"
    assert show(10**5000) == "a number of more than 80 digits"
    assert show("\x1b[2J") == '"\\x1b[2J"'
    assert show("größer\u00a0als") == '"größer\u00a0als"'
    assert nearest("x" * 10_000_000, ["known"]) is None
    assert nearest("knownn", ["known\x7f"]) == 'did you mean "known\\x7f"?'


@pytest.mark.parametrize("option", ["²", "0", "9" * 5000, "1e3", "-1"])
def test_options_take_plain_digits_only(option: str) -> None:
    from profiler.commands.model_study import study_of

    with pytest.raises(InputError, match="--threads: expected numbers of 1 or more"):
        study_of([Path("m.onnx")], threads=option)
    with pytest.raises(InputError, match="--shape: expected NAME=SIZE"):
        study_of([Path("m.onnx")], shapes=[f"n={option}"])
