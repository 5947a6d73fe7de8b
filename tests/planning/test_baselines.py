"""A baseline that nobody named is called after the types of its weights."""

from pathlib import Path

import pytest

from profiler.planning.baselines import called, called_after
from profiler.schema.study.study import Study
from profiler.wire.codec import decode


def study(*variants, of_model=()):
    made = decode(Study, {
        "name": "s", "targets": ["local-cpu"], "variants": list(variants),
        "models": [{"name": "m", "onnx": "m.onnx", "variants": list(of_model)},
                   {"name": "other", "onnx": "o.onnx"}],
    })  # fmt: skip
    object.__setattr__(made, "folder", Path("here"))
    return made


def names(study, model):
    return [v.name for v in study.variants_of(study.models[model])]


@pytest.mark.parametrize(
    ("types", "variants", "expected"),
    [
        ("float32", ["fp16", "fp32"], ["fp32", "fp16"]),
        ("float16", ["fp16"], ["float16", "fp16"]),
        ("float32-int8", ["fp32"], ["float32-int8"]),
        ("float16", [{"name": "float16", "file": "f.onnx"}], ["baseline", "float16"]),
    ],
)
def test_the_types_are_the_name(types, variants, expected):
    assert names(called_after(study(*variants), {"m": types}), 0) == expected


@pytest.mark.parametrize("of_model", [(), ("fp16",)])
def test_only_the_named_model_has_another_baseline(of_model):
    made = called(study("fp32", "fp16", of_model=of_model), {"m": "float16", "other": "fp32"})
    assert names(made, 0) == ["float16", "fp16"]
    assert made.variants_of(made.models[0])[0].recipe == "fp32"
    assert names(made, 1) == ["fp32", "fp16"]
    assert made.folder == Path("here")


def test_a_name_that_was_given_stays():
    mine = {"name": "mine", "recipe": "fp32"}
    assert names(called(study(mine, "fp16"), {"m": "float16"}), 0) == ["mine", "fp16"]
