"""Frames of a file, and when compression pays: a made-up clock stands for link and processor."""

import io
import os
import zlib
from collections.abc import Callable
from typing import BinaryIO

import pytest

from profiler.transport.ssh import frames
from profiler.transport.ssh.frames import (
    END,
    FRAME_BYTES,
    HEADER,
    RAW,
    SQUEEZED,
    TRY_AGAIN_WINDOWS,
    WINDOW_BYTES,
    Choice,
)

HALF = os.urandom(FRAME_BYTES).translate(bytes(i & 15 for i in range(256)))
"""shrinks to somewhat more than a half"""


class Line:
    """A link of `bytes_per_s` and a processor that compresses `squeezed_per_s`."""

    def __init__(
        self, bytes_per_s: float, squeezed_per_s: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.now, self.bytes_per_s, self.sent = 0.0, bytes_per_s, io.BytesIO()
        compress = zlib.compress

        def slow(data: bytes, level: int) -> bytes:
            self.now += len(data) / squeezed_per_s
            return compress(data, level)

        monkeypatch.setattr(frames.zlib, "compress", slow)

    def send(self, data: bytes) -> None:
        self.now += len(data) / self.bytes_per_s
        self.sent.write(data)

    def pour(self, file: BinaryIO, offset: int, count: int) -> None:
        file.seek(offset)
        self.send(file.read(count))

    def clock(self) -> float:
        return self.now

    def frames(self) -> list[tuple[int, bytes]]:
        self.sent.seek(0)
        found = []
        while header := self.sent.read(HEADER.size):
            kind, length = HEADER.unpack(header)
            found.append((kind, self.sent.read(length)))
        return found


def content(found: list[tuple[int, bytes]]) -> bytes:
    return b"".join(zlib.decompress(part) if kind == SQUEEZED else part for kind, part in found)


@pytest.fixture
def send(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[bytes, float, float], list[tuple[int, bytes]]]:
    choice = Choice()

    def run(data: bytes, bytes_per_s: float, squeezed_per_s: float) -> list[tuple[int, bytes]]:
        line = Line(bytes_per_s, squeezed_per_s, monkeypatch)
        frames.send(io.BytesIO(b"before" + data), 6, line, choice, line.clock)
        found = line.frames()
        assert content(found) == data
        assert found[-1] == (END, b"")
        return found[:-1]

    return run


def kinds(found: list[tuple[int, bytes]]) -> list[int]:
    """One a window, which is several compressed frames or one raw one."""
    windows, filled = [], WINDOW_BYTES
    for kind, payload in found:
        if filled == WINDOW_BYTES:
            windows.append(kind)
            filled = 0
        assert kind == windows[-1]
        filled += len(zlib.decompress(payload)) if kind == SQUEEZED else len(payload)
        assert filled <= WINDOW_BYTES
    return windows


def test_what_does_not_shrink_travels_raw(send) -> None:  # type: ignore[no-untyped-def]
    assert kinds(send(os.urandom(WINDOW_BYTES + 5), 1e6, 100e6)) == [RAW, RAW]
    assert send(b"", 1e6, 100e6) == []


def test_over_a_slow_link_compression_pays(send) -> None:  # type: ignore[no-untyped-def]
    assert set(kinds(send(HALF * 40, 1e6, 50e6))) == {SQUEEZED}


def test_over_a_fast_link_it_is_given_up(send) -> None:  # type: ignore[no-untyped-def]
    assert kinds(send(HALF * 40, 300e6, 50e6)) == [SQUEEZED, RAW, RAW, RAW, RAW]
    assert set(kinds(send(HALF * 40, 300e6, 50e6))) == {RAW}, "the next file profits"


def test_a_fast_processor_keeps_compressing_even_when_it_is_the_limit(send) -> None:  # type: ignore[no-untyped-def]
    data = HALF.translate(bytes(i & 3 for i in range(256))) * 60  # shrinks to less than a third
    found = kinds(send(data, 50e6, 100e6))  # 50 MB/s raw, 60 compressed
    assert found[1] == RAW, "tried, because compressing took its time"
    assert set(found[2:]) == {SQUEEZED}


def test_it_is_tried_again_after_a_while(send) -> None:  # type: ignore[no-untyped-def]
    data = HALF * (8 * (TRY_AGAIN_WINDOWS + 1))
    assert kinds(send(data, 100e6, 50e6)).count(SQUEEZED) == 2


def test_it_is_not_tried_again_where_the_link_is_far_faster(send) -> None:  # type: ignore[no-untyped-def]
    data = HALF * (8 * (TRY_AGAIN_WINDOWS + 1))
    assert kinds(send(data, 900e6, 50e6)).count(SQUEEZED) == 1


def test_a_link_that_became_slow_is_noticed(send) -> None:  # type: ignore[no-untyped-def]
    assert kinds(send(HALF * 24, 900e6, 50e6)) == [SQUEEZED, RAW, RAW]
    assert kinds(send(HALF * 24, 5e6, 50e6)) == [RAW, SQUEEZED, SQUEEZED]


def test_less_than_a_window_teaches_nothing(send) -> None:  # type: ignore[no-untyped-def]
    for _ in range(3):  # swallowed by buffers, as if the link were fast
        send(HALF, 1e12, 50e6)
        send(os.urandom(FRAME_BYTES), 1e12, 50e6)
    assert set(kinds(send(HALF * 40, 1e6, 50e6))) == {SQUEEZED}


def test_where_nothing_is_slow_raw_is_tried_even_if_compressing_takes_little(send) -> None:  # type: ignore[no-untyped-def]
    found = kinds(send(HALF * 40, 30e6, 400e6))
    assert found[1] == RAW
    assert set(found[2:]) == {SQUEEZED}
