"""A study that asks for CUDA on a machine without an NVIDIA driver."""

from collections.abc import Callable
from pathlib import Path

import pytest

from profiler import Study, run
from profiler.errors import ProfilerError
from profiler.transport import environment

pytestmark = pytest.mark.usefixtures("one_round")

INSTALL = "pip install 'onnxruntime-gpu[cuda,cudnn]==1.31.1' numpy nvidia-ml-py"


@pytest.fixture(autouse=True)
def no_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_NVIDIA_SIGNS", (str(tmp_path / "none"),))


def test_it_is_a_row_with_the_install_command_and_the_rest_runs(
    make_study: Callable[..., Path], tmp_path: Path
) -> None:
    study = make_study('variants = ["fp32"]\n', targets='["local-cpu", "cuda"]')
    results = run(Study.read(study), tmp_path / "out")
    table = results.table().set_index("target")
    assert table.loc["local-cpu", "status"] == "ok"
    assert table.loc["cuda", "status"] == "excluded"
    reason = table.loc["cuda", "reason"]
    assert "no NVIDIA driver" in reason
    assert INSTALL in reason
    assert results.choose().trial == "m/fp32@local-cpu/single_stream/b1/t1"


def test_alone_it_is_an_error_with_the_install_command(
    make_study: Callable[..., Path], tmp_path: Path
) -> None:
    study = make_study('variants = ["fp32"]\n', targets='["cuda"]')
    with pytest.raises(ProfilerError, match="no NVIDIA driver") as caught:
        run(Study.read(study), tmp_path / "out")
    assert INSTALL in str(caught.value.hint)
    assert caught.value.exit_code in (2, 3)
