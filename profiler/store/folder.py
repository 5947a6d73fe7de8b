"""One results folder per study run. Raw is stored, everything else is derived on read.

    meta.json        schema version, study, targets, hash, machine fingerprint     written once
    artifacts.json   what was made from what                                       written once
    rows.jsonl       one line per round, appended and synced: the record
    facts/SHA.json   what the worker found, by content
    raw/*.parquet    every latency: trial, block, latency_ns
    outputs/SHA.npy  predictions, by content
    artifacts/       model files, by content
    derived/         what was told from all this, for the next reading: `profiler.results.derived`

A round is one line, so it is there whole or not at all: a run cut off anywhere goes on from the
last whole round.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

from profiler.errors import ResultsError
from profiler.schema.device.facts import recorded as recorded_facts
from profiler.schema.record import shareable
from profiler.schema.record.recorded import Meta
from profiler.store import reading
from profiler.store.blobs import blob_path
from profiler.store.files import write_atomic, writing
from profiler.wire.codec import DecodeError, encode
from profiler.wire.messages import SCHEMA_VERSION
from profiler.wire.whole import UNFINISHED

META, ARTIFACTS, PLAN, ROWS = "meta.json", "artifacts.json", "plan.json", "rows.jsonl"
LOCK = "lock"
FOLDERS = ("facts", "raw", "outputs", "artifacts")


def _is_unfinished_meta(name: str) -> bool:
    return name.startswith(META) and name.endswith(UNFINISHED)


class Store:
    """A results folder. Open it with `create`, `resume` or `read`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hidden: Mapping[str, str] = {}
        """what free text must not tell -> what stands for it; see `schema.shareable`"""
        self._lock: Optional[int] = None

    @classmethod
    def open(cls, folder: Path, meta: dict[str, Any]) -> Store:
        """Create the folder, or go on in it if it belongs to the same study. Takes its lock.

        Raises ResultsError when another run writes there, the study has changed, or the folder
        has another schema version or is not ours.
        """
        store = cls(folder)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        # A folder that is not ours gets nothing, not even a lock.
        if not (folder / LOCK).exists():
            store._refuse_foreign()
        store._take_lock()
        try:
            store._claim(meta)
        except BaseException:
            store.close()
            raise
        return store

    def _refuse_foreign(self) -> None:
        if (self.folder / META).exists():
            self.meta()
            return
        with writing(self.folder):
            names = sorted(path.name for path in self.folder.iterdir())
        others = [n for n in names if n != LOCK and not _is_unfinished_meta(n)]
        if others:
            raise ResultsError(
                f"{self.folder}: is not empty and not a results folder (it has {others[0]})",
                hint="choose another folder with --output",
            )

    def _claim(self, meta: dict[str, Any]) -> None:
        """Make the folder that of this study, or see that it is; the lock is held."""
        folder, full = self.folder, {"schema_version": SCHEMA_VERSION, **meta}
        self._refuse_foreign()
        self._drop_unfinished()
        if not (folder / META).exists():
            self.write_json(META, full)
        elif (found := self.meta())["study_hash"] != meta["study_hash"]:
            if not self._empty():
                raise ResultsError(
                    f"{folder}: holds results of another version of this study"
                    f" ({_changes(found, meta)})",
                    hint="keep both: add --output NEW_FOLDER",
                )
            self.write_json(META, full)  # a mistake in the study was mended
        with writing(folder):
            for name in FOLDERS:
                (folder / name).mkdir(exist_ok=True)
        self._drop_torn_line()

    def _drop_unfinished(self) -> None:
        """Remove what a killed run was writing: files of ours that never became whole."""
        with writing(self.folder):
            for place in (self.folder, *(self.folder / name for name in FOLDERS)):
                for path in place.glob(f"*{UNFINISHED}"):
                    path.unlink(missing_ok=True)

    @classmethod
    def read(cls, folder: Path) -> Store:
        """Open an existing results folder for reading. Raises ResultsError."""
        store = cls(folder)
        store.meta()
        return store

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _empty(self) -> bool:
        """Whether the run stopped before anything was prepared or measured."""
        return not any((self.folder / name).exists() for name in (ARTIFACTS, ROWS))

    def _take_lock(self) -> None:
        path = self.folder / LOCK
        with writing(path):
            self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.close()
            raise ResultsError(
                f"{self.folder}: another run is writing here",
                hint="wait for it, or choose another folder with --output",
            ) from None

    def _drop_torn_line(self) -> None:
        """Cut off what a power cut left of a line that was being written."""
        path = self.folder / ROWS
        if not path.exists():
            return
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            with writing(path):
                os.truncate(path, whole)

    def meta(self) -> dict[str, Any]:
        """Study, targets, fingerprint. Raises ResultsError for a folder we can't read."""
        path = self.folder / META
        try:
            meta = reading.json_of(self.folder, META)
        except FileNotFoundError:
            raise ResultsError(
                f"{self.folder}: not a results folder (no {META})",
                hint="give the folder that `profiler run` printed",
            ) from None
        try:
            reading.check_version(
                meta,
                "read it with the version of profiler that wrote it"
                f" ({meta.get('profiler', 'unknown')}), or measure again with --output NEW_FOLDER",
            )
        except ResultsError as error:
            raise ResultsError(f"{path}: {error.message}", hint=error.hint) from None
        rest = {key: value for key, value in meta.items() if key != "schema_version"}
        return {"schema_version": SCHEMA_VERSION, **encode(reading.decoded(Meta, rest, path))}

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file of the folder atomically."""
        told = shareable.recorded(value, self.hidden)
        write_atomic(self.folder / name, json.dumps(told, indent=1).encode())

    def read_json(self, name: str) -> Optional[dict[str, Any]]:
        """A JSON file of the folder, or None when it was not written yet."""
        try:
            return reading.json_of(self.folder, name)
        except FileNotFoundError:
            return None

    def add_facts(self, facts: dict[str, Any]) -> str:
        """Keep facts by content; returns their name."""
        told = shareable.recorded(facts, self.hidden)
        data = json.dumps(told, sort_keys=True, indent=1).encode()
        name = hashlib.sha256(data).hexdigest()
        path = self.folder / "facts" / f"{name}.json"
        if not path.exists():
            write_atomic(path, data)
        return name

    def facts(self, name: str) -> dict[str, Any]:
        """Facts that were kept, by their content. Raises ResultsError."""
        path = blob_path(self.folder, "facts", name, ".json")
        held = reading.json_of(self.folder, f"facts/{path.name}")
        try:
            return recorded_facts(held)
        except DecodeError as error:
            raise reading.told(error, path) from None

    def append(self, row: dict[str, Any]) -> None:
        """Append one row and sync it. After a failure the file is as it was before."""
        path, told = self.folder / ROWS, shareable.recorded(row, self.hidden)
        data = json.dumps({"schema_version": SCHEMA_VERSION, **told}).encode() + b"\n"
        with writing(path):
            before = path.stat().st_size if path.exists() else 0
            try:
                with path.open("ab") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError:
                os.truncate(path, before)
                raise

    def lines(self) -> Iterator[reading.Line]:
        """All lines of the record, in the order of writing. Raises ResultsError."""
        try:
            data = reading.bytes_of(self.folder, ROWS)
        except FileNotFoundError:
            return
        *whole, rest = data.split(b"\n")
        for number, line in enumerate(whole, 1):
            yield reading.Line(number, line, True)
        if rest:
            yield reading.Line(len(whole) + 1, rest, False)


def _changes(found: dict[str, Any], meta: dict[str, Any]) -> str:
    """The first keys in which two studies differ, in words."""
    different = []
    for part in ("study", "targets"):
        before, after = found[part], meta[part]
        if part == "study":
            different += [k for k in {**before, **after} if before.get(k) != after.get(k)]
        elif before != after:
            different.append("targets' files")
    return "changed: " + ", ".join(sorted(different)[:4]) if different else "inputs changed"
