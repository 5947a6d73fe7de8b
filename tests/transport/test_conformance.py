"""The suite that every transport must pass, over local processes, a stub ssh and real OpenSSH."""

from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.schema.device.ssh import SshSpec
from profiler.transport.base import Transport
from profiler.transport.conformance import CHECKS
from profiler.transport.local import LocalTransport
from profiler.transport.ssh.transport import SshTransport

STUBS = Path(__file__).resolve().parents[1] / "stubs"


@pytest.mark.parametrize("name", CHECKS)
def test_local(name: str, tmp_path: Path) -> None:
    CHECKS[name](lambda: LocalTransport(home=tmp_path / "device ü"), tmp_path)


@pytest.mark.parametrize("mode", ["plain", "noisy"])
@pytest.mark.parametrize("name", CHECKS)
def test_stub(name: str, mode: str, tmp_path: Path, stub: Callable[[str], None]) -> None:
    stub(mode)
    spec = SshSpec(host="device", folder=str(tmp_path / "device ü"))

    def make() -> Transport:
        return SshTransport(spec)

    CHECKS[name](make, tmp_path)


@pytest.mark.parametrize("name", CHECKS)
def test_openssh(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    spec = request.getfixturevalue("sshd").with_folder(tmp_path / "device ü")
    CHECKS[name](lambda: SshTransport(spec), tmp_path)
