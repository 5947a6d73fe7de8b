"""The shipped target files, and what a target file may not say."""

from dataclasses import replace
from pathlib import Path

import pytest

from profiler.errors import StudyError
from profiler.schema.device.target import Target
from profiler.schema.device.target_files import read_target
from profiler.schema.record import shareable
from profiler.schema.study.identity import study_hash
from profiler.schema.study.study import Study
from profiler.wire.codec import DecodeError, decode

SHIPPED = sorted((Path(__file__).resolve().parents[3] / "targets").glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_target_can_be_read_and_says_what_it_is(path: Path) -> None:
    target = read_target(path)
    assert target.name == path.stem
    assert target.description
    if target.provider != "CPUExecutionProvider" and target.backend == "onnxruntime":
        start = path.read_text()
        assert start.startswith("#"), "says which package or build provides it, and what was run"


def test_targets_that_nobody_ran_say_so() -> None:
    ran = {"cuda", "openvino-cpu", "openvino-cpu-bf16", "openvino-plugin"}
    for path in SHIPPED:
        target = read_target(path)
        accelerated = target.backend == "onnxruntime" and target.provider != "CPUExecutionProvider"
        if accelerated and target.name not in ran:
            assert "ot run by us" in path.read_text(), path.name


def test_devices_and_prices_that_nobody_checked_say_so() -> None:
    priced = 0
    for path in SHIPPED:
        target = read_target(path)
        if target.ssh is not None:
            assert "Declared, not measured here" in target.description, path.name
        if target.cost is not None:
            priced += 1
            assert target.cost.source, path.name
            assert "not\n# checked" in path.read_text() or "not checked" in path.read_text()
    assert priced == 2


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"cost": {"usd_per_hour": 1.0, "as_of": "last summer"}}, "a date"),
        ({"cost": {"usd_per_hour": 1.0, "as_of": "2026-13"}}, "a date"),
        ({"plugin": "os; rm"}, "a module"),
        ({"device": "GPU"}, "a plugin beside it"),
        ({"device": "TPU", "plugin": "x"}, "CPU"),
        ({"gpu": {"select": "../x"}, "provider": "CUDAExecutionProvider"}, "an index"),
    ],
)
def test_wrong_keys_are_named(given: dict[str, object], says: str) -> None:
    with pytest.raises(DecodeError, match=says):
        decode(Target, {"name": "t", **given})


def test_a_folder_of_wheels_lies_beside_the_target_file(tmp_path: Path) -> None:
    path = tmp_path / "targets" / "pi5.toml"
    path.parent.mkdir()
    path.write_text('transport = "ssh"\nwheels = "../wheels"\n[ssh]\nhost = "pi"\n')
    with pytest.raises(StudyError, match=r"pi5\.toml: wheels: there is no folder"):
        read_target(path)
    (tmp_path / "wheels").mkdir()
    target = read_target(path)
    assert Path(target.wheels or "").samefile(tmp_path / "wheels")
    assert shareable.target(target)["wheels"] is None, "where it lies tells of the machine"
    study = decode(
        Study, {"name": "s", "targets": ["pi5"], "models": [{"name": "m", "onnx": "m.onnx"}]}
    )
    assert study_hash(study, (target,)) == study_hash(study, (replace(target, wheels=None),))
    with pytest.raises(DecodeError, match="wheels"):
        decode(Target, {"name": "t", "wheels": "w"})
