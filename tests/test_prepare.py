"""What is made before anything is measured, and what folders written before say of it."""

from profiler.prepare import recall
from profiler.schema.artifact import Artifact, Tensor, Values
from profiler.schema.codec import encode


def recorded(**more):
    shapes = {"x": ("seq", "batch", 4), "scale": ()}
    made = Artifact(
        model="m", variant="fp32", sha="0" * 64, path="artifacts/m.onnx",
        takes={"i": Values(low=1, input="x", axis=1, counts=True)}, bytes=1,
        outputs=(Tensor(name="y", dtype="float32", shape=("batch", 4)),),
        inputs=tuple(Tensor(name=n, dtype="float32", shape=s) for n, s in shapes.items()),
    )  # fmt: skip
    return {
        "artifacts": [encode(made)], "failed": [], "inputs": {}, "fixed_batch": {},
        "evaluation": None, **more,
    }  # fmt: skip


def test_an_older_folder_counts_along_first_axes():
    plain = recorded()
    del plain["artifacts"][0]["takes"]
    prepared = recall(plain, "artifacts.json")
    assert prepared.samples == {"m": ("seq",)}
    assert prepared.symbolic == {"m": {"batch"}}


def test_the_axis_that_was_found_is_remembered():
    prepared = recall(recorded(samples={"m": ["batch"]}), "artifacts.json")
    assert prepared.symbolic == {"m": {"seq"}}
    assert prepared.artifacts["m", "fp32"].takes["i"].axis == 1
