"""Imports go one way, the worker stays light, files stay short."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "profiler"

# The flow of data, from the bottom: a room imports from floors below its own, and rooms of one
# floor don't know each other. Within a room, no sub-room imports in a circle.
FLOORS = (
    {"errors", "units", "places", "progress"},
    {"statistics", "wire"},
    {"schema", "worker", "demo"},
    # What is right for a row and how it is judged: data reads labels by it, analysis judges.
    {"tasks"},
    {"analysis", "sources", "transport", "planning", "data"},
    {"variants"},
    {"store"},
    {"results", "devices", "stress"},
    {"report", "explain", "campaign"},
    {"commands"},
    {"cli"},
    {"__main__"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
AT_THE_ROOT = {"__init__", "__main__", "cli", "errors", "units", "places", "progress"}
MOST_FILES = 16
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


def modules() -> dict[str, Path]:
    """Module -> file."""
    found = {}
    for path in python_files(PACKAGE):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def arrows() -> set[tuple[str, str]]:
    """(file, module of ours) for every import."""
    known = modules()
    found = set()
    for path in known.values():
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                below = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [name if name in known else str(node.module) for name in below]
            found |= {(str(path.relative_to(PACKAGE)), name) for name in names if name in known}
    return found


def test_imports_go_one_way() -> None:
    wrong = []
    for path, module in arrows():
        if path == "__init__.py" or module == "profiler":
            continue
        own, other = path.split("/")[0].removesuffix(".py"), module.split(".")[1]
        assert own in FLOOR, f"{path}: give the room a floor"
        if own != other and FLOOR[other] >= FLOOR[own]:
            wrong.append(f"{path} imports {module}")
    assert wrong == []


def test_no_circle_among_rooms() -> None:
    """Sub-rooms too. A package's `__init__` is its door, not one of its files."""
    known = modules()
    known = {m: path for m, path in known.items() if path.name != "__init__.py"}
    leads: dict[str, set[str]] = {}
    for path, module in arrows():
        if module in known and not path.endswith("__init__.py"):
            own, other = Path(path).parent, known[module].relative_to(PACKAGE).parent
            if own != other and Path() not in (own, other):
                leads.setdefault(str(own), set()).add(str(other))
    while ends := {room for rooms in leads.values() for room in rooms} - leads.keys():
        leads = {room: rest for room, rooms in leads.items() if (rest := rooms - ends)}
    assert leads == {}


def test_few_files_in_a_room() -> None:
    root = {path.stem for path in PACKAGE.glob("*.py")}
    assert root == AT_THE_ROOT
    counts = {
        str(folder.relative_to(ROOT)): len(list(folder.glob("*.py")))
        for folder in PACKAGE.rglob("*/")
    }
    assert {name: count for name, count in counts.items() if count > MOST_FILES} == {}


def test_the_host_runs_no_code_of_the_worker() -> None:
    """The payload carries it; that it names it in a string is the one way."""
    wrong = [
        f"{path} imports {module}"
        for path, module in arrows()
        if module.startswith("profiler.worker") and not path.startswith("worker/")
    ]
    assert wrong == []


def test_worker_imports_only_what_a_device_has() -> None:
    ours = ("profiler.worker", "profiler.wire")
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
    top = ast.parse((PACKAGE / "worker" / "instruments" / "nvml.py").read_text()).body
    names = [a.name for node in top if isinstance(node, ast.Import) for a in node.names]
    assert "pynvml" not in names


def test_files_are_replaced_in_one_way() -> None:
    """wire/whole.py makes the file beside; who makes one by hand forgets to remove it."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python_files(PACKAGE)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("mkstemp", "NamedTemporaryFile")
    ]
    assert wrong == []


def test_no_task_is_compared_by_its_name() -> None:
    """What differs between tasks is a member of `tasks.task.Task`, or of its entry."""
    from profiler.schema.study.tasks import TASKS

    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python_files(PACKAGE)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare)
        and {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)} & TASKS.keys()
    ]
    assert wrong == []


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


def test_wire_needs_the_standard_library_only() -> None:
    for path in [*python_files(PACKAGE / "wire"), PACKAGE / "errors.py"]:
        for module in imported(path):
            top = module.split(".")[0]
            ours = module == "profiler.errors" or module.startswith("profiler.wire.")
            later = path.name == "queueing.py" and top == "numpy"  # inside a function
            assert top in sys.stdlib_module_names or ours or later, f"{path.name} imports {module}"


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
