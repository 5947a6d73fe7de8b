"""A device that gives or takes drop by drop: each transfer ends, by its size and its rate."""

import base64
import sys
import time
import zlib
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from profiler.devices.session import Session
from profiler.errors import TransientError, TransportError
from profiler.schema.device.ssh import SshSpec
from profiler.transport.process import ProcessPipe
from profiler.transport.ssh import errors as ssh_errors
from profiler.transport.ssh.transport import SshTransport, transfer_s

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
from fake_device import FakePipe, line, sha_of

SHA = "0" * 64


class Wire(list[bytes]):
    """What comes from a device, each after its time by `now`; the last one again and again."""

    def __init__(self, now: list[float], each_s: float, *chunks: bytes) -> None:
        super().__init__(chunks)
        self.now, self.each_s = now, each_s

    def pop(self, _: Any = 0) -> bytes:
        self.now[0] += self.each_s
        return super().pop(0) if len(self) > 1 else self[0]


def piece(content: bytes) -> bytes:
    return line({"data": base64.b64encode(zlib.compress(content)).decode()})


def device(monkeypatch: pytest.MonkeyPatch, each_s: float, *chunks: bytes) -> Any:
    """(transport, the time by its clock) of a device whose helper says `chunks`."""
    now, pipe = [0.0], FakePipe(lambda question: ())
    pipe.reader.coming = Wire(now, each_s, line({"size": 2**20}), *chunks)
    transport = SshTransport(SshSpec(host="board"))
    monkeypatch.setattr(transport, "_help", lambda *words: pipe)
    monkeypatch.setattr(transport, "_clock", lambda: now[0])
    return transport, now


def test_a_result_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    transport, now = device(monkeypatch, 10.0, piece(b"x"))
    session = Session(transport)
    with pytest.raises(ssh_errors.LinkLost, match=r"board: 6 bytes of a result in 70 s") as caught:
        session.fetch(SHA, tmp_path / "x")
    assert "\n" not in caught.value.message
    assert now[0] < 100
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_drip_are_no_piece(tmp_path: Path) -> None:
    """One byte of a line now and then: the time for an answer is for the whole of it."""
    code = "import time\nwhile True: print('x', end='', flush=True); time.sleep(0.01)"
    pipe = ProcessPipe([sys.executable, "-c", code], lambda code, words: TransportError(words))
    transport = SshTransport(SshSpec(host="board"))
    try:
        with pytest.raises(ssh_errors.LinkLost, match=r"no answer in 0\.2 s"):
            transport._read(pipe, 0.2)
    finally:
        pipe.kill()
        pipe.close()
        transport.close()


def test_a_slow_link_has_its_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = [bytes([n]) * 2**18 for n in range(5)]
    said = [piece(one) for one in content]
    transport, now = device(monkeypatch, 59.0, *said, line({"done": True}))
    Session(transport).fetch(sha_of(b"".join(content)), tmp_path / "x")
    assert now[0] == 59.0 * 7


def test_all_that_the_device_told_is_taken_in_at_once() -> None:
    """It tells more often than we look; what is told to a person must not fall behind."""
    pipe = FakePipe(lambda question: ())
    pipe.reader.coming = [line({"got": 2**17 * n}) for n in range(1, 9)] + [line({"done": True})]
    transport = SshTransport(SshSpec(host="board"))
    arrived: list[int] = []
    transport._travel = SimpleNamespace(at=arrived.append)  # type: ignore[assignment]
    transport._look(pipe)  # type: ignore[arg-type]
    assert arrived[-1] == 2**20
    assert pipe.reader.read(0.0) == {"done": True}, "an answer is left for who waits for it"


def test_no_transfer_takes_longer_than_a_day() -> None:
    assert transfer_s(0) == 60
    assert transfer_s(2**18) > 120
    assert transfer_s(2**50) == 86_400


def test_a_device_that_takes_nothing_is_not_waited_for() -> None:
    pipe = ProcessPipe(["sleep", "100"], lambda code, words: TransientError(f"ended by {code}"))
    began = time.monotonic()
    try:
        with pytest.raises(TransientError, match="ended by -9"), pipe.at_most(0.1):
            pipe.send(b"x" * 2**24)
    finally:
        pipe.close()
    assert time.monotonic() - began < 60


def test_a_worker_that_reads_no_question_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profiler.devices.session._READ_S", 0.3)
    session = Session(object())  # type: ignore[arg-type]
    session._pipe = ProcessPipe(["sleep", "100"], lambda code, words: TransientError("killed"))
    with pytest.raises(TransientError, match=r"'have' was not read in 0\.3 s"):
        session._ask("have", shas=["x" * 2**22])
    session._pipe.close()


def test_last_words_have_an_end() -> None:
    """A device that goes on talking once nobody reads what it is asked."""
    reads = [0]

    class Talker:
        class reader:
            @staticmethod
            def read(timeout_s: float) -> dict[str, int]:
                reads[0] += 1
                time.sleep(0.1)
                return {"more": reads[0]}

        def at_most(self, limit_s: float) -> Any:
            return nullcontext()

        def send(self, data: bytes) -> None:
            raise TransportError("nobody reads")

    session = Session(object())  # type: ignore[arg-type]
    session._pipe = Talker()  # type: ignore[assignment]
    with pytest.raises(TransportError, match="nobody reads"):
        session._ask("have", shas=[])
    assert reads[0] <= 12
