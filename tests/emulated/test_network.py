"""A device behind a bad network: a namespace of its own, real OpenSSH, a rate limit, loss, a cable.

All traffic stays on a pair of virtual interfaces that the test makes and removes.
"""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from profiler.devices.session import Session
from profiler.errors import TransientError
from profiler.schema.device.ssh import SshSpec
from profiler.transport.ssh import line as ssh_line
from profiler.transport.ssh.transport import SshTransport

TOOLS = ("ip", "tc", "nft", "ssh", "ssh-keygen", "sshd")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def command(*words: object) -> str:
    done = subprocess.run(
        [shutil.which(str(words[0]), path=PATH) or str(words[0]), *map(str, words[1:])],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode != 0:
        raise OSError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout


@dataclass
class Net:
    space: str
    link: str
    address: str
    folder: Path

    def inside(self, *words: object) -> str:
        return command("ip", "netns", "exec", self.space, *words)

    def transport(self, folder: Path) -> SshTransport:
        spec = SshSpec(
            host=self.address, port=2222, user="root", identity_file=str(self.folder / "key"),
            config_file=str(self.folder / "config"), folder=str(folder),
        )  # fmt: skip
        return SshTransport(spec, sys.executable)


def _serve(net: Net) -> tuple["subprocess.Popen[bytes]", threading.Thread]:
    folder = net.folder
    for name in ("key", "host"):
        command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", folder / name)
    kind, key, *_ = (folder / "host.pub").read_text().split()
    (folder / "known").write_text(f"[{net.address}]:2222 {kind} {key}\n")
    (folder / "config").write_text(
        f"UserKnownHostsFile {folder}/known\nGlobalKnownHostsFile none\nIdentitiesOnly yes\n"
    )
    (folder / "sshd_config").write_text(
        f"Port 2222\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/key.pub\nStrictModes no\n"
        "UsePAM no\nPidFile none\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen(
        ["ip", "netns", "exec", net.space, shutil.which("sshd", path=PATH) or "sshd", "-D", "-e",
         "-f", str(folder / "sshd_config")],
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    while b"listening on" not in (line := process.stderr.readline()):
        if not line:
            raise OSError("sshd does not start in the namespace")
    drain = threading.Thread(target=process.stderr.read, daemon=True)  # a full pipe blocks it
    drain.start()
    return process, drain


@pytest.fixture
def net(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Net]:
    if not request.config.getoption("--devices"):
        pytest.skip("needs a network namespace: scripts/test --devices (as root)")
    missing = [tool for tool in TOOLS if shutil.which(tool, path=PATH) is None]
    if missing or os.getuid() != 0:
        pytest.skip(
            f"needs root and {', '.join(TOOLS)}: sudo scripts/setup_devices network, then"
            " sudo scripts/test --devices"
        )
    for before, after in (("Interval=15", "Interval=1"), ("CountMax=3", "CountMax=2")):
        options = tuple(o.replace(before, after) for o in ssh_line.OPTIONS)
        monkeypatch.setattr(ssh_line, "OPTIONS", options)
    number = os.getpid() % 200
    made = Net(f"profiler-{os.getpid()}", f"pr{os.getpid()}", f"198.18.{number}.2", tmp_path)
    served = None
    try:
        try:
            command("ip", "netns", "add", made.space)
            command("ip", "link", "add", made.link, "type", "veth", "peer", "name", "d0",
                    "netns", made.space)  # fmt: skip
            command("ip", "addr", "add", f"198.18.{number}.1/30", "dev", made.link)
            command("ip", "link", "set", made.link, "up")
            made.inside("ip", "addr", "add", f"{made.address}/30", "dev", "d0")
            made.inside("ip", "link", "set", "d0", "up")
            made.inside("ip", "link", "set", "lo", "up")
            served = _serve(made)
        except OSError as error:
            pytest.skip(f"this kernel makes no network namespaces for tests: {error}")
        yield made
    finally:
        if served is not None:
            process, drain = served
            # One for each connection may outlive a cable, and keep stderr open.
            own = command("ip", "netns", "pids", made.space).split()
            for pid in own:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            process.wait()
            drain.join()
            assert process.stderr is not None
            process.stderr.close()
        for words in (("ip", "link", "del", made.link), ("ip", "netns", "del", made.space)):
            subprocess.run(words, capture_output=True)


def blob(folder: Path, size: int) -> tuple[Path, str]:
    data = os.urandom(size)
    (folder / "blob").write_bytes(data)
    return folder / "blob", hashlib.sha256(data).hexdigest()


def limit(net: Net, mbit: int) -> None:
    command("tc", "qdisc", "add", "dev", net.link, "root", "tbf", "rate", f"{mbit}mbit",
            "burst", "32kb", "latency", "400ms")  # fmt: skip


def test_a_narrow_link(net: Net, tmp_path: Path) -> None:
    limit(net, 8)
    path, sha = blob(tmp_path, 1_000_000)
    transport = net.transport(tmp_path / "device")
    transport.stage(path, sha)
    assert (tmp_path / "device" / "blobs" / sha).read_bytes() == path.read_bytes()
    sent = re.search(r"Sent (\d+) bytes", command("tc", "-s", "qdisc", "show", "dev", net.link))
    assert sent is not None
    assert int(sent[1]) > 1_000_000, "it went another way"
    transport.close()


def test_one_packet_of_seven_is_lost(net: Net, tmp_path: Path) -> None:
    net.inside("nft", "add table inet bad")
    net.inside("nft", "add chain inet bad in { type filter hook input priority 0; }")
    net.inside(
        "nft", "add rule inet bad in meta l4proto tcp numgen random mod 100 < 15 counter drop"
    )
    path, sha = blob(tmp_path, 200_000)
    with Session(net.transport(tmp_path / "device"), backoff_s=(0.1,) * 5) as session:
        session.steady(lambda: session.stage([path]), print)
        assert session.facts["python"]
    assert (tmp_path / "device" / "blobs" / sha).read_bytes() == path.read_bytes()
    lost = re.search(r"counter packets (\d+)", net.inside("nft", "list ruleset"))
    assert lost is not None
    assert int(lost[1]) > 0, "nothing was lost"


def test_a_cable_that_is_pulled_and_put_back(net: Net, tmp_path: Path) -> None:
    limit(net, 8)
    path, sha = blob(tmp_path, 4_000_000)
    transport = net.transport(tmp_path / "device")
    partial = tmp_path / "device" / "blobs" / f"{sha}.part"
    transport.probe()
    pulled = threading.Event()

    def pull() -> None:
        while not (partial.exists() and partial.stat().st_size > 500_000):
            if pulled.wait(0.01):
                return
        command("ip", "link", "set", net.link, "down")

    thread = threading.Thread(target=pull)
    thread.start()
    try:
        with pytest.raises(TransientError):
            transport.stage(path, sha)
    finally:
        pulled.set()
        thread.join()
    kept = partial.stat().st_size
    assert 500_000 < kept < 4_000_000
    command("ip", "link", "set", net.link, "up")
    transport.drop()
    with Session(transport, backoff_s=(0.2,) * 10) as session:
        session.steady(lambda: session.stage([path]), print)
    assert (tmp_path / "device" / "blobs" / sha).read_bytes() == path.read_bytes()
