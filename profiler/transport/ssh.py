"""A Linux device over the user's own OpenSSH client.

Every ssh process gets the same hardened options and one connection is shared by all of them
(ControlMaster in a private folder). The remote shell only ever sees quoted words: the program is
constant text, data are its arguments.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shlex
import shutil
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any, Optional, TypeVar

from profiler.errors import TransientError, TransportError
from profiler.schema.codec import DecodeError, decode, encode
from profiler.schema.lines import EndOfStream, Garbled, Silence
from profiler.schema.outside import sha_name
from profiler.schema.ssh import PLACEHOLDER, SshSpec
from profiler.schema.wire import GONE
from profiler.transport import frames, ssh_errors
from profiler.transport.children import Children
from profiler.transport.process import ProcessPipe
from profiler.transport.said import Found, Said, piece, refuse_while

T = TypeVar("T")

CONNECT_TIMEOUT_S = 15
OLDEST_PYTHON = (3, 9)
_ANSWER_S = 60.0
_SLOWEST_DISK_BYTES_PER_S = 2_000_000
_SLOWEST_LINK_BYTES_PER_S = 4_000
"""of content; less is a device that holds us up, not a link: a piece has its own minute, too"""
_LONGEST_TRANSFER_S = 86_400.0
_SOCKET_PATH_LIMIT = 80
"""The kernel allows 108 characters; ssh appends a random suffix of 17 while it connects."""

OPTIONS = (
    "BatchMode=yes",
    f"ConnectTimeout={CONNECT_TIMEOUT_S}",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
    "LogLevel=ERROR",
    "StrictHostKeyChecking=yes",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
)

_MARK = r"\n\036profiler1 "
# A folder that holds anything but ours is refused: `clean` removes the whole of it.
PROBE = f"""umask 077
if [ -d "$1" ] && ! [ -f "$1/profiler-device" ] && [ -n "$(ls -A -- "$1")" ]; then
    printf '{_MARK}{{"failed": "foreign"}}\\n'; exit 1; fi
# The nameplate first: another host that comes now must not find files without it.
mkdir -p -- "$1" && : >"$1/profiler-device" && mkdir -p -- "$1/blobs" "$1/packages" || {{
    printf '{_MARK}{{"failed": "folder"}}\\n'; exit 1; }}
command -v "$2" >/dev/null || {{ printf '{_MARK}{{"failed": "python"}}\\n'; exit 1; }}
exec "$2" -c "$3"
"""
# Must run, or at least be understood, on every Python there is: it says which one this is.
PROBE_PYTHON = """import json, platform, sys, sysconfig
sys.stdout.write("\\n\\036profiler1 " + json.dumps({
    "python": list(sys.version_info[:3]), "architecture": platform.machine(),
    "libc": list(platform.libc_ver()), "abi": str(sysconfig.get_config_var("SOABI")),
    "implementation": platform.python_implementation()}) + "\\n")
