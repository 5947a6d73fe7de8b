"""The shipped target files, and what a target file may not say."""

from pathlib import Path

import pytest

from profiler.schema.codec import DecodeError, decode
from profiler.schema.files import read_target
from profiler.schema.target import Target

SHIPPED = sorted((Path(__file__).resolve().parents[2] / "targets").glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_target_can_be_read_and_says_what_it_is(path: Path) -> None:
    target = read_target(path)
    assert target.name == path.stem
    assert target.description
    text = path.read_text()
    known = ("local-cpu", "null", "torch-cpu", "torch-compile")
    if target.name not in known:
        assert text.startswith("#"), "says which package or build provides it, and what was run"


def test_targets_that_nobody_ran_say_so() -> None:
    ran = {"local-cpu", "null", "openvino-cpu", "openvino-cpu-bf16", "openvino-plugin",
           "torch-cpu", "torch-compile", "cuda-with-copies"}  # fmt: skip
    for path in SHIPPED:
        if path.stem not in ran:
            assert "Not run by us" in path.read_text(), path.name


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"plugin": "os; rm"}, "a module"),
        ({"device": "GPU"}, "a plugin beside it"),
        ({"device": "TPU", "plugin": "x"}, "CPU"),
        ({"gpu": {"select": "../x"}, "provider": "CUDAExecutionProvider"}, "an index"),
    ],
)
def test_wrong_keys_are_named(given: dict[str, object], says: str) -> None:
    with pytest.raises(DecodeError, match=says):
        decode(Target, {"name": "t", **given})
