#!/usr/bin/env python3
"""A link with faults for tests: `ssh -o ProxyCommand='bad_link.py HOST PORT …'`.

Pumps bytes between stdin/stdout and HOST:PORT through a queue, so that it can delay them
(--delay-ms each way), limit their rate, and on command break: --control names a Unix socket from
which it takes one JSON object a line, {"do": …, "way": "up" | "down", "after": BYTES, "for_s": S}.

    cut      the connection ends after so many more bytes
    stall    nothing passes for a while, then everything does
    vanish   nothing passes ever again and nobody is told, as when a cable is pulled
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

PIECE = 1 << 16


class Link:
    """One connection. `orders` are faults that wait for their number of bytes, by direction."""

    def __init__(self, far: socket.socket, delay_s: float, bytes_per_s: float) -> None:
        self.far, self.delay_s, self.bytes_per_s = far, delay_s, bytes_per_s
        self.orders: dict[str, dict[str, Any]] = {}
        self.control: socket.socket | None = None
        self.open = threading.Event()
        self.open.set()

    def obey(self, path: str) -> None:
        self.control = socket.socket(socket.AF_UNIX)
        try:
            self.control.connect(path)
        except OSError:
            return  # nobody gives orders any more
        for line in self.control.makefile():
            order = json.loads(line)
            self.orders[order["way"]] = order
            if order["after"] == 0:
                self.fault(order)

    def fault(self, order: dict[str, Any]) -> None:
        self.orders.pop(order["way"], None)
        if self.control is not None:
            self.control.sendall(b"fired\n")
        if order["do"] == "cut":
            os._exit(1)
        self.open.clear()
        if order["do"] == "stall":
            threading.Timer(order["for_s"], self.open.set).start()
        else:  # outlive ssh, so that the other end sees no end of the stream
            threading.Timer(order["for_s"], os._exit, [1]).start()

    def pump(self, way: str, source: int, sink: int) -> None:
        line: queue.Queue[tuple[float, bytes]] = queue.Queue(maxsize=1024)
        threading.Thread(target=self.deliver, args=(way, line, sink), daemon=True).start()
        data = b"?"
        while data:
            try:
                data = os.read(source, PIECE)
            except OSError:
                data = b""
            line.put((time.monotonic() + self.delay_s, data))

    def deliver(self, way: str, line: queue.Queue[tuple[float, bytes]], sink: int) -> None:
        free = time.monotonic()
        while True:
            due, data = line.get()
            free = max(free, time.monotonic()) + len(data) / self.bytes_per_s
            time.sleep(max(0.0, max(due, free) - time.monotonic()))
            self.open.wait()
            if not data:
                os._exit(0)
            order = self.orders.get(way)
            if order is not None and order["after"] <= len(data):
                write(sink, data[: order["after"]])
                data = data[order["after"] :]
                self.fault(order)
                self.open.wait()
            elif order is not None:
                order["after"] -= len(data)
            write(sink, data)


def write(sink: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(sink, data) :]
    except OSError:
        os._exit(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--mbit", type=float, default=float("inf"))
    parser.add_argument("--control")
    options = parser.parse_args()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the end of the streams ends it, or `vanish` does
    far = socket.create_connection((options.host, options.port))
    far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link = Link(far, options.delay_ms / 1e3, options.mbit * 1e6 / 8)
    if options.control:
        threading.Thread(target=link.obey, args=(options.control,), daemon=True).start()
    up = threading.Thread(target=link.pump, args=("up", 0, far.fileno()), daemon=True)
    up.start()
    link.pump("down", far.fileno(), 1)
    threading.Event().wait()  # `deliver` ends the process


class Daemon:
    """A private sshd on loopback with keys of its own, reached over a bad link."""

    def __init__(self, folder: Path, *link: str) -> None:
        """`link`: options of this program. Raises OSError when there is no sshd."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = self.port = probe.getsockname()[1]
        self.folder = folder
        for name in ("key", "host"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]
            subprocess.run([*command, str(folder / name)], check=True)
        public = (folder / "host.pub").read_text().split()
        (folder / "known").write_text(f"[127.0.0.1]:{port} {public[0]} {public[1]}\n")
        words = [sys.executable, str(Path(__file__).resolve()), "%h", "%p", *link]
        quoted = " ".join(f'"{word}"' for word in words)
        (folder / "config").write_text(
            f"UserKnownHostsFile {folder}/known\nGlobalKnownHostsFile none\nIdentitiesOnly yes\n"
            + (f"ProxyCommand {quoted}\n" if link else "")
        )
        (folder / "sshd_config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/key.pub\nStrictModes no\nUsePAM no\nMaxStartups 100\n"
            "PasswordAuthentication no\nPermitRootLogin prohibit-password\n"
            "Subsystem sftp internal-sftp\n"
        )
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self.log = tempfile.TemporaryFile()  # noqa: SIM115
        path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        self.process = subprocess.Popen(
            [_found("sshd", path), "-D", "-e", "-f", str(folder / "sshd_config")],
            stdout=subprocess.DEVNULL, stderr=self.log,
        )  # fmt: skip
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    raise

    def ssh(self) -> dict[str, Any]:
        """The [ssh] table of a target."""
        import pwd

        return {
            "host": "127.0.0.1", "port": self.port, "user": pwd.getpwuid(os.getuid()).pw_name,
            "identity_file": str(self.folder / "key"), "config_file": str(self.folder / "config"),
        }  # fmt: skip

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.log.close()


def _found(name: str, path: str) -> str:
    import shutil

    found = shutil.which(name, path=path)
    if found is None:
        print("error: no sshd here\nhint: sudo scripts/setup_devices", file=sys.stderr)
        raise SystemExit(3)
    return found


if __name__ == "__main__":
    main()