"""
# The shell stays, to say how the worker ended: ssh's own 255 could as well be the link.
SPAWN = f"""cd -- "$1" || exit 1
umask 077
XDG_CACHE_HOME="$PWD/cache"; export XDG_CACHE_HOME # onnxruntime leaves files there
if [ -n "$4" ]; then PYTHONPATH="$PWD/packages/$4"; export PYTHONPATH; fi
"$2" "$PWD/blobs/$3" serve "$PWD"
printf '{_MARK}{{"ended": %d}}\\n' "$?"
"""


@cache
def _helper() -> str:
    return (Path(__file__).parent / "helper.py").read_text(encoding="utf-8")


def transfer_s(content_bytes: int) -> float:
    """Seconds after which a transfer that has brought so much is given up."""
    return min(_ANSWER_S + content_bytes / _SLOWEST_LINK_BYTES_PER_S, _LONGEST_TRANSFER_S)


def command_line(spec: SshSpec, control: Optional[Path], words: list[str]) -> list[str]:
    """The argument list that runs `words` on the device."""
    line = ["ssh"]
    if spec.config_file is not None:
        line += ["-F", str(Path(spec.config_file).expanduser())]
    for option in OPTIONS:
        line += ["-o", option]
    if control is not None:
        line += ["-o", "ControlMaster=auto", "-o", "ControlPersist=30", "-S", str(control)]
    else:
        line += ["-o", "ControlMaster=no", "-S", "none"]
    line += ["-T", "-x"]
    if spec.port is not None:
        line += ["-p", str(spec.port)]
    if spec.identity_file is not None:
        line += ["-i", str(Path(spec.identity_file).expanduser())]
    if spec.proxy_jump is not None:
        line += ["-J", spec.proxy_jump]
    if spec.user is not None:
        line += ["-l", spec.user]
    return [*line, "--", spec.host, shlex.join(words)]


class SshTransport:
    """One device. `stage`, `spawn`, `fetch` reconnect by themselves when a connection is gone."""

    name = "ssh"

    def __init__(
        self, spec: SshSpec, python: Optional[str] = None, own_wheels: Optional[str] = None
    ) -> None:
        """`own_wheels` is a folder that stands for the package index."""
        if spec.host == PLACEHOLDER:
            raise TransportError(
                "this target has no host yet: [ssh] host is a placeholder",
                hint="copy its file to ./targets/ and write host and user there, or make one from"
                " the device itself: profiler targets add NAME --ssh USER@HOST",
            )
        self.spec, self.python = spec, python or "python3"
        self._own_wheels = None if own_wheels is None else Path(own_wheels)
        self._packages = ""
        self._found: Optional[dict[str, Any]] = None
        self._choice = frames.Choice()
        self._children = Children()
        self._clock = time.monotonic
        private = tempfile.mkdtemp(prefix="profiler-")  # mode 0700
        self._private = Path(private)
        self._control = self._private / "s" if len(private) <= _SOCKET_PATH_LIMIT else None

    def _start(self, words: list[str]) -> ProcessPipe:
        # C locale: the messages we parse; no dialog windows for passwords.
        environment = {**os.environ, "LC_ALL": "C", "SSH_ASKPASS_REQUIRE": "never"}
        return ProcessPipe(
            command_line(self.spec, self._control, words),
            lambda code, stderr: ssh_errors.explain(self.spec, code, stderr),
            environment=environment,
            hint="install OpenSSH's client (Debian: apt install openssh-client)",
        )

    def _brief(self, words: list[str]) -> ProcessPipe:
        """What `stop` ends: all but the worker."""
        pipe = self._start(words)
        try:
            self._children.adopt(pipe)
        except TransportError:
            pipe.close()
            raise
        return pipe

    def _help(self, operation: str, *arguments: str) -> ProcessPipe:
        self.probe()
        return self._brief([self.python, "-I", "-S", "-c", _helper(), operation, *arguments])

    def _read(self, pipe: ProcessPipe, timeout_s: float = _ANSWER_S) -> dict[str, Any]:
        where = ssh_errors.address(self.spec)
        try:
            return pipe.reader.read(timeout_s)
        except EndOfStream:
            raise pipe.failure() from None
        except Garbled as error:
            raise ssh_errors.LinkLost(f"{where}: the device sent {error}") from None
        except Silence:
            raise ssh_errors.LinkLost(
                f"{where}: no answer in {timeout_s:g} s",
                hint=f"try {ssh_errors.login(self.spec)}",
            ) from None

    def _understood(self, kind: type[T], message: dict[str, Any]) -> T:
        try:
            return decode(kind, message)
        except DecodeError as error:
            raise self._wrong(error) from None

    def _wrong(self, error: DecodeError) -> TransportError:
        return TransportError(
            f"{ssh_errors.address(self.spec)}: a wrong answer from the device: {error}"
        )

    def _answer(self, pipe: ProcessPipe, timeout_s: float = _ANSWER_S) -> Said:
        reply = self._understood(Said, self._read(pipe, timeout_s))
        if reply.errno == errno.ENOENT:
            raise ssh_errors.LinkLost(f"{ssh_errors.address(self.spec)}: {GONE}")
        if reply.error is not None:
            raise self._refused(reply.error)
        return reply

    def _refused(self, words: str) -> TransportError:
        error = ssh_errors.explain(self.spec, 1, words)
        if type(error) is TransportError:
            error.message = f"{ssh_errors.address(self.spec)}: {self.spec.folder}: {words}"
        return error

    def probe(self) -> dict[str, Any]:
        """Connect, make our folder, find the interpreter. Raises the errors of ssh_errors."""
        if self._found is None:
            self._found = self._probe()
        return self._found

    def _probe(self) -> dict[str, Any]:
        spec = self.spec
        where = ssh_errors.address(spec)
        pipe = self._brief(["sh", "-c", PROBE, "sh", spec.folder, self.python, PROBE_PYTHON])
        try:
            pipe.finish()
            message = self._read(pipe)
            if "python" in message:
                found: dict[str, Any] = encode(self._understood(Found, message))
                return self._new_enough(found)
            failed = self._understood(Said, message).failed
            if failed == "python":
                raise ssh_errors.NoPython(
                    f"{where}: there is no {self.python}",
                    hint="install it there (Debian: sudo apt install python3), or set `python` in"
                    " the target file to the path of a Python 3.9 or newer",
                )
            if failed == "foreign":
                raise ssh_errors.NoFolder(
                    f"{where}: {spec.folder} holds files which are not ours",
                    hint="set folder under [ssh] to one which does not exist yet",
                )
            if failed == "folder":
                error = pipe.failure()
                if isinstance(error, ssh_errors.NoSpace):
                    raise error
                raise ssh_errors.NoFolder(
                    f"{where}: the folder {spec.folder} can't be made: {error.message}",
                    hint="set folder under [ssh] to one you can write there",
                )
            raise self._wrong(DecodeError("failed", "what failed", failed))
        finally:
            pipe.close()

    def _new_enough(self, found: dict[str, Any]) -> dict[str, Any]:
        if tuple(found["python"]) < OLDEST_PYTHON:
            version = ".".join(map(str, found["python"]))
            raise ssh_errors.OldPython(
                f"{ssh_errors.address(self.spec)}: {self.python} is Python {version};"
                " the worker needs 3.9 or newer",
                hint="install 3.9 or newer there and set `python` in the target file to its path",
            )
        return found

    def stage(self, path: Path, sha: str) -> None:
        """Send a file: compressed where that pays, from where a cut transfer ended, verified."""
        size = path.stat().st_size
        pipe = self._help("receive", self.spec.folder, sha, str(size))
        try:
            reply = self._answer(pipe, _ANSWER_S + size / _SLOWEST_DISK_BYTES_PER_S)
            if reply.have:
                return
            if reply.offset is None:
                raise self._wrong(DecodeError("offset", "a number of bytes", None))
            self._feed(pipe, path, reply.offset)
            reply = self._answer(pipe, _ANSWER_S + size / _SLOWEST_DISK_BYTES_PER_S)
        finally:
            pipe.close()
        if reply.damaged:
            raise ssh_errors.LinkLost(
                f"{ssh_errors.address(self.spec)}: {path.name} was damaged on the way",
                hint="try again; if it stays so, check the device's disk",
            )

    def _feed(self, pipe: ProcessPipe, path: Path, offset: int) -> None:
        most_s = transfer_s(path.stat().st_size - offset)
        try:
            with path.open("rb") as file, pipe.at_most(most_s):
                frames.send(file, offset, pipe, self._choice)
                pipe.finish()
        except TransportError:
            # The device may have said why it stopped listening, e.g. a full disk.
            self._answer(pipe, 1.0)
            raise

    def spawn(self, worker_sha: str) -> ProcessPipe:
        """Start the worker; when it ends, the device says how."""
        self._children.refuse()
        words = [self.spec.folder, self.python, worker_sha, self._packages]
        return self._start(["sh", "-c", SPAWN, "sh", *words])

    def fetch(self, folder: str, sha: str, to: Path, limit_bytes: int) -> None:
        """Bring an output blob here, unless it comes slower than any link would bring it."""
        pipe = self._help("send", f"{folder}/{sha_name(sha)}")
        began_s = self._clock()
        try:
            pipe.finish()
            with to.open("wb") as file:
                while (data := self._answer(pipe).data) is not None:
                    file.write(piece(data, limit_bytes - file.tell()))
                    if self._clock() - began_s > transfer_s(file.tell()):
                        raise ssh_errors.LinkLost(
                            f"{ssh_errors.address(self.spec)}: {file.tell()} bytes of a result in"
                            f" {self._clock() - began_s:.0f} s, given up",
                            hint=f"is something else using the link? {ssh_errors.login(self.spec)}",
                        )
        except DecodeError as error:
            raise ssh_errors.LinkLost(
                f"{ssh_errors.address(self.spec)}: {to.name} was damaged on the way: {error}"
            ) from None
        finally:
            pipe.close()

    def provide(self, cache: Path) -> dict[str, str]:
        """Give the device numpy and onnxruntime, in our folder; the next worker uses them.

        They travel under their hash, which the device checks on arrival.
        """
        from profiler.transport import wheels

        packages = wheels.archive(self.probe(), cache, self._children, self._own_wheels)
        with packages.open("rb") as file:
            sha = hashlib.file_digest(file, "sha256").hexdigest()
        self.stage(packages, sha)
        pipe = self._help("unpack", self.spec.folder, sha)
        try:  # the device gives up when its stdin ends before it is done
            self._answer(pipe, _ANSWER_S + packages.stat().st_size / _SLOWEST_DISK_BYTES_PER_S)
        finally:
            pipe.close()
        self._packages = sha
        return wheels.shipped(packages)

    def clean(self) -> None:
        """Remove our folder from the device."""
        pipe = self._help("clean", self.spec.folder)
        try:
            pipe.finish()
            refuse_while(self._answer(pipe).busy, ssh_errors.address(self.spec))
        finally:
            self._found = None
            pipe.close()

    def stop(self) -> None:
        """End transfers, installs and questions; the worker's stream is another's."""
        self._children.end()

    def drop(self) -> None:
        """Let the shared connection go, so that the next use makes a new one."""
        self._found, self._choice = None, frames.Choice()
        if self._control is not None and self._control.exists():
            line = command_line(self.spec, self._control, ["true"])
            pipe = ProcessPipe(
                [line[0], "-O", "exit", *line[1:-1]], lambda code, words: TransientError(words)
            )
            pipe.close()
            self._control.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of everything on this side."""
        self.drop()
        shutil.rmtree(self._private, ignore_errors=True)
