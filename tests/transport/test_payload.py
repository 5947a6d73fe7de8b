import io
import subprocess
import sys
import zipfile
from pathlib import Path

from profiler.transport import payload


def test_the_archive_depends_on_nothing_but_its_source() -> None:
    """Built in another process with another hash seed and clock, its bytes are the same."""
    code = "from profiler.transport.payload import build; print(build()[1])"
    shas = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert shas == {payload.build()[1]}


def test_it_holds_the_worker_what_it_shares_and_the_errors_only() -> None:
    names = zipfile.ZipFile(io.BytesIO(payload.build()[0])).namelist()
    assert names == sorted(names)
    rooms = {"/".join(n.split("/")[:2]) for n in names}
    assert rooms == {
        "__main__.py", "profiler/__init__.py", "profiler/errors.py",
        "profiler/wire", "profiler/worker",
    }  # fmt: skip


def test_it_says_hello_on_the_oldest_python(oldest_python: str, tmp_path: Path) -> None:
    """numpy and onnxruntime may be absent there."""
    from profiler.devices.session import Session
    from profiler.transport.local import LocalTransport

    with Session(LocalTransport(oldest_python, tmp_path)) as session:
        assert session.facts["cores"] >= 1
        assert session.facts["python"].startswith("3.8.")
