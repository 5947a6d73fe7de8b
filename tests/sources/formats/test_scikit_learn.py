import textwrap

import numpy as np
import onnxruntime
import pytest

from profiler.errors import ModelError
from profiler.schema.study.model import ModelSpec
from profiler.sources import load_baseline

pytest.importorskip("skl2onnx", reason="converts pipelines: pip install .[sklearn]")

SOURCE = """
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

x = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
y = (x[:, 0] + x[:, 1] > 0).astype(int)

def classifier():
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)

def forest():
    return RandomForestClassifier(8, random_state=0).fit(x, y)

def regressor():
    return LinearRegression().fit(x, x @ [1.0, 2.0, 3.0, 4.0])

def frame():
    table = pd.DataFrame(x, columns=["a", "b", "c", "d"])
    scale = ColumnTransformer([("s", StandardScaler(), ["a", "b"])], remainder="passthrough")
    return make_pipeline(scale, LogisticRegression()).fit(table, y)

def unfitted():
    return LogisticRegression()

def wrong():
    return 3
"""
ROWS = np.random.default_rng(1).normal(size=(20, 4)).astype(np.float64)


def load(tmp_path, name, rows=None):
    (tmp_path / "pipes.py").write_text(textwrap.dedent(SOURCE))
    return load_baseline(
        ModelSpec(name="m", sklearn=f"pipes:{name}"),
        folder=tmp_path, out=tmp_path / "artifacts", rows=rows,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["classifier", "forest", "regressor"])
def test_pipelines_agree_with_their_export(tmp_path, name):
    made = load(tmp_path, name, {"x": ROWS})
    assert made.parity is not None
    assert made.parity.max_abs_error <= made.parity.tolerance
    assert [t.name for t in made.inputs] == ["x"]
    session = onnxruntime.InferenceSession(tmp_path / made.path)
    assert session.run(None, {"x": ROWS.astype(np.float32)})[0].shape[0] == 20
    assert load(tmp_path, name, {"x": ROWS}).sha == made.sha


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_data_frames_columns_are_inputs(tmp_path):
    made = load(tmp_path, "frame", {name: ROWS[:, i] for i, name in enumerate("abcd")})
    assert [t.name for t in made.inputs] == ["a", "b", "c", "d"]
    assert load(tmp_path, "frame").sha == made.sha


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "rows", "part"),
    [
        ("unfitted", None, "not fitted"),
        ("wrong", None, "got int"),
        ("clasifier", None, 'expected a callable "clasifier"'),
        ("classifier", {"x": ROWS[:, :3]}, "fitted on one input of 4 columns"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path, name, rows, part):
    with pytest.raises(ModelError) as caught:
        load(tmp_path, name, rows)
    assert part in caught.value.message


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_wrong_export_is_found(tmp_path, monkeypatch):
    import skl2onnx
    from sklearn.linear_model import LinearRegression

    other = LinearRegression().fit(ROWS, ROWS @ [1.0, 2.0, 3.0, 4.1])
    real = skl2onnx.to_onnx
    monkeypatch.setattr(skl2onnx, "to_onnx", lambda model, **more: real(other, **more))
    with pytest.raises(ModelError, match='output "variable" differs by'):
        load(tmp_path, "regressor", {"x": ROWS})
