"""A baseline from a fitted scikit-learn pipeline, converted by skl2onnx and compared with it.

The study names a function that returns the pipeline; files are not unpickled, which may run code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from profiler.errors import ModelError
from profiler.schema.artifact import Artifact, Parity
from profiler.schema.study.model import ModelSpec
from profiler.sources.formats.parity import gap
from profiler.sources.formats.shared import PARITY_ROWS, exported, extra
from profiler.sources.formats.user_code import called, importable
from profiler.sources.inspect import opset
from profiler.sources.quiet import cause, quiet
from profiler.wire.providers import CPU

Array = np.ndarray[Any, Any]


def load_sklearn(
    spec: ModelSpec,
    *,
    folder: Path,
    out: Path,
    rows: dict[str, Array] | None = None,
    seed: int = 0,
) -> Artifact:
    """Convert the pipeline that spec.sklearn returns, with float32 inputs and a symbolic batch.

    A pipeline fitted on a data frame gets one input per column, under the column's name; any other
    one input "x" of shape (rows, features). Raises ModelError.
    """
    where = f'sklearn = "{spec.sklearn}"'
    skl2onnx = extra("skl2onnx", "sklearn", f"{where}:")
    with importable(folder):
        model = called(where, str(spec.sklearn))
        features = getattr(model, "n_features_in_", None)
        if features is None or not hasattr(model, "predict"):
            raise ModelError(
                f"{where}: expected a fitted estimator or pipeline, got {type(model).__name__}"
                f"{' which is not fitted' if hasattr(model, 'fit') else ''}",
                hint="return pipeline.fit(x, y)",
            )
        columns = [str(name) for name in getattr(model, "feature_names_in_", ())]
        values = _values(rows, columns, int(features), seed, where)
        with quiet():
            try:
                made = skl2onnx.to_onnx(
                    model,
                    initial_types=_types(values),
                    options=_options(model),
                )
            except Exception as error:  # skl2onnx raises many kinds
                raise ModelError(
                    f"{where}: skl2onnx can't convert {type(model).__name__}: {cause(error)}",
                    hint="see skl2onnx.supported_converters()",
                ) from None
        made.ClearField("doc_string")
        made.graph.name = "pipeline"  # skl2onnx draws a random one

        def write(raw: Path) -> tuple[Any, Parity]:
            raw.write_bytes(made.SerializeToString(deterministic=True))
            return made, _compare(model, raw, values, columns, where)

        made_by = {
            "source": f"scikit-learn {spec.sklearn}",
            "skl2onnx": str(skl2onnx.__version__),
            "opset": str(opset(made)),
        }
        return exported(spec, out, write, made_by)


def _options(model: Any) -> dict[int, Any] | None:
    """Probabilities as one tensor instead of a list of dictionaries."""
    return {id(model): {"zipmap": False}} if hasattr(model, "predict_proba") else None


def _values(
    rows: dict[str, Array] | None, columns: list[str], features: int, seed: int, where: str
) -> dict[str, Array]:
    """Rows to convert and compare with: the data's, else normal noise. Floats become float32."""
    if not rows:
        noise = np.random.default_rng(seed).standard_normal((PARITY_ROWS, features))
        noise = noise.astype(np.float32)
        return {name: noise[:, [i]] for i, name in enumerate(columns)} or {"x": noise}
    values = {n: v[:, None] if v.ndim == 1 else v for n, v in rows.items()}
    values = {n: v.astype(np.float32) if v.dtype.kind in "biuf" else v for n, v in values.items()}
    if columns and set(columns) <= set(values):
        return {name: values[name] for name in columns}
    if len(values) == 1:
        found = next(iter(values.values()))
        if found.ndim == 2 and found.shape[1] == features:
            return {next(iter(values)): found}
    wanted = ", ".join(columns) or f"one input of {features} columns"
    raise ModelError(
        f"{where}: the pipeline was fitted on {wanted}; the data gives "
        + ", ".join(f"{n} {list(v.shape[1:])}" for n, v in values.items()),
        hint='stack columns: [data] inputs = { x = ["<column>", "<column>"] }',
    )


def _types(values: dict[str, Array]) -> list[tuple[str, Any]]:
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    return [
        (name, (StringTensorType if v.dtype.kind in "US" else FloatTensorType)([None, v.shape[1]]))
        for name, v in values.items()
    ]


def _frame(values: dict[str, Array], columns: list[str]) -> Any:
    """What the pipeline was fitted on: a data frame where it knows column names."""
    if not columns:
        return next(iter(values.values()))
    import pandas as pd

    if set(columns) <= set(values):
        return pd.DataFrame({name: values[name][:, 0] for name in columns})
    return pd.DataFrame(next(iter(values.values())), columns=columns)


def _compare(
    model: Any, path: Path, values: dict[str, Array], columns: list[str], where: str
) -> Parity:
    """Pipeline against export on real rows. Raises ModelError naming the worst output.

    Scores are compared where there are any: a class may flip where two scores are equal within
    rounding, which is no export error.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(path, options, providers=[CPU])
        feeds = {k: v.astype(object) if v.dtype.kind in "US" else v for k, v in values.items()}
        found = dict(
            zip([o.name for o in session.get_outputs()], session.run(None, feeds), strict=True)
        )
    except Exception as error:  # ONNX Runtime's errors have no common base
        raise ModelError(
            f"{where}: ONNX Runtime can't run the converted model: {cause(error)}"
        ) from None
    frame = _frame(values, columns)
    with quiet():
        if hasattr(model, "predict_proba"):
            wanted, name = np.asarray(model.predict_proba(frame)), list(found)[-1]
        else:
            wanted, name = np.asarray(model.predict(frame)), next(iter(found))
    got = np.asarray(found[name])
    apart, tolerance = gap(wanted.reshape(len(wanted), -1), got.reshape(len(got), -1))
    if apart > tolerance:
        raise ModelError(
            f"{where}: the converted model disagrees with scikit-learn: output "
            f'"{name}" differs by {apart:.3g} over {len(wanted)} rows, expected at most '
            f"{tolerance:.3g}",
            hint="float32 inputs may fall on the other side of a tree's threshold: scale the "
            "columns, or fit on float32",
        )
    return Parity(rows=len(wanted), max_abs_error=apart, tolerance=tolerance, worst_output=name)
