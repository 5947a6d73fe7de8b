import dataclasses
import os
import subprocess
import sys
import tempfile
import textwrap
from importlib import import_module
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from profiler.errors import VariantError
from profiler.schema.study.recipes import RECIPES
from profiler.schema.study.variant import VariantSpec
from profiler.variants import build

MADE = ("fp16", "int8-dynamic", "int8-static", "int4")
"""recipes that need nothing but a model and rows"""
QUANTIZERS = ("int8-dynamic", "int8-static", "int4")


@pytest.fixture(autouse=True)
def no_litter(tmp_path, monkeypatch):
    """Every test ends with an empty temporary folder."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield
    assert not list(place.iterdir())


def made(tmp_path, artifact, name, rows=None, cache=None, **options):
    spec = VariantSpec(name=name, **options)
    return build(artifact, spec, root=tmp_path / "results", calibration=rows, cache=cache)


def ops(tmp_path, artifact):
    graph = onnx.load(tmp_path / "results" / artifact.path).graph
    return [node.op_type for node in graph.node]


def output(tmp_path, artifact, x):
    return onnxruntime.InferenceSession(tmp_path / "results" / artifact.path).run(None, {"x": x})[0]


def failure(*args, **options):
    with pytest.raises(VariantError) as caught:
        made(*args, **options)
    return f"{caught.value.message} | {caught.value.hint}"


def test_every_recipe_of_the_schema_has_a_module():
    for name, entry in RECIPES.items():
        assert entry.module is None if name == "fp32" else import_module(str(entry.module)).VERSION


def test_fp32_is_the_baseline_under_its_own_name(tmp_path, baseline):
    artifact = baseline()
    got = made(tmp_path, artifact, "base", recipe="fp32")
    assert got == dataclasses.replace(artifact, variant="base")


@pytest.mark.parametrize("name", ["int8-dynamic", "int8-static"])
def test_variants_stay_close_and_shrink(tmp_path, baseline, rows, name, capfd):
    artifact, data = baseline(), rows()
    got = made(tmp_path, artifact, name, data)
    expected = output(tmp_path, artifact, data["x"])
    error = np.abs(output(tmp_path, got, data["x"]) - expected).max()
    assert 0 < error < 0.1 * np.abs(expected).max()
    assert got.inputs == artifact.inputs
    assert got.model == "dense"
    assert got.variant == name
    assert got.bytes == (tmp_path / "results" / got.path).stat().st_size
    assert got.made_by["recipe"] == name
    assert got.made_by["baseline"] == artifact.sha
    assert got.made_by["onnxruntime"] == onnxruntime.__version__
    assert capfd.readouterr() == ("", "")


def test_dynamic_needs_no_rows_and_does_not_depend_on_them(tmp_path, baseline, rows):
    artifact = baseline()
    got = made(tmp_path, artifact, "int8-dynamic")
    assert "MatMulInteger" in ops(tmp_path, got)
    assert got == made(tmp_path, artifact, "int8-dynamic", rows())
    assert "calibration_rows" not in got.made_by


def test_static_is_qdq_and_counts_its_rows(tmp_path, baseline, rows):
    got = made(tmp_path, baseline(), "int8-static", rows(count=13))
    assert {"QuantizeLinear", "DequantizeLinear"} <= set(ops(tmp_path, got))
    assert got.made_by["calibration_rows"] == "13"


@pytest.mark.parametrize("name", ["int8-dynamic", "int8-static"])
def test_convolutions(tmp_path, baseline, rows, name):
    got = made(tmp_path, baseline("conv"), name, rows("conv"))
    assert ("ConvInteger" if name == "int8-dynamic" else "QuantizeLinear") in ops(tmp_path, got)


@pytest.mark.parametrize(
    "options",
    [
        {"method": "percentile"},
        {"weights": "uint8"},
        {"per_channel": False},
    ],
)
def test_static_settings_change_the_artifact(tmp_path, baseline, rows, options):
    artifact, data = baseline(), rows()
    plain = made(tmp_path, artifact, "int8-static", data)
    other = made(tmp_path, artifact, "other", data, recipe="int8-static", **options)
    assert other.sha != plain.sha
    for key, value in options.items():
        assert other.made_by[key] == str(value).lower()


def test_entropy_calibration(tmp_path, baseline, rows):
    # So few rows may give the ranges of minmax, so only that it works is checked.
    got = made(tmp_path, baseline(), "e", rows(), recipe="int8-static", method="entropy")
    assert got.made_by["method"] == "entropy"


def test_old_models_are_raised_to_an_opset_with_per_channel(tmp_path, baseline, rows):
    got = made(tmp_path, baseline(version=11), "int8-static", rows())
    model = onnx.load(tmp_path / "results" / got.path)
    assert model.opset_import[0].version >= 13
    assert output(tmp_path, got, rows()["x"]).shape == (12, 4)


def test_fixed_batch_calibrates_in_its_own_size(tmp_path, baseline, rows):
    artifact = baseline(batch=5)
    assert made(tmp_path, artifact, "int8-static", rows(count=11)).inputs[0].shape == (5, 16)
    text = failure(tmp_path, artifact, "int8-static", rows(count=4))
    assert "batch is fixed at 5 and there are fewer calibration rows" in text


def test_same_request_same_hash_without_the_cache(tmp_path, baseline, rows):
    artifact = baseline()
    for name in MADE:
        first = made(tmp_path, artifact, name, rows())
        (tmp_path / "results" / first.path).unlink()
        assert made(tmp_path, artifact, name, rows()) == first


def test_same_hash_in_another_process(tmp_path, baseline, rows):
    artifact = baseline()
    np.save(tmp_path / "rows.npy", rows()["x"])
    program = textwrap.dedent(f"""
        from pathlib import Path
        import numpy as np
        from profiler.schema.study.model import ModelSpec
        from profiler.schema.study.variant import VariantSpec
        from profiler.sources import load_baseline
        from profiler.variants import build
        folder = Path({str(tmp_path)!r})
        root = folder / "second"
        spec = ModelSpec(name="dense", onnx="dense.onnx")
        base = load_baseline(spec, folder=folder, out=root / "artifacts")
        rows = {{"x": np.load(folder / "rows.npy")}}
        for name in {list(MADE)!r}:
            print(build(base, VariantSpec(name=name), root=root, calibration=rows).sha)
    """)
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "5"},
        cwd=Path(__file__).resolve().parents[3],
    )
    expected = [made(tmp_path, artifact, name, rows()).sha for name in MADE]
    assert done.stdout.split() == expected


def test_cache_spares_the_work(tmp_path, baseline, rows, monkeypatch):
    artifact, cache = baseline(), tmp_path / "cache"
    first = made(tmp_path, artifact, "int8-static", rows(), cache=cache)
    (tmp_path / "results" / first.path).unlink()
    from profiler.variants.recipes import int8_static

    with monkeypatch.context() as patch:
        patch.setattr(int8_static, "make", lambda request: pytest.fail("made again"))
        again = made(tmp_path, artifact, "int8-static", rows(), cache=cache)
    assert again == first
    assert (tmp_path / "results" / first.path).is_file()
    assert not list(cache.glob(".*"))


def test_a_damaged_cache_is_made_again(tmp_path, baseline, rows):
    artifact, cache = baseline(), tmp_path / "cache"
    first = made(tmp_path, artifact, "int8-static", rows(), cache=cache)
    for path in cache.iterdir():
        path.write_bytes(b"{}")
    (tmp_path / "results" / first.path).unlink()
    assert made(tmp_path, artifact, "int8-static", rows(), cache=cache) == first


def test_nothing_to_quantize(tmp_path, baseline, rows):
    artifact = baseline("waves")
    before = sorted((tmp_path / "results").rglob("*"))
    for name in QUANTIZERS:
        text = failure(tmp_path, artifact, name, rows(), cache=tmp_path / "cache")
        assert f"{name}: nothing to quantize" in text
        assert "leave" in text
    assert sorted((tmp_path / "results").rglob("*")) == before
    assert not (tmp_path / "cache").exists()


def test_static_without_rows(tmp_path, baseline):
    artifact = baseline()
    for rows in (None, {}, {"x": np.ones((0, 16), np.float32)}):
        text = failure(tmp_path, artifact, "int8-static", rows)
        assert "int8-static needs calibration rows, got none" in text
        assert "add [data] to the study" in text
    text = failure(tmp_path, artifact, "int8-static", {"other": np.ones((3, 16))})
    assert 'for the model input "x", got them for: other' in text


def test_calibration_rows_that_do_not_fit(tmp_path, baseline):
    wrong = {"x": np.ones((3, 7), np.float32)}
    text = failure(tmp_path, baseline(), "int8-static", wrong)
    assert "int8-static: the quantizer failed:" in text
    assert len(text) < 500


def test_missing_baseline_file(tmp_path, baseline):
    artifact = baseline()
    (tmp_path / "results" / artifact.path).unlink()
    assert "the baseline's file is missing" in failure(tmp_path, artifact, "int8-dynamic")
