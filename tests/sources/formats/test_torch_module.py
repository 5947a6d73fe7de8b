import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from profiler.errors import ModelError
from profiler.schema.study.model import ModelSpec
from profiler.sources import load_baseline
from profiler.sources.formats.parity import gap

pytest.importorskip("torch", reason="exports from torch: pip install .[torch]")

SOURCE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 2)

    def forward(self, x):
        return self.layer(x)


class Pair(Net):
    def forward(self, left, middle=None, right=None):
        return {"sum": self.layer(left + right), "left": left * 2}


class Random(Net):
    def forward(self, x):
        return self.layer(x) + torch.rand(x.shape[0], 2)


class Single(Net):
    def forward(self, x):
        return self.layer(x.reshape(4, 3))


class OnValues(Net):
    def forward(self, x):
        return self.layer(x) if x.sum() > 0 else self.layer(-x)


class OnRows(Net):
    def forward(self, x):
        return self.layer(x)[:, None] if x.shape[0] > 3 else self.layer(x)


def on_values():
    return OnValues()


def on_rows():
    return OnRows()


def net():
    print("chatter")
    return Net()


class Half(Net):
    def forward(self, x):
        return self.layer(x.half()).float()


def half():
    return Half().half()


def pair():
    return Pair()


def random():
    return Random()


def single():
    return Single()


def with_examples():
    return Net(), torch.rand(1, 3)


def broken():
    raise RuntimeError("no weights here")


def nothing():
    return 3


value = 5
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "models_of_test.py").write_text(SOURCE)
    return tmp_path


def loaded(folder, function, rows=None, module="models_of_test"):
    return load_baseline(
        ModelSpec(name="m", torch=f"{module}:{function}"),
        folder=folder,
        out=folder / "artifacts",
        rows=rows,
    )


def failure(folder, function, rows=None, module="models_of_test"):
    with pytest.raises(ModelError) as caught:
        loaded(folder, function, rows, module)
    assert not list(folder.glob("artifacts/*"))
    return f"{caught.value.message} | {caught.value.hint}"


def run(artifact, folder, **feeds):
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / artifact.path)
    return session.run(None, feeds)


ROWS = {"x": np.random.default_rng(0).random((70, 3))}


def test_export_has_a_symbolic_batch_and_parity(folder, capfd):
    got = loaded(folder, "net", ROWS)
    assert got.inputs[0].name == "x"
    assert got.inputs[0].shape == ("batch", 3)
    assert got.outputs[0].name == "output"
    assert got.outputs[0].shape == ("batch", 2)
    assert got.parity.rows == 64
    assert got.parity.max_abs_error <= got.parity.tolerance
    assert got.parity.worst_output == "output"
    for rows in (1, 5):
        assert run(got, folder, x=np.ones((rows, 3), np.float32))[0].shape == (rows, 2)
    # What the user's own function prints is theirs; the exporter adds nothing.
    assert capfd.readouterr() == ("chatter\n", "")


def test_half_a_module_is_recorded_as_such(folder):
    rows = {"x": np.ones((4, 3), np.float32)}
    assert loaded(folder, "half", rows).made_by["computes"] == "float16"


def test_modules_beside_the_study_are_forgotten(folder):
    before = list(sys.path)
    loaded(folder, "with_examples")
    assert "models_of_test" not in sys.modules
    assert sys.path == before


def test_the_file_says_nothing_of_this_machine(folder):
    got = loaded(folder, "with_examples")
    content = (folder / got.path).read_bytes()
    assert str(folder).encode() not in content
    assert b"models_of_test" not in content


def test_another_process_exports_the_same_bytes(folder):
    program = textwrap.dedent(f"""
        from pathlib import Path
        from profiler.sources import load_baseline
        from profiler.schema.study.model import ModelSpec
        folder = Path({str(folder)!r})
        spec = ModelSpec(name="m", torch="models_of_test:with_examples")
        print(load_baseline(spec, folder=folder, out=folder / "other").sha)
    """)
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[3],
    )
    assert done.stderr == ""
    assert done.stdout.split() == [loaded(folder, "with_examples").sha]


