"""Power modes and what a firmware remembers, replayed from tests/recordings/boards."""

from pathlib import Path

import pytest

from profiler.wire.messages import Thermal
from profiler.worker.instruments.power_mode import power_mode, throttled_since_boot
from profiler.worker.instruments.thermal import Thermometer, parse_throttled

BOARDS = Path(__file__).resolve().parents[2] / "recordings" / "boards"


def said(name: str) -> str:
    return (BOARDS / name).read_text()


def tree(folder: Path, name: str) -> Path:
    for line in said(name).splitlines():
        path, _, content = line.partition(" ")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content + "\n")
    return folder


@pytest.mark.parametrize(
    ("recording", "mode"),
    [
        ("orin-nano", "15W (0)"),
        ("xavier-nx", "MODE_15W_6CORE (2)"),
        ("agx-orin", "MAXN (0)"),
        ("not-root", None),
    ],
)
def test_nvpmodel(tmp_path: Path, recording: str, mode: str | None) -> None:
    assert power_mode(tmp_path, lambda: said(f"{recording}.nvpmodel")) == mode


def test_the_number_where_the_tool_answers_root_only(tmp_path: Path) -> None:
    root = tree(tmp_path, "orin-nano.sys")
    assert power_mode(root, lambda: said("not-root.nvpmodel")) == "mode 1"
    assert power_mode(root, lambda: None) == "mode 1"
    assert power_mode(tmp_path / "else", lambda: None) is None


@pytest.mark.parametrize(
    ("recording", "now", "since_boot"),
    [
        ("pi4-weak-supply", ("under-voltage", "throttled"), ("under-voltage", "throttled")),
        ("pi5-once-hot", (), ("frequency capped", "throttled", "soft temperature limit")),
        ("pi5-calm", (), ()),
    ],
)
def test_get_throttled(
    tmp_path: Path, recording: str, now: tuple[str, ...], since_boot: tuple[str, ...]
) -> None:
    text = said(f"{recording}.throttled")
    assert parse_throttled(text) == now
    assert throttled_since_boot(tmp_path, lambda _: text) == since_boot


def test_nobody_remembers_elsewhere(tmp_path: Path) -> None:
    assert throttled_since_boot(tmp_path, lambda _: None) is None
    assert throttled_since_boot(tmp_path, lambda _: "VCHI initialization failed") is None


def test_a_pi_4_with_a_weak_supply(tmp_path: Path) -> None:
    root = tree(tmp_path, "pi4.sys")
    assert Thermometer(root, lambda: None).read() == Thermal(
        celsius=48.312, mhz=(1500,), throttled=("under-voltage", "throttled"), governor="ondemand"
    )
    assert throttled_since_boot(root) == ("under-voltage", "throttled")


def test_an_orin(tmp_path: Path) -> None:
    root = tree(tmp_path, "orin-nano.sys")
    assert Thermometer(root, lambda: None).read() == Thermal(
        celsius=51.25, mhz=(1510, 729), governor="schedutil"
    )
