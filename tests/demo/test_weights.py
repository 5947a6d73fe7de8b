import numpy as np
import pytest

from profiler.demo import models

torch = pytest.importorskip("torch", reason="the demo trains with torch: pip install .[torch]")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "profiler" / "weights"


@pytest.fixture
def trainings(monkeypatch):
    """Every training, as its number of epochs."""
    found, train = [], models._train

    def counted(module, rows, **options):
        found.append(options["epochs"])
        train(module, rows, **options)

    monkeypatch.setattr(models, "_train", counted)
    return found


def same(one, other):
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a[0] == b[0] and torch.equal(a[1], b[1]) for a, b in pairs)


def test_a_model_is_trained_once(trainings):
    first, second = models.convnet(epochs=1), models.convnet(epochs=1)
    assert trainings == [1]
    assert same(first, second), "batch statistics included"
    assert not second.training


def test_another_recipe_is_another_model(trainings):
    assert not same(models.linear(epochs=1), models.linear(epochs=2))
    assert trainings == [1, 2]


def test_a_damaged_file_is_trained_again(trainings, cache):
    first = models.linear(epochs=1)
    (kept,) = cache.iterdir()
    data = bytearray(kept.read_bytes())
    data[len(data) // 2] ^= 1
    kept.write_bytes(data)
    assert same(first, models.linear(epochs=1))
    assert trainings == [1, 1]


def test_no_pickle_is_ever_read(trainings, cache):
    import hashlib
    import io

    models.linear(epochs=1)
    (kept,) = cache.iterdir()
    buffer = io.BytesIO()
    np.savez(buffer, **{"scores.weight": np.array([print], dtype=object)})
    key = kept.name.partition("-")[0]
    kept.unlink()
    named = f"{key}-{hashlib.sha256(buffer.getvalue()).hexdigest()}.npz"
    (cache / named).write_bytes(buffer.getvalue())
    models.linear(epochs=1)
    assert trainings == [1, 1]


def test_a_cache_that_can_not_be_written_costs_only_time(trainings, cache):
    cache.parent.write_text("a file where the folder should be")
    models.linear(epochs=1)
    models.linear(epochs=1)
    assert trainings == [1, 1]