def test_inputs_go_by_name_and_outputs_take_the_keys(folder):
    rows = dict.fromkeys(("right", "unused", "left"), ROWS["x"])
    got = loaded(folder, "pair", {**rows, "unused": np.ones(70)})
    assert [t.name for t in got.inputs] == ["left", "right"]
    assert [t.name for t in got.outputs] == ["sum", "left_output"]


def test_one_input_of_another_name_goes_by_position(folder):
    got = loaded(folder, "net", {"pixels": ROWS["x"]})
    assert [t.name for t in got.inputs] == ["pixels"]


def test_whole_numbers_become_floats_where_forward_needs_them(folder):
    got = loaded(folder, "net", {"x": np.ones((4, 3), np.uint8)})
    assert got.inputs[0].dtype == "float32"


def test_missing_module(folder):
    text = failure(folder, "net", module="modles")
    assert 'torch = "modles:net": expected a module that can be imported, got "modles"' in text
    assert "put modles.py beside the study file" in text


def test_module_whose_import_fails(folder):
    (folder / "needs_more.py").write_text("import not_there_at_all\n")
    text = failure(folder, "net", module="needs_more")
    assert 'importing "needs_more" failed: ModuleNotFoundError: No module named' in text
    (folder / "raises.py").write_text("\n1 / 0\n")
    assert "ZeroDivisionError: division by zero (raises.py, line 2)" in failure(
        folder, "net", module="raises"
    )


def test_missing_callable(folder):
    text = failure(folder, "nett")
    assert 'expected a callable "nett" in "models_of_test", found none' in text
    assert 'did you mean "net"?' in text
    assert "found int" in failure(folder, "value")


def test_callable_that_raises_or_returns_something_else(folder):
    text = failure(folder, "broken")
    assert "RuntimeError: no weights here (models_of_test.py, line" in text
    assert "to return a torch.nn.Module or (module, example_inputs), got int" in failure(
        folder, "nothing"
    )


def test_no_example_inputs(folder):
    text = failure(folder, "net")
    assert "expected example inputs to export with, got none" in text
    assert "add [data] to the study" in text


def test_inputs_that_do_not_match_forward(folder):
    text = failure(folder, "net", {"a": ROWS["x"], "b": ROWS["x"]})
    assert "forward expects inputs (x), the data gives (a, b)" in text
    assert 'inputs = { x = "<column>" }' in text
    assert '"x" is text' in failure(folder, "net", {"x": np.array(["a", "b"])})
    text = failure(folder, "net", {"x": np.ones((4, 7))})
    assert "forward failed on x torch.float32 [4, 7]: RuntimeError" in text
    assert "models_of_test.py, line" in text


def test_a_fixed_batch_is_said_so(folder):
    text = failure(folder, "single", {"x": np.ones((4, 3))})
    assert 'expected a symbolic batch, torch.export fixed the first axis of "x" at 4' in text
    assert "any number of rows" in text


def test_branches_are_said_so(folder):
    text = failure(folder, "on_values", ROWS)
    assert "torch.onnx.export with a symbolic batch failed" in text
    assert "without branches on values" in text
    text = failure(folder, "on_rows", ROWS)
    assert 'output "output" has another shape or NaN over 1 rows' in text


def test_a_random_forward_fails_parity(folder):
    text = failure(folder, "random", ROWS)
    assert 'the exported model disagrees with torch: output "output" differs by' in text
    assert "expected at most" in text


def test_without_torch_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelError) as caught:
        loaded(folder, "net", ROWS)
    assert "torch, which is not installed" in caught.value.message
    assert caught.value.hint == "pip install 'hardware-profiler[torch]'"


def test_gap():
    one = np.array([1.0, np.nan, np.inf], np.float32)
    assert gap(one, one)[0] == 0
    assert gap(one, np.array([1.0, 0.0, np.inf], np.float32))[0] == np.inf
    assert gap(np.ones(2), np.ones(3))[0] == np.inf
    error, tolerance = gap(np.array([100.0, 0.0]), np.array([100.0, 0.5]))
    assert error == 0.5
    assert tolerance == pytest.approx(0.01001)
    assert gap(np.array([1, 2]), np.array([1, 2]))[0] == 0
    assert gap(np.zeros(0), np.zeros(0))[0] == 0
