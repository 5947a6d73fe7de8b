"""A model that a target's runtime is too old for is excluded with both numbers, before the run."""

import pytest

from profiler.planning import Known, make_plan
from profiler.planning.loadable import Format, too_new
from profiler.schema.device.target import Target
from profiler.schema.study.study import Study
from profiler.wire.codec import decode

OLD = {"onnxruntime": "1.19.2", "max_ir": 10, "max_opset": 21}


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (Format(10, 21), None),
        (Format(None, None), None),
        (Format(10, 23), "the model is of opset 23; onnxruntime 1.19.2 on the target takes 21"),
        (Format(11, 21), "the model's IR version is 11; onnxruntime 1.19.2 on the target takes 10"),
        (Format(13, 26), "the model is of opset 26"),  # its way out helps against the IR, too
    ],
)
def test_what_is_too_new_is_told_with_both_numbers(made: Format, says: str | None) -> None:
    found = too_new(made, OLD)
    assert (found is None) == (says is None)
    if found is not None and says is not None:
        assert says in found[0]
        assert "21" in found[1] if "opset" in says else "model.ir_version = 10" in found[1]


def test_a_runtime_that_does_not_tell_is_tried() -> None:
    assert too_new(Format(99, 999), {"onnxruntime": "1.16.0", "max_ir": None}) is None


def test_the_other_targets_and_variants_stay() -> None:
    study = decode(Study, {
        "name": "s", "targets": ["old", "new"], "variants": ["fp32", "int8-dynamic"],
        "models": [{"name": "m", "onnx": "m.onnx"}],
    })  # fmt: skip
    base = {"usable_cores": 2, "providers": ["CPUExecutionProvider"]}
    facts = {"old": {**base, **OLD}, "new": {**base, "onnxruntime": "1.31.1", "max_opset": 26}}
    formats = {("m", "fp32"): Format(8, 17), ("m", "int8-dynamic"): Format(8, 23)}
    plan = make_plan(
        study, (Target(name="old"), Target(name="new")), Known(facts=facts, formats=formats)
    )
    assert [e.trial.id.split("/")[1] for e in plan.exclusions] == ["int8-dynamic@old"]
    assert len(plan.trials) == 3
