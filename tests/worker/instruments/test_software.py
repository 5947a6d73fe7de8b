"""A runtime that is there and can't be used keeps its words, however its import fails."""

import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from profiler.errors import TransientError
from profiler.planning.unusable import unusable
from profiler.transport import endings
from profiler.worker.instruments import software

NUMPY = '''raise ImportError("""
IMPORTANT: PLEASE READ THIS FOR ADVICE ON HOW TO SOLVE THIS ISSUE!

Original error was: /home/ada/x.so: failed to map segment from shared object
""")'''


def found(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str, name: str = "onnxruntime"):  # type: ignore[no-untyped-def]
    (folder / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(folder)
    return software.ask()


@pytest.mark.parametrize(
    ("number", "says", "hint"),
    [
        (signal.SIGILL, "SIGILL (an instruction that this processor does not have)",
         "pip install 'onnxruntime<1."),
        (signal.SIGSEGV, "SIGSEGV (a crash of its native code)", "--force-reinstall"),
        (signal.SIGBUS, "SIGBUS (a crash", "--force-reinstall"),
    ],
)  # fmt: skip
def test_a_runtime_that_crashes_on_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str, hint: str
) -> None:
    facts = found(tmp_path, monkeypatch, f"import os\nos.kill(os.getpid(), {int(number)})")
    assert (facts["onnxruntime"], facts["providers"]) == (None, [])
    assert facts["numpy"], "what was found before stands"
    told = unusable(facts)
    assert told is not None
    assert f"importing onnxruntime {software.version('onnxruntime')} ended with {says}" in told[0]
    assert hint in told[1]


@pytest.mark.parametrize(
    ("code", "says", "hint"),
    [
        ("raise ImportError('libstdc++.so.6: version `GLIBCXX_3.4.29\\' not found')",
         "GLIBCXX_3.4.29", "newer system"),
        ("raise ImportError('x.so: failed to map segment from shared object')", "map segment",
         "noexec"),
        ("raise ImportError('libgomp.so.1: cannot open shared object file')", "libgomp",
         "libgomp1"),
        ("raise ImportError('x.so: wrong ELF class: ELFCLASS32')", "ELFCLASS32", "32 and 64"),
        ("raise AttributeError('_ARRAY_API not found')", "AttributeError: _ARRAY_API", "numpy<2"),
        ("import numpi", "No module named 'numpi'", "import onnxruntime"),
        ("import sys; sys.exit('no licence')", "no licence", "import onnxruntime"),
    ],
)  # fmt: skip
def test_an_import_error_keeps_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, says: str, hint: str
) -> None:
    told = unusable(found(tmp_path, monkeypatch, code))
    assert told is not None
    assert told[0].startswith("onnxruntime is on the target and can't be used: ")
    assert says in told[0]
    assert hint in told[1]


def test_numpys_page_of_advice_is_left_out_and_so_is_who_lives_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    facts = found(tmp_path, monkeypatch, NUMPY, "numpy")
    assert facts["numpy_error"] == "ImportError: ~/x.so: failed to map segment from shared object"
    told = unusable(facts)
    assert told is not None
    assert told[0].startswith("numpy is on the target and can't be used")


def test_what_works_is_told_without_a_word(tmp_path: Path) -> None:
    facts = software.ask()
    assert facts["onnxruntime"] == software.version("onnxruntime")
    assert not [key for key in facts if key.endswith("_error")]
    assert unusable(facts) is None


def test_which_endings_are_memory_and_tried_again() -> None:
    assert isinstance(endings.killed(9), TransientError)
    assert "memory" in (endings.killed(9).hint or "")
    for number in (4, 7, 11):
        error = endings.killed(number, " on the device")
        assert type(error) is endings.WorkerCrashed
        assert "memory" not in f"{error.message} {error.hint}"
        assert signal.Signals(number).name in error.message
    assert isinstance(endings.killed(15), TransientError)
    assert "SIGTERM" in endings.killed(15).message
    assert "signal 99" in endings.killed(99).message


def test_packages_that_came_along_and_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from profiler.worker import isolated

    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setattr(sys, "path", ["program", "stdlib"])
    monkeypatch.setenv(isolated.BROUGHT, "brought")
    monkeypatch.setattr("site.getusersitepackages", lambda: str(own))
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    isolated.add_packages()
    assert sys.path == ["program", "brought", "stdlib"], "the user's own are on the path already"
    monkeypatch.setattr(sys, "flags", SimpleNamespace(isolated=1))
    monkeypatch.delenv(isolated.BROUGHT)
    isolated.add_packages()
    assert sys.path == ["program", "brought", "stdlib", str(own)]
    assert isolated.python() == [sys.executable, "-I", "-X", "utf8"]


IR = ("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Failed to load model with error: "
      "/onnxruntime_src/onnxruntime/core/graph/model.cc:{line} onnxruntime::Model::Model(…) "
      "Unsupported model IR version: 99, max supported IR version: {most}\n")  # fmt: skip
OPSET = (
    "[ONNXRuntimeError] : 1 : FAIL : /onnxruntime_src/onnxruntime/core/graph/model_load_utils.h:46"
    " void onnxruntime::model_load_utils::ValidateOpsetForDomain(…) ONNX Runtime only *guarantees*"
    " support for models stamped with official released onnx opset versions. Opset 999 is under"
    " development and support for this is limited. The operator schemas and or other functionality"
    " may change before next ONNX release and in this case ONNX Runtime will not guarantee backward"
    " compatibility. Current official support for domain ai.onnx is till opset {most}."
)


@pytest.mark.parametrize(
    ("line", "ir", "opset"), [(149, 9, 19), (179, 9, 20), (180, 10, 21), (256, 13, 26)],
    ids=["1.16.0", "1.17.3", "1.19.2", "1.31.1"],
)  # fmt: skip
def test_the_runtime_names_the_newest_model_it_takes(
    monkeypatch: pytest.MonkeyPatch, line: int, ir: int, opset: int
) -> None:
    """Recorded from those versions."""

    def refuse(model: bytes, *_: object, **__: object) -> None:
        newest_ir = model[1] == 99
        raise RuntimeError(IR.format(line=line, most=ir) if newest_ir else OPSET.format(most=opset))

    runtime = SimpleNamespace(SessionOptions=SimpleNamespace, InferenceSession=refuse)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)  # type: ignore[arg-type]
    assert software.newest() == {"max_ir": ir, "max_opset": opset}


def test_this_runtime_tells_its_own_limits() -> None:
    found = software.newest()
    assert found["max_ir"] is not None
    assert found["max_ir"] >= 10
    assert found["max_opset"] is not None
    assert found["max_opset"] >= 21


def test_a_runtime_of_other_words_is_not_guessed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no")

    runtime = SimpleNamespace(SessionOptions=SimpleNamespace, InferenceSession=refuse)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)  # type: ignore[arg-type]
    assert software.newest() == {"max_ir": None, "max_opset": None}
