"""Imports go one way, the worker stays light, files stay short."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "profiler"

# A room may import rooms of a lower number. Rooms of the same number don't know each other.
LEVELS = {
    "errors": 0, "units": 0, "places": 0, "letters": 0,
    "schema": 1,
    "statistics": 2, "worker": 2, "progress": 2, "reading": 2,
    "planning": 3, "sources": 3, "data": 3, "analysis": 3, "transport": 3, "demo": 3,
    "replies": 3,
    "variants": 4, "session": 4, "store": 4, "own_metric": 4,
    "made_up": 4, "fed": 4,
    "raw": 5, "input_hashes": 5, "prepare": 5, "report": 5, "fingerprint": 5, "single": 5,
    "fleet": 5, "link": 5, "wall_meter": 5,
    "derived": 5, "arrays": 5,
    "jobs": 6, "record": 6, "group_state": 6, "predictions": 6, "arrivals": 6,
    "stress": 7,
    "results": 8,
    "campaign": 9, "explain": 9, "brief": 9, "console": 9,
    "commands": 10,
    "cli_targets": 11,
    "cli": 12,
    "__main__": 13,
}  # fmt: skip
WORKER_MAY_IMPORT = {"numpy", "onnxruntime", "psutil"}
# Optional files, imported only for the target that asks for them. torch is measured as a backend
# by the same loop, and a module can't be called without its library.
# NVML is read where its package lies beside a GPU's, and is None elsewhere.
OPTIONAL = {"torch_module.py": {"torch"}, "nvml.py": {"pynvml"}}


def python_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Full names of everything a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            if node.module == "profiler":
                found.update(f"profiler.{alias.name}" for alias in node.names)
    return found


def room(module: str) -> str:
    return module.split(".")[1]


def test_imports_go_one_way() -> None:
    wrong = []
    for path in python_files(PACKAGE):
        relative = path.relative_to(PACKAGE)
        if relative.name == "__init__.py" and len(relative.parts) == 1:
            continue
        own = relative.parts[0].removesuffix(".py")
        assert own in LEVELS, f"{relative}: give the room a level"
        for module in imported(path):
            if not module.startswith("profiler.") or room(module) == own:
                continue
            other = room(module)
            if other not in LEVELS:  # a name of the package itself, e.g. profiler.__version__
                continue
            if LEVELS[other] >= LEVELS[own]:
                wrong.append(f"{relative} imports {module}")
    assert wrong == []


def test_worker_imports_only_what_a_device_has() -> None:
    ours = ("profiler.worker", "profiler.schema.codec", "profiler.schema.lines",
            "profiler.schema.outside", "profiler.schema.wire")  # fmt: skip
    wrong = []
    for path in python_files(PACKAGE / "worker"):
        for module in imported(path):
            top = module.split(".")[0]
            fine = (
                top in sys.stdlib_module_names
                or top in WORKER_MAY_IMPORT
                or top in OPTIONAL.get(path.name, set())
                or module.startswith(ours)
            )
            if not fine:
                wrong.append(f"{path.name} imports {module}")
    assert wrong == []


def test_optional_libraries_are_never_needed() -> None:
    """Imported at the top of a file, or the file imported by another, only as said above."""
    for path in python_files(PACKAGE / "worker"):
        assert "profiler.worker.backends.torch_module" not in imported(path), path
    top = ast.parse((PACKAGE / "worker" / "nvml.py").read_text()).body
    names = [a.name for node in top if isinstance(node, ast.Import) for a in node.names]
    assert "pynvml" not in names


def travelling() -> list[Path]:
    from profiler.transport.payload import sources

    return [*sources().values(), PACKAGE / "transport" / "helper.py"]


def test_what_travels_is_python_3_8_source() -> None:
    for path in travelling():
        ast.parse(path.read_text(), feature_version=(3, 8))


def test_what_travels_subscripts_types_in_annotations_only() -> None:
    """Python 3.8 evaluates no `dict[str, int]`; a delayed annotation is not evaluated."""
    wrong = []
    for path in travelling():
        top = ast.parse(path.read_text())
        names = {"dict", "list", "tuple", "set", "frozenset", "type"}
        names |= {
            alias.asname or alias.name
            for node in ast.walk(top)
            if isinstance(node, ast.ImportFrom)
            and node.module in ("collections", "collections.abc")
            for alias in node.names
        }
        delayed = any(isinstance(n, ast.ImportFrom) and n.module == "__future__" for n in top.body)
        annotations = [
            note
            for node in ast.walk(top)
            for note in (getattr(node, "annotation", None), getattr(node, "returns", None))
            if delayed and isinstance(note, ast.AST)
        ]
        fine = {id(part) for note in annotations for part in ast.walk(note)}
        wrong += [
            f"{path.name}:{node.lineno}"
            for node in ast.walk(top)
            if isinstance(node, ast.Subscript) and id(node) not in fine
            and isinstance(node.value, ast.Name) and node.value.id in names
        ]  # fmt: skip
    assert wrong == []


def test_travelling_schema_is_stdlib_only() -> None:
    for name in ("codec", "lines", "outside", "wire"):
        for module in imported(PACKAGE / "schema" / f"{name}.py"):
            top = module.split(".")[0]
            ours = module == "profiler.errors" or module.startswith("profiler.schema.")
            assert top in sys.stdlib_module_names or ours
    for module in imported(PACKAGE / "errors.py"):
        assert module.split(".")[0] in sys.stdlib_module_names


@pytest.mark.parametrize("folder", ["profiler", "tests"])
def test_files_are_short(folder: str) -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in python_files(ROOT / folder)
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


def test_help_stays_light() -> None:
    import subprocess

    code = (
        "import sys; sys.argv=['profiler', '--help']\n"
        "from profiler.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'pandas', 'torch', 'onnx', 'onnxruntime', 'numpy', 'scipy'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "demo" in done.stdout
