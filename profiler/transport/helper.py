"""What the device does with files, run there by its own Python through `python3 -c`.

Sent as text, so: one file, standard library only, Python 3.8 source. Operations: receive, send,
unpack, clean. Answers are marked lines, so that a noisy login shell can't disturb them.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import hashlib
import io
import json
import os
import select
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from queue import Queue, SimpleQueue
from threading import Thread
from typing import Any, Optional

MARKER = "\x1eprofiler1 "
PIECE, BUFFER, BUFFERS = 1 << 18, 1 << 20, 4
HEADER = struct.Struct(">BI")
SQUEEZED, END, CUT = 1, 2, 3
F_SETPIPE_SZ = 1031
NAMEPLATE = "profiler-device"
"""A folder without this file is not ours and is never removed."""
TELL_S = 0.5
IN_USE, CARD, MEASURING = "in-use", "session.json", "measuring"
"""as `worker.presence` and `worker.turn` have them"""
TURN_S, LEAVE_S, IDLE_S = 5.0, 0.05, 0.05
"""we keep a measurement waiting; it has to begin; we keep it waiting with nothing to do"""
WAITING_S = 20.0
RESERVE_BYTES = 1 << 24
"""A board whose disk is full to the last byte does strange things: so much stays free."""
FULL = (errno.ENOSPC, errno.EDQUOT)


def say(**message: object) -> None:
    """One line of answer."""
    sys.stdout.write("\n" + MARKER + json.dumps(message) + "\n")
    sys.stdout.flush()


class Told:
    """Says how many bytes there are, twice a second: whoever sends sees what arrived, not what
    lies in buffers on the way."""

    def __init__(self, count: int = 0) -> None:
        self.count, self.next_s = count, time.monotonic() + TELL_S

    def add(self, count: int) -> None:
        """So many more."""
        self.count += count
        now_s = time.monotonic()
        if now_s >= self.next_s:
            self.next_s = now_s + TELL_S
            say(got=self.count)


def digest(path: Path) -> hashlib._Hash:
    """SHA-256 of a file, to be gone on with or read."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            found.update(piece)
    return found


@contextmanager
def used(folder: str) -> Iterator[None]:
    """Nobody removes the folder meanwhile."""
    with (Path(folder) / IN_USE).open("a") as lock:
        with suppress(OSError):  # a file system that knows no locks
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield


class Turns:
    """Takes turns with who measures on this device: what would disturb them is done in between.

    `take` before each piece of work, `leave` when there is none for now. Waiting is told to the
    host, and ends with it.
    """

    def __init__(self, folder: str) -> None:
        self.path, self.held, self.until_s = Path(folder) / MEASURING, False, 0.0
        self.file = os.open(str(self.path), os.O_RDWR | os.O_CREAT, 0o600)

    def take(self) -> None:
        """Have the device for a while, which is waited for."""
        if self.held:
            if time.monotonic() < self.until_s:
                return
            self.leave()
            time.sleep(LEAVE_S)
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.wait()
        except OSError:  # a file system that knows no locks
            pass
        self.held, self.until_s = True, time.monotonic() + TURN_S

    def leave(self) -> None:
        """Let others measure."""
        self.held = False
        with suppress(OSError):
            fcntl.flock(self.file, fcntl.LOCK_UN)

    def pause(self) -> None:
        """Let others measure unless more of stdin is there at once."""
        if self.held and not select.select([0], [], [], IDLE_S)[0]:
            self.leave()

    def wait(self) -> None:
        """Until the lock is ours. Nothing looks again and again: that would disturb, too."""
        ours, theirs = os.pipe()

        def lock() -> None:
            fcntl.flock(self.file, fcntl.LOCK_EX)
            os.write(theirs, b".")

        Thread(target=lock, daemon=True).start()
        events = select.poll()
        events.register(ours, select.POLLIN)
        events.register(1, 0)  # the host is gone: nobody reads
        ready: list[tuple[int, int]] = []
        while not ready:
            say(waiting=whose(self.path))
            ready = events.poll(WAITING_S * 1000)
        if ready[0][0] == 1:
            os._exit(1)
        os.close(ours)
        os.close(theirs)


