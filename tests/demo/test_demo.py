import hashlib

import numpy as np
import pytest

from profiler.data import bind, read
from profiler.demo import data, models
from profiler.schema.artifact import Tensor
from profiler.schema.study.study import Study

torch = pytest.importorskip("torch", reason="the demo trains with torch: pip install .[torch]")


@pytest.fixture(scope="module")
def study():
    from importlib.resources import as_file, files

    with as_file(files("profiler.demo") / "study.toml") as path:
        return Study.read(path)


def test_study_names_models_that_exist(study):
    assert [m.name for m in study.models] == ["mlp", "convnet", "attention", "linear"]
    for model in study.models:
        module, _, function = model.torch.partition(":")
        assert module == "profiler.demo.models"
        assert callable(getattr(models, function))


def test_linear_is_the_baseline_row(study):
    assert [v.recipe for v in study.variants_of(study.models[-1])] == ["fp32"]
    assert len(study.variants_of(study.models[0])) == 3


def test_columns_and_split():
    found = data.columns()
    assert found["images"].shape == (1797, 1, 32, 32)
    assert found["images"].dtype == np.float32
    assert 0 <= found["images"].min() < found["images"].max() <= 1
    counts = dict(zip(*np.unique(found["split"], return_counts=True), strict=True))
    assert counts == {"train": 949, "calibration": 128, "evaluation": 720}
    shares = np.bincount(found["labels"][found["split"] == "evaluation"]) / 720
    assert abs(shares - 0.1).max() < 0.01


def test_enlarging_keeps_the_mean():
    from sklearn.datasets import load_digits

    small = load_digits().data / 16
    images = data.columns()["images"]
    # Linear interpolation repeats the border, so equal only to a few percent.
    assert abs(images.mean((1, 2, 3)) - small.mean(1)).max() < 0.05


def test_written_file_is_repeatable_and_fits_the_study(tmp_path, study):
    first = data.write(tmp_path / "a")
    second = data.write(tmp_path / "b")
    assert first.name == study.data.file
    digests = {hashlib.sha256(p.read_bytes()).digest() for p in (first, second)}
    assert len(digests) == 1
    got = read(study.data, first.parent, study.seed)
    assert len(got.calibration) == 128
    assert len(got.evaluation) == 720
    bound = bind(got, (Tensor(name="images", dtype="float32", shape=("batch", 1, 32, 32)),))
    assert bound["images"].shape == (1797, 1, 32, 32)


def accuracy(module):
    found = data.columns()
    rows = found["split"] == "evaluation"
    with torch.inference_mode():
        scores = module(torch.from_numpy(found["images"][rows]))
    return float((scores.argmax(1).numpy() == found["labels"][rows]).mean())


def test_linear_learns_and_repeats(monkeypatch, tmp_path):
    first = models.linear(epochs=2)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # trained again, not restored
    second = models.linear(epochs=2)
    assert not first.training
    assert accuracy(first) > 0.8
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_training_leaves_torch_as_it_was():
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    models.linear(epochs=1)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("name", ["mlp", "convnet", "attention"])
def test_models_take_any_batch(name, monkeypatch):
    # Untrained: only the shapes matter here.
    monkeypatch.setattr(models, "_trained", lambda build, **_: build().eval())
    module = getattr(models, name)()
    with torch.inference_mode():
        for rows in (1, 3):
            assert module(torch.rand(rows, 1, 32, 32)).shape == (rows, 10)
