"""An emulated x86 without VNNI: 8-bit sums saturate where the look at the weights says."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from profiler import Study, run
from profiler.analysis.trials.stability import of_results
from profiler.variants.checks.saturation import saturable
from tests.conftest import emulated_python

ROOT = Path(__file__).resolve().parents[2]
ASK = """
import json, sys
import numpy as np, onnxruntime as ort
options = ort.SessionOptions()
options.log_severity_level = 4
found = []
for file in sys.argv[1:]:
    session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape
    (y,) = session.run(None, {"x": np.full(shape, 255, np.uint8)})
    found.append(np.asarray(y, np.float64).ravel().tolist())
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter on an emulated Haswell."""
    if not request.config.getoption("--devices"):
        pytest.skip("needs an emulated x86 processor: scripts/test --devices")
    try:
        return emulated_python(tmp_path_factory.mktemp("haswell"), "Haswell")
    except OSError as error:
        pytest.skip(str(error))


def _file(path: Path, node: Any, weights: dict[str, Any], shape: list[int], kind: int) -> Path:
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=9), path)
    return path


def operators(folder: Path) -> list[Path]:
    """Products with two large weights somewhere: in one pair, or in two."""
    one, zero = np.float32(1), np.uint8(0)
    quantized = {"s": one, "z": zero, "v": np.int8(0), "t": np.float32(1000)}
    made = []
    for first, second in ((0, 1), (1, 2), (2, 3), (0, 2), (4, 5)):
        weights = np.zeros((6, 3), np.int8)
        weights[[first, second]] = 127
        cases = {
            "MatMulInteger": (["x", "w"], {"w": weights}, TensorProto.INT32, {}),
            "QLinearMatMul": (
                ["x", "s", "z", "w", "s", "v", "t", "z"],
                {"w": weights, **quantized},
                TensorProto.UINT8,
                {},
            ),
            "QGemm": (
                ["x", "s", "z", "w", "s", "v", "", "t", "z"],
                {"w": weights.T.copy(), **quantized},
                TensorProto.UINT8,
                {"domain": "com.microsoft", "transB": 1},
            ),
        }
        for operator, (inputs, fixed, kind, more) in cases.items():
            node = helper.make_node(operator, inputs, ["y"], **more)
            path = folder / f"{operator}-{first}{second}.onnx"
            made.append(_file(path, node, fixed, [2, 6], kind))
    for channels, outputs, group in ((4, 4, 1), (3, 8, 1), (8, 8, 8), (8, 8, 2), (4, 8, 4)):
        inner = channels // group
        for number, places in enumerate(
            ([(0, 0, 0), (inner > 1, 0, inner == 1)], [(0, 0, 1), (0, 0, 2)],
             [(inner - 1, 0, 0), (0, 0, 1)])
        ):  # fmt: skip
            for operator in ("QLinearConv", "ConvInteger"):
                weights = np.zeros((outputs, inner, 3, 3), np.int8)
                for place in places:
                    weights[(slice(None), *map(int, place))] = 127
                fixed = {"w": weights}
                names, kind = ["x", "w"], TensorProto.INT32
                if operator == "QLinearConv":
                    names, kind = ["x", "s", "z", "w", "s", "v", "t", "z"], TensorProto.UINT8
                    fixed |= quantized
                node = helper.make_node(operator, names, ["y"], group=group)
                path = folder / f"{operator}-{channels}-{outputs}-{group}-{number}.onnx"
                made.append(_file(path, node, fixed, [1, channels, 4, 4], kind))
    return made


def answers(python: Path | str, files: list[Path]) -> list[list[float]]:
    command = [python, "-c", ASK, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)
    found: list[list[float]] = json.loads(done.stdout)
    return found


@pytest.mark.timeout(280)
def test_sums_saturate_there_exactly_where_the_weights_say(python: Path, tmp_path: Path) -> None:
    files = operators(tmp_path)
    wrong = []
    for file, there in zip(files, answers(python, files), strict=True):
        # All weights but two are 0 and all activations 255: exact arithmetic gives one number.
        exact = 255 * (127 + 127) / (1 if "Integer" in file.name else 1000)
        cut_off = any(abs(value - exact) > 1 for value in there)
        if cut_off != bool(saturable(onnx.load(file), tmp_path)):
            wrong.append(file.name)
    assert wrong == []


@pytest.mark.timeout(280)
def test_a_study_there_names_what_saturates_and_what_helps(
    python: Path, make_study: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "targets").mkdir()
    text = f'transport = "local"\nemulated = true\npython = "{python}"\n'
    (tmp_path / "targets" / "haswell.toml").write_text(text)
    exact = text + 'session_options = { "session.x64quantprecision" = "1" }\n'
    (tmp_path / "targets" / "exact.toml").write_text(exact)
    path = make_study(
        'variants = ["fp32", "int8-dynamic", "int8-dynamic:reduce"]',
        targets='["haswell", "exact"]',
    )
    # All weights of one sign and size: every pair of large activations leaves 16 bits.
    weights = {"w1": np.ones((16, 32), np.float32), "w2": np.ones((32, 3), np.float32)}
    model = onnx.load(tmp_path / "model.onnx")
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
    onnx.save(model, tmp_path / "model.onnx")
    results = run(Study.read(path), tmp_path / "out")
    assert results.facts()["haswell"]["int8_saturates"] is True
    rows = {(row["target"], row["variant"]): row for row in results.rows}
    found = {key: row["saturable"] for key, row in rows.items()}
    assert found.pop(("haswell", "int8-dynamic")) == 2
    assert set(found.values()) == {0}
    plain = rows["haswell", "int8-dynamic"]
    assert plain["sqnr_db"] < 10 < rows["haswell", "int8-dynamic-reduce"]["sqnr_db"]
    assert rows["exact", "int8-dynamic"]["sqnr_db"] > 20
    for part in ("2 products can saturate", "int8-dynamic:reduce", "session.x64quantprecision"):
        assert part in plain["advice"]
    told = of_results(results.rows, results.samples, results.study.measure.precision)
    assert any("2 of its 8-bit products can saturate" in finding.text for finding in told)


@pytest.mark.timeout(280)
def test_studies_that_judge_8_bit_answers_pass_on_that_processor(python: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "--worker-cpu", "Haswell",
            "tests/data/test_images.py::test_a_study_of_pictures_from_end_to_end",
            "tests/studies/test_stress_run.py::test_every_variant_answers_the_same_perturbed_rows",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=270,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