def make_room(folder: str, count: int) -> None:
    """Refuse what can't fit, before a byte of it is written."""
    there = os.statvfs(folder)
    free = there.f_bavail * there.f_frsize
    if count + RESERVE_BYTES > free:
        words = f"{count / 1e6:.1f} MB are to come, {free / 1e6:.1f} MB are free"
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {words}")


def receive(folder: str, sha: str, size: str) -> None:
    """Take in a blob from stdin; what an earlier, cut transfer left is kept and gone on with.

    Nothing is synced to disk: sessions ask for blobs by content, so a power cut costs a resend.
    A blob that does not fit leaves nothing behind.
    """
    whole, turns = Path(folder) / "blobs" / sha, Turns(folder)
    partial = whole.with_suffix(".part")
    if whole.is_file():
        turns.take()
        if digest(whole).hexdigest() == sha:
            say(have=True)
            return None
        turns.leave()  # whoever sends this file, too, needs it to get on
    with partial.open("ab", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not same(file, partial):
            # Another host's transfer was faster: what we opened is the whole file now, or gone.
            file.close()
            return receive(folder, sha, size)
        offset = file.tell()
        turns.take()
        found = digest(partial)
        try:
            make_room(folder, int(size) - offset)
            say(offset=offset)
            widen(0)
            if not take(file, found, turns):
                return None  # cut: the partial file stays
        except OSError as error:
            if error.errno in FULL:
                partial.unlink()
            raise
        if found.hexdigest() != sha:
            partial.unlink()
            say(damaged=True)
            return None
        partial.replace(whole)
    say(done=True)
    return None


def same(file: io.FileIO, path: Path) -> bool:
    """Whether the open file is still the one of that name."""
    return path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno()))


class Sink:
    """A file and its digest, which a second thread computes: both let go of the GIL."""

    def __init__(self, file: io.FileIO, found: hashlib._Hash, turns: Turns) -> None:
        self.file, self.found, self.told = file, found, Told(file.tell())
        self.turns = turns
        self.free: SimpleQueue[memoryview] = SimpleQueue()
        self.written: Queue[Optional[tuple[memoryview, Optional[memoryview]]]] = Queue(BUFFERS)
        for _ in range(BUFFERS):
            self.free.put(memoryview(bytearray(BUFFER)))
        self.thread = Thread(target=self.follow)
        self.thread.start()

    def follow(self) -> None:
        """Add to the digest what was written, in order."""
        for data, buffer in iter(self.written.get, None):
            self.found.update(data)
            if buffer is not None:
                self.free.put(buffer)

    def close(self) -> None:
        """Wait until the digest holds all that was written."""
        self.written.put(None)
        self.thread.join()

    def write(self, data: memoryview, buffer: Optional[memoryview] = None) -> None:
        """Write all of it; `buffer` is free again once the digest has it."""
        rest = data
        while rest:
            rest = rest[self.file.write(rest) :]
        self.told.add(len(data))
        self.written.put((data, buffer))

    def raw(self, length: int) -> bool:
        """Take in a frame of content; False when it is cut off."""
        while length:
            buffer = self.free.get()
            self.turns.pause()
            count = os.readv(0, [buffer[:length]])
            if not count:
                return False
            length -= count
            self.turns.take()
            self.write(buffer[:count], buffer)
        return True

    def squeezed(self, length: int) -> bool:
        """Take in a frame of compressed content; False when it is cut off."""
        stream = zlib.decompressobj()
        while length:
            self.turns.pause()
            data = os.read(0, min(length, PIECE))
            if not data:
                return False
            length -= len(data)
            self.turns.take()
            self.write(memoryview(stream.decompress(data)))
        return True


def take(file: io.FileIO, found: hashlib._Hash, turns: Turns) -> bool:
    """Write the frames on stdin to a file, and into its digest; False when they are cut off.

    Content is written as it arrives, so that no more than a few bytes are ever sent again.
    """
    sink = Sink(file, found, turns)
    try:
        while True:
            turns.pause()
            kind, length = HEADER.unpack(exactly(HEADER.size) or HEADER.pack(CUT, 0))
            if kind in (END, CUT):
                return bool(kind == END)
            if not (sink.squeezed if kind == SQUEEZED else sink.raw)(length):
                return False
    finally:
        sink.close()


