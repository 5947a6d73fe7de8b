"""Weights in files of their own: kept by content, found wherever the files lie together."""

import shutil

import numpy as np
import onnx
import onnxruntime
import pytest

from profiler.campaign.input_hashes import input_hashes
from profiler.campaign.run import run
from profiler.errors import ModelError
from profiler.schema.study.model import ModelSpec
from profiler.schema.study.study import Study
from profiler.sources import load_baseline
from profiler.wire.hashes import sha_of

pytestmark = pytest.mark.usefixtures("one_round")


@pytest.fixture
def split_model(make_model):
    """make_model's file with its weights moved to weights.bin."""

    def make(seed=0):
        path = make_model("model.onnx", seed=seed)
        (path.parent / "weights.bin").unlink(missing_ok=True)
        onnx.save_model(
            onnx.load(path), path, save_as_external_data=True, location="weights.bin",
            size_threshold=0,
        )  # fmt: skip
        return path

    return make


def baseline(path):
    return load_baseline(
        ModelSpec(name="m", onnx=path.name), folder=path.parent, out=path.parent / "out"
    )


def test_model_and_weights_are_one_artifact(split_model, tmp_path):
    path = split_model()
    made = baseline(path)
    (data,) = made.data
    kept = tmp_path / "out"
    assert sha_of(kept / data) == data
    assert sha_of(kept / f"{made.sha}.onnx") == made.sha
    assert made.bytes == sum(f.stat().st_size for f in kept.iterdir())
    # On a device both are files called by their hash alone.
    device = tmp_path / "blobs"
    device.mkdir()
    shutil.copy(kept / f"{made.sha}.onnx", device / made.sha)
    shutil.copy(kept / data, device / data)
    x = np.ones((2, 16), np.float32)
    expected = onnxruntime.InferenceSession(path).run(None, {"x": x})[0]
    found = onnxruntime.InferenceSession(device / made.sha).run(None, {"x": x})[0]
    np.testing.assert_array_equal(found, expected)


def test_other_weights_are_another_artifact_and_another_study(split_model, tmp_path):
    path = split_model()
    (tmp_path / "s.toml").write_text('[[models]]\nname = "m"\nonnx = "model.onnx"\n')
    study = Study.read(tmp_path / "s.toml")
    first, hashes = baseline(path).sha, input_hashes(study)
    path = split_model(seed=1)
    assert baseline(path).sha != first
    assert input_hashes(study)["model.onnx: weights.bin"] != hashes["model.onnx: weights.bin"]


def test_missing_and_foreign_weights(split_model):
    path = split_model()
    (path.parent / "weights.bin").unlink()
    with pytest.raises(ModelError, match=r"weights file 'weights.bin' is missing"):
        baseline(path)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        tensor.external_data[0].value = "../weights.bin"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="beside the model"):
        baseline(path)


def test_it_is_measured_with_its_variants(make_study, split_model, tmp_path):
    path = make_study('variants = ["fp32", "fp16", "int8-dynamic", "int8-static", "int4"]')
    split_model()
    rows = run(path, tmp_path / "out").rows
    assert [row["status"] for row in rows] == ["ok"] * 5
    assert rows[0]["accuracy"] == 1.0


def test_variants_beyond_protobufs_limit_get_a_weights_file(
    make_study, split_model, tmp_path, monkeypatch
):
    from profiler.variants import graph as prepare

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(prepare, "INLINE_BYTES", 100)
    monkeypatch.setattr(prepare, "EXTERNAL_FROM_BYTES", 0)
    path = make_study('variants = ["fp32", "fp16", "int8-dynamic", "int8-static", "int4"]')
    split_model()
    results = run(path, tmp_path / "out")
    assert {row["variant"]: row["reason"] for row in results.rows if row["status"] != "ok"} == {}
    fp16 = results.prepared.artifacts[("m", "fp16")]
    assert len(fp16.data) == 1
    (tmp_path / "out" / "artifacts" / fp16.data[0]).unlink()
    path = make_study('variants = ["fp32", "fp16"]')
    split_model()
    again = run(path, tmp_path / "second")  # the cache brings both files back
    assert again.prepared.artifacts[("m", "fp16")] == fp16
    assert (tmp_path / "second" / "artifacts" / fp16.data[0]).is_file()


@pytest.mark.parametrize("location", ["a\0b", "w" * 5000], ids=["a NUL", "a long name"])
def test_weights_that_no_file_can_be_called_are_refused(split_model, location):
    path = split_model()
    model = onnx.load(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="weights beside the model, got") as caught:
        baseline(path)
    assert len(caught.value.message) < 1000
