"""Environments are made for real, from wheels written here; no network is used."""

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.errors import EnvironmentMissing
from profiler.schema.device.runtime import Runtime
from profiler.schema.device.target import Target
from profiler.transport import environment
from profiler.transport.environment import environment_for, environment_key, explain
from profiler.wire.codec import DecodeError, decode


def target(*packages: str, **more: object) -> Target:
    return decode(Target, {"name": "t", "runtime": {"packages": list(packages)}, **more})


@pytest.fixture
def wheel(wheels: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Packages that pip finds, and nothing else is found."""
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)  # pip, not uv
    return wheels


def test_an_environment_is_made_once_and_used_again(
    wheel: Callable[..., None], tmp_path: Path
) -> None:
    wheel("thing")
    said: list[str] = []
    cache = tmp_path / "cache"
    python = environment_for(target("thing==1.0"), cache, said.append)
    assert said == ["installing thing==1.0", "t: environment ready"]
    done = subprocess.run(
        [python, "-c", "import thing; print(thing.VERSION)"], capture_output=True, text=True
    )
    assert done.stdout.strip() == "1.0"
    assert environment_for(target("thing==1.0"), cache, said.append) == python
    assert len(said) == 2, "made again"
    assert [p.name for p in cache.iterdir() if p.name.startswith(".building")] == []


@pytest.mark.usefixtures("quick_environments")
def test_a_half_built_one_is_never_used(wheel: Callable[..., None], tmp_path: Path) -> None:
    wheel("thing")
    cache = tmp_path / "cache"
    python = Path(environment_for(target("thing"), cache))
    (python.parent.parent / "complete.json").unlink()
    said: list[str] = []
    assert environment_for(target("thing"), cache, said.append) == str(python)
    assert "installing thing" in said


@pytest.mark.usefixtures("quick_environments")
def test_two_at_once_build_one(wheel: Callable[..., None], tmp_path: Path) -> None:
    wheel("thing")
    said: list[str] = []
    both = [
        threading.Thread(
            target=environment_for, args=(target("thing"), tmp_path / "cache", said.append)
        )
        for _ in range(2)
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert said.count("installing thing") == 1


def test_without_packages_it_is_the_named_interpreter(tmp_path: Path) -> None:
    assert environment_for(Target(name="t", python="/x/python"), tmp_path) == "/x/python"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("quick_environments")
def test_an_absent_package_is_named(wheel: Callable[..., None], tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMissing) as caught:
        environment_for(target("nothing-like-it==3"), tmp_path / "cache")
    assert "no package nothing-like-it==3" in caught.value.message
    assert "runtime.packages" in str(caught.value.hint)
    assert [p for p in (tmp_path / "cache").iterdir() if p.is_dir()] == []


@pytest.mark.usefixtures("quick_environments")
def test_no_network_is_named(
    wheel: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(EnvironmentMissing, match="no network") as caught:
        environment_for(target("thing"), tmp_path / "cache")
    assert "pip install thing" in str(caught.value.hint)


def test_addresses_are_kept_out_of_messages() -> None:
    found = explain(target("x"), "ERROR: 403 for https://user:secret@host/simple/x")
    assert "secret" not in found.message
    assert "403" in found.message


@pytest.mark.usefixtures("quick_environments")
def test_a_plug_in_that_brings_a_second_base_is_refused(
    wheel: Callable[..., None], tmp_path: Path
) -> None:
    wheel("onnxruntime")
    wheel("onnxruntime-gpu")
    wheel("onnxruntime-ep-x", requires="onnxruntime")
    with pytest.raises(EnvironmentMissing, match="only one fits"):
        environment_for(target("onnxruntime-gpu", "onnxruntime-ep-x"), tmp_path / "cache")


def test_the_key_depends_on_packages_index_and_python() -> None:
    keys = {
        environment_key(("a", "b"), None, "3.11.2"),
        environment_key(("a",), None, "3.11.2"),
        environment_key(("a", "b"), None, "3.12.1"),
        environment_key(("a", "b"), "https://x", "3.11.2"),
    }
    assert len(keys) == 4
    assert environment_key(("b", "a"), None, "3.11.2") in keys, "order does not matter"


def test_no_gigabytes_without_a_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_NVIDIA_SIGNS", (str(tmp_path / "none"),))
    wanted = target("onnxruntime-gpu", provider="CUDAExecutionProvider")
    with pytest.raises(EnvironmentMissing, match="no NVIDIA driver"):
        environment_for(wanted, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("packages", "says"),
    [
        ([], "at least one package"),
        (["onnxruntime", "onnxruntime-gpu==1.31.1"], "one onnxruntime package"),
        (["Onnxruntime_OpenVINO", "onnxruntime"], "one onnxruntime package"),
        (["--index-url=http://x"], "a package such as"),
        (["x @ https://evil/x.whl"], "a package such as"),
        (["../x"], "a package such as"),
    ],
)
def test_wrong_packages_are_refused_when_read(packages: list[str], says: str) -> None:
    with pytest.raises(DecodeError, match=says):
        target(*packages)


def test_plug_ins_stand_beside_a_base() -> None:
    Runtime(packages=("onnxruntime==1.31.1", "onnxruntime-ep-openvino==1.8.1", "numpy>=2,<3"))
    Runtime(packages=("onnxruntime-gpu[cuda,cudnn]==1.31.1", "onnxruntime-qnn"))


@pytest.mark.usefixtures("quick_environments")
def test_a_folder_of_wheels_stands_for_the_index(
    wheel: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel("thing", "1.0")
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    own, cache = str(tmp_path / "wheels"), tmp_path / "cache"
    first = environment_for(target("thing", wheels=own), cache)
    assert Path(first).exists()
    wheel("thing", "1.1")
    assert environment_for(target("thing", wheels=own), cache) != first, "other wheels"
    with pytest.raises(EnvironmentMissing, match="wheels holds no other") as caught:
        environment_for(target("other", wheels=own), cache)
    assert "pip download other" in str(caught.value.hint)