def exactly(count: int) -> bytes:
    """So many bytes of stdin, or none when it ends before."""
    data = b""
    while len(data) < count:
        more = os.read(0, count - len(data))
        if not more:
            return b""
        data += more
    return data


def widen(pipe: int) -> None:
    """A larger pipe means fewer turns between sshd and us; systems that refuse stay as they are."""
    with suppress(OSError):
        fcntl.fcntl(pipe, F_SETPIPE_SZ, 1 << 20)


def send(folder: str, name: str) -> None:
    """Give a file out, in pieces."""
    with (Path(folder) / name).open("rb") as file:
        say(size=os.fstat(file.fileno()).st_size)
        for piece in iter(lambda: file.read(PIECE), b""):
            say(data=base64.b64encode(zlib.compress(piece, 1)).decode())
    say(done=True)


def unpack(folder: str, sha: str) -> None:
    """Unpack the blob `sha`, a zip of packages, so that it appears whole or not at all."""
    import shutil
    import zipfile

    place, turns = Path(folder) / "packages" / sha, Turns(folder)
    with (place.parent / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # then look: another host may unpack it just now
        if not place.is_dir():
            partial = place.with_suffix(".part")
            shutil.rmtree(str(partial), ignore_errors=True)
            try:
                with zipfile.ZipFile(str(Path(folder) / "blobs" / sha)) as archive:
                    size, told = sum(member.file_size for member in archive.infolist()), Told()
                    make_room(folder, size)
                    say(size=size)
                    for member in archive.infolist():
                        if asked_no_more():
                            return
                        turns.take()
                        archive.extract(member, str(partial))
                        told.add(member.file_size)
                partial.rename(place)
            finally:
                shutil.rmtree(str(partial), ignore_errors=True)
    say(done=True)


def asked_no_more() -> bool:
    """Whether the host is gone: nothing is ever sent to `unpack`, so that only the end is read."""
    return bool(select.select([0], [], [], 0)[0])


def remove(folder: str) -> Optional[dict[str, Any]]:
    """Remove the folder; where somebody works in it, it stays and this says who: pid and for_s."""
    import shutil

    if not Path(folder).is_dir():
        return None
    with (Path(folder) / IN_USE).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return eldest(folder)
        except OSError:  # a file system that knows no locks
            pass
        shutil.rmtree(folder)
    return None


def eldest(folder: str) -> dict[str, Any]:
    """The session in this folder that is at work for the longest time, as it says itself."""
    found: dict[str, Any] = {"pid": None, "for_s": None}
    for path in Path(folder).glob("out-*/" + CARD):
        card = whose(path)
        try:
            os.kill(card["pid"], 0)
        except (OSError, TypeError):  # it ended, or is just beginning
            continue
        if card["for_s"] >= (found["for_s"] or 0.0):
            found = card
    return found


def whose(path: Path) -> dict[str, Any]:
    """pid and for_s of a session, as far as it wrote them down."""
    try:
        card = json.loads(path.read_bytes())
        return {"pid": card["pid"], "for_s": max(0.0, time.time() - card["since"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {"pid": None, "for_s": None}


def clean(folder: str) -> None:
    """Remove everything of ours, unless somebody uses it."""
    if not (Path(folder) / NAMEPLATE).is_file():
        return say(error="this folder is not ours")
    busy = remove(folder)
    return say(done=True) if busy is None else say(busy=busy)


_ALL: tuple[Callable[..., None], ...] = (receive, send, unpack, clean)
OPERATIONS = {operation.__name__: operation for operation in _ALL}


def main(operation: str, *arguments: str) -> None:
    """Do one operation; a failure of the operating system is an answer, too."""
    try:
        with used(arguments[0]) if operation in ("receive", "unpack") else nullcontext():
            OPERATIONS[operation](*arguments)
    except OSError as error:
        say(error=error.strerror or str(error), errno=error.errno)


if __name__ == "__main__":
    main(*sys.argv[1:])
