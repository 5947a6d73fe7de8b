"""A Linux device over the user's own OpenSSH client.

Every ssh process gets the same hardened options and one connection is shared by all of them
(ControlMaster in a private folder). What it runs there comes from `programs`.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from pathlib import Path, PurePosixPath
from typing import Any, Optional, TypeVar

from profiler.errors import TransientError, TransportError
from profiler.schema.device.ssh import PLACEHOLDER, SshSpec
from profiler.transport import helper
from profiler.transport.children import Children
from profiler.transport.process import ProcessPipe, last_lines
from profiler.transport.said import Found, Said, piece, refuse_while
from profiler.transport.ssh import advice as ssh_advice
from profiler.transport.ssh import errors as ssh_errors
from profiler.transport.ssh import frames, programs, wheels
from profiler.transport.ssh.line import command_line
from profiler.transport.travel import Travel
from profiler.wire.codec import DecodeError, decode, encode
from profiler.wire.lines import EndOfStream, Garbled, Silence
from profiler.wire.messages import GONE
from profiler.wire.outside import sha_name

T = TypeVar("T")

START_S = 18.0
"""to a running shell, connecting included: a slow board far away takes a third of it"""
OLDEST_PYTHON = (3, 8)
_ANSWER_S = 60.0
_SLOWEST_DISK_BYTES_PER_S = 2_000_000
_SLOWEST_LINK_BYTES_PER_S = 4_000
"""of content; less is a device that holds us up, not a link: a piece has its own minute, too"""
_LONGEST_TRANSFER_S = 86_400.0
_SOCKET_PATH_LIMIT = 80
"""The kernel allows 108 characters; ssh appends a random suffix of 17 while it connects."""


def transfer_s(content_bytes: int) -> float:
    """Seconds after which a transfer that has brought so much is given up."""
    return min(_ANSWER_S + content_bytes / _SLOWEST_LINK_BYTES_PER_S, _LONGEST_TRANSFER_S)


class SshTransport:
    """One device. `stage`, `spawn`, `fetch` reconnect by themselves when a connection is gone."""

    name = "ssh"

    def __init__(
        self,
        spec: SshSpec,
        python: Optional[str] = None,
        travel: Optional[Travel] = None,
        *,
        own_wheels: Optional[str] = None,
    ) -> None:
        """`travel` is told while bytes are on their way; `own_wheels` is a folder that stands for
        the package index.
        """
        if spec.host == PLACEHOLDER:
            raise TransportError(
                "this target has no host yet: [ssh] host is a placeholder",
                hint="copy its file to ./targets/ and write host and user there, or make one from"
                " the device itself: profiler targets add NAME --ssh USER@HOST",
            )
        self.spec, self.python = spec, python or "python3"
        self._own_wheels = None if own_wheels is None else Path(own_wheels)
        self._packages = ""
        self._travel = travel or Travel()
        self._found: Optional[dict[str, Any]] = None
        self._choice = frames.Choice()
        self._children = Children()
        self._clock = time.monotonic
        private = tempfile.mkdtemp(prefix="profiler-")  # mode 0700
        self._private = Path(private)
        self._control = self._private / "s" if len(private) <= _SOCKET_PATH_LIMIT else None

    def _start(self, name: str, program: bytes) -> ProcessPipe:
        """Run a program there. `stop` ends it, until `dismiss`."""
        # C locale: the messages we parse; no dialog windows for passwords.
        environment = {**os.environ, "LC_ALL": "C", "SSH_ASKPASS_REQUIRE": "never"}
        self._children.refuse()
        pipe = ProcessPipe(
            command_line(self.spec, self._control, programs.start(name)),
            lambda code, stderr: ssh_errors.explain(self.spec, code, stderr),
            environment=environment,
            hint="install OpenSSH's client (Debian: apt install openssh-client)",
        )
        try:
            self._children.adopt(pipe)
            self._await_shell(pipe)
            pipe.send(program)
        except BaseException as error:
            pipe.kill()
            pipe.close()
            if isinstance(error, TransportError) and not self._children.ended.is_set():
                raise self._advised(error) from None
            raise
        return pipe

    def _advised(self, error: TransportError) -> TransportError:
        def line(command: str) -> list[str]:
            return command_line(self.spec, None, command)

        return ssh_advice.better(error, self.spec, line, self._children)

    def _await_shell(self, pipe: ProcessPipe) -> None:
        """Read the word by which the shell there says that it runs our command."""
        try:
            message = pipe.reader.read(START_S)
        except EndOfStream:
            code, stderr = pipe.ended()
            self._children.refuse()
            if code == 255 or code is None or code < 0:
                raise ssh_errors.explain(self.spec, code, stderr) from None
            said = f"{pipe.reader.said()}\n{stderr}"
            raise ssh_errors.shell_ended(self.spec, code, said) from None
        except Silence:
            said = pipe.reader.said()
            if self._control is None or self._control.exists():
                raise ssh_errors.shell_silent(self.spec, START_S, said) from None
            raise ssh_errors.of(
                ssh_errors.TimedOut, self.spec, f"it did not let us in within {START_S:g} s",
                f"try {ssh_errors.login(self.spec)}",
            ) from None  # fmt: skip
        except Garbled as error:
            raise self._garbled(error) from None
        if message != {"started": True}:
            raise self._wrong(DecodeError("started", "true", message))

    def _help(self, operation: str, folder: str, *arguments: str) -> ProcessPipe:
        self.probe()
        return self._start(
            operation, programs.help_with(folder, self.python, operation, *arguments)
        )

    def _read(self, pipe: ProcessPipe, timeout_s: float = _ANSWER_S) -> dict[str, Any]:
        try:
            return pipe.reader.read(timeout_s)
        except EndOfStream:
            raise pipe.failure() from None
        except Garbled as error:
            raise self._garbled(error) from None
        except Silence:
            raise ssh_errors.of(
                ssh_errors.LinkLost, self.spec, f"no answer in {timeout_s:g} s",
                f"try {ssh_errors.login(self.spec)}",
            ) from None  # fmt: skip

    def _garbled(self, error: Garbled) -> TransportError:
        return ssh_errors.of(ssh_errors.LinkLost, self.spec, f"the device sent {error}")

    def _understood(self, kind: type[T], message: dict[str, Any]) -> T:
        try:
            return decode(kind, message)
        except DecodeError as error:
            raise self._wrong(error) from None

    def _wrong(self, error: DecodeError) -> TransportError:
        return ssh_errors.of(
            TransportError, self.spec, "a wrong answer from the device", words=str(error)
        )

    def _answer(self, pipe: ProcessPipe, timeout_s: float = _ANSWER_S) -> Said:
        """What the device says when it is done; `timeout_s` is from one message to the next."""
        give_up_s = self._clock() + _LONGEST_TRANSFER_S
        while self._under_way(reply := self._understood(Said, self._read(pipe, timeout_s))):
            if self._clock() > give_up_s:
                raise ssh_errors.of(ssh_errors.LinkLost, self.spec, "it comes to no end")
        if reply.errno == errno.ENOENT:
            raise ssh_errors.of(ssh_errors.LinkLost, self.spec, GONE)
        if reply.error is not None:
            raise self._refused(reply.error)
        return reply

    def _under_way(self, reply: Said) -> bool:
        """Tell a person how far it is; whether there is no more in it."""
        if reply.got is not None:
            self._travel.at(reply.got)
        elif reply.waiting is not None:
            self._travel.waits(reply.waiting.turns())
        return reply.got is not None or reply.waiting is not None

    def _refused(self, words: str) -> TransportError:
        error = ssh_errors.explain(self.spec, 1, words)
        if type(error) is TransportError:
            where = f"{self.spec.folder}: {words}"
            return ssh_errors.of(TransportError, self.spec, "its files can't be used", words=where)
        return error

    def probe(self) -> dict[str, Any]:
        """Connect, make our folder, find the interpreter. Raises the errors of ssh_errors."""
        if self._found is None:
            self._found = self._probe()
        return self._found

    def _probe(self) -> dict[str, Any]:
        spec = self.spec
        with self._start("probe", programs.probe(spec.folder, self.python)) as pipe:
            pipe.finish()
            message = self._read(pipe)
            if "python" in message:
                found: dict[str, Any] = encode(self._understood(Found, message))
                return self._new_enough(found)
            failed = self._understood(Said, message).failed
            if failed == "python":
                raise ssh_errors.of(
                    ssh_errors.NoPython, spec, f"there is no {PurePosixPath(self.python).name}",
                    "install it there (Debian: sudo apt install python3), or set `python` in"
                    " the target file to the path of a Python 3.8 or newer",
                    "" if "/" not in self.python else self.python,
                )  # fmt: skip
            if failed == "foreign":
                raise ssh_errors.of(
                    ssh_errors.NoFolder, spec, "our folder there holds files which are not ours",
                    "set folder under [ssh] to one which does not exist yet", spec.folder,
                )  # fmt: skip
            if failed == "folder":
                _, stderr = pipe.ended()
                error = ssh_errors.explain(spec, 1, stderr)
                if isinstance(error, ssh_errors.NoSpace):
                    raise error
                raise ssh_errors.of(
                    ssh_errors.NoFolder, spec, "our folder there can't be made",
                    "set folder under [ssh] to one you can write there",
                    " | ".join([spec.folder, *last_lines(stderr, 1)]),
                )  # fmt: skip
            raise self._wrong(DecodeError("failed", "what failed", failed))

    def _new_enough(self, found: dict[str, Any]) -> dict[str, Any]:
        if tuple(found["python"]) < OLDEST_PYTHON:
            version = ".".join(map(str, found["python"]))
            raise ssh_errors.of(
                ssh_errors.OldPython, self.spec,
                f"{PurePosixPath(self.python).name} is Python {version};"
                " the worker needs 3.8 or newer",
                "install 3.8 or newer there and set `python` in the target file to its path",
            )  # fmt: skip
        return found

    def stage(self, path: Path, sha: str, called: str = "") -> None:
        """Send a file: compressed where that pays, from where a cut transfer ended, verified."""
        self._send(path, sha, called or path.name)

    def _send(self, path: Path, sha: str, what: str) -> None:
        size = path.stat().st_size
        patience_s = _ANSWER_S + size / _SLOWEST_DISK_BYTES_PER_S
        with self._help("receive", self.spec.folder, sha, str(size)) as pipe:
            reply = self._answer(pipe, patience_s)
            if reply.have:
                return
            if reply.offset is None:
                raise self._wrong(DecodeError("offset", "a number of bytes", None))
            self._travel.begin(f"sending {what}", "to", size, reply.offset)
            self._feed(pipe, path, reply.offset)
            reply = self._answer(pipe, patience_s)
        if reply.damaged:
            raise ssh_errors.of(
                ssh_errors.LinkLost, self.spec, f"{path.name} was damaged on the way",
                "try again; if it stays so, check the device's disk",
            )  # fmt: skip

    def _feed(self, pipe: ProcessPipe, path: Path, offset: int) -> None:
        most_s = transfer_s(path.stat().st_size - offset)
        give_up_s = self._clock() + most_s

        def look() -> None:
            nonlocal give_up_s
            if self._look(pipe):
                give_up_s = self._clock() + most_s
            if self._clock() > give_up_s:
                pipe.kill()

        try:
            with path.open("rb") as file, pipe.watched(look):
                frames.send(file, offset, pipe, self._choice)
                pipe.finish()
        except TransportError:
            # The device may have said why it stopped listening, e.g. a full disk.
            self._answer(pipe, 1.0)
            raise

    def _look(self, pipe: ProcessPipe) -> bool:
        """Take in what the device has told by now; whether it waits until another has measured."""
        waits = False
        while True:
            try:
                message = pipe.reader.read(0.0)
            except (Silence, EndOfStream, Garbled):  # the next write fails and says why
                return waits
            reply = self._understood(Said, message)
            if not self._under_way(reply):
                pipe.reader.back(message)
                return waits
            waits = reply.waiting is not None

    def spawn(self, worker_sha: str) -> ProcessPipe:
        """Start the worker; when it ends, the device says how."""
        program = programs.serve(self.spec.folder, self.python, worker_sha, self._packages)
        pipe = self._start("serve", program)
        self._children.dismiss(pipe)
        return pipe

    def fetch(self, folder: str, sha: str, to: Path, limit_bytes: int) -> None:
        """Bring an output blob here, unless it comes slower than any link would bring it."""
        began_s = self._clock()
        try:
            with self._help("send", folder, sha_name(sha)) as pipe, to.open("wb") as file:
                pipe.finish()
                size = self._answer(pipe).size
                self._travel.begin("fetching results", "from", min(size or 0, limit_bytes))
                while (data := self._answer(pipe).data) is not None:
                    file.write(piece(data, limit_bytes - file.tell()))
                    self._travel.at(file.tell())
                    if self._clock() - began_s > transfer_s(file.tell()):
                        raise ssh_errors.of(
                            ssh_errors.LinkLost, self.spec, f"{file.tell()} bytes of a result in"
                            f" {self._clock() - began_s:.0f} s, given up",
                            f"is something else using the link? {ssh_errors.login(self.spec)}",
                        )  # fmt: skip
        except DecodeError as error:
            raise ssh_errors.of(
                ssh_errors.LinkLost, self.spec, f"{to.name} was damaged on the way",
                words=str(error),
            ) from None  # fmt: skip

    def require_packages(self) -> None:
        """Raise NoWheels or WrongLibc where nothing but wheels of the user's own would do."""
        if self._own_wheels is None:
            wheels.require_wheels(self.probe())

    def packages(self, cache: Path) -> Path:
        """One zip of numpy and onnxruntime for this device, fetched by pip or kept in `cache`."""
        return wheels.archive(self.probe(), cache, self._children, self._own_wheels)

    def provide(self, cache: Path) -> dict[str, str]:
        """Bring `packages`, checked there by their hash; the next worker uses them."""
        packages = self.packages(cache)
        sha = helper.digest(packages).hexdigest()
        self._send(packages, sha, "numpy and onnxruntime")
        patience_s = _ANSWER_S + packages.stat().st_size / _SLOWEST_DISK_BYTES_PER_S
        with self._help("unpack", self.spec.folder, sha) as pipe:
            # The device gives up when its stdin ends before it is done.
            reply = self._answer(pipe, patience_s)
            if reply.size is not None:
                self._travel.begin("unpacking numpy and onnxruntime", "on", reply.size)
                self._answer(pipe, patience_s)
        self._packages = sha
        return wheels.shipped(packages)

    def clean(self) -> None:
        """Remove our folder from the device."""
        try:
            with self._help("clean", self.spec.folder) as pipe:
                pipe.finish()
                refuse_while(self._answer(pipe).busy, ssh_errors.address(self.spec))
        finally:
            self._found = None

    def stop(self) -> None:
        """End transfers, installs and questions; the worker's stream is another's."""
        self._children.end()

    def drop(self) -> None:
        """Let the shared connection go, so that the next use makes a new one."""
        self._found, self._choice = None, frames.Choice()
        if self._control is not None and self._control.exists():
            line = command_line(self.spec, self._control, "true")
            pipe = ProcessPipe(
                [line[0], "-O", "exit", *line[1:-1]], lambda code, words: TransientError(words)
            )
            pipe.close()
            self._control.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of everything on this side."""
        self.drop()
        shutil.rmtree(self._private, ignore_errors=True)
