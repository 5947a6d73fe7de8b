"""Frames of a file, and when compression pays: a made-up clock stands for link and processor."""

import io
import os
import zlib
from collections.abc import Callable

import pytest

from profiler.transport import frames
from profiler.transport.frames import END, FRAME_BYTES, HEADER, RAW, SQUEEZED

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

    def write(self, data: bytes) -> None:
        self.now += len(data) / self.bytes_per_s
        self.sent.write(data)

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
    def run(data: bytes, bytes_per_s: float, squeezed_per_s: float) -> list[tuple[int, bytes]]:
        line = Line(bytes_per_s, squeezed_per_s, monkeypatch)
        frames.send(io.BytesIO(data), line.write, line.clock)
        found = line.frames()
        assert content(found) == data
        assert found[-1] == (END, b"")
        return found[:-1]

    return run


def kinds(found: list[tuple[int, bytes]]) -> list[int]:
    return [kind for kind, _ in found]


def test_what_does_not_shrink_travels_raw(send) -> None:  # type: ignore[no-untyped-def]
    found = send(os.urandom(3 * FRAME_BYTES + 5), 1e6, 100e6)
    assert kinds(found) == [RAW] * 4
    assert send(b"", 1e6, 100e6) == []


def test_over_a_slow_link_compression_pays(send) -> None:  # type: ignore[no-untyped-def]
    data = HALF * 40
    assert set(kinds(send(data, 1e6, 50e6))) == {SQUEEZED}


def test_over_a_fast_link_it_is_given_up(send) -> None:  # type: ignore[no-untyped-def]
    data = HALF * 40
    found = kinds(send(data, 300e6, 50e6))
    assert found[: frames.WINDOW_FRAMES] == [SQUEEZED] * frames.WINDOW_FRAMES
    assert set(found[frames.WINDOW_FRAMES :]) == {RAW}


def test_a_fast_processor_keeps_compressing_even_when_it_is_the_limit(send) -> None:  # type: ignore[no-untyped-def]
    data = HALF.translate(bytes(i & 3 for i in range(256))) * 60  # shrinks to less than a third
    found = kinds(send(data, 50e6, 100e6))  # 50 MB/s raw, 60 compressed
    window = frames.WINDOW_FRAMES
    assert found[window : 2 * window] == [RAW] * window, "tried, because compressing took its time"
    assert set(found[2 * window :]) == {SQUEEZED}


def test_it_is_tried_again_after_a_while(send) -> None:  # type: ignore[no-untyped-def]
    windows = frames.TRY_AGAIN_WINDOWS + 1
    data = HALF * (windows * frames.WINDOW_FRAMES)
    found = kinds(send(data, 300e6, 50e6))
    assert found.count(SQUEEZED) == 2 * frames.WINDOW_FRAMES


def test_where_nothing_is_slow_raw_is_tried_even_if_compressing_takes_little(send) -> None:  # type: ignore[no-untyped-def]
    found = kinds(send(HALF * 40, 30e6, 400e6))
    window = frames.WINDOW_FRAMES
    assert found[window : 2 * window] == [RAW] * window
    assert set(found[2 * window :]) == {SQUEEZED}
