"""What is told of the host: that on which numbers depend, and nothing else of its environment."""

import json
from collections.abc import Callable
from dataclasses import fields
from importlib import metadata
from pathlib import Path

import pytest

import profiler
from profiler.campaign import fingerprint
from profiler.results.results import Results
from profiler.schema.record.recorded import Fingerprint
from profiler.wire.codec import decode


def test_only_packages_on_which_numbers_depend_are_told(tmp_path: Path) -> None:
    taken = fingerprint.take(tmp_path)
    assert {spec.name for spec in fields(decode(Fingerprint, taken))} == {*taken, "packages"}
    assert {"python", "profiler", "numpy", "onnxruntime"} <= set(taken["versions"])
    text = json.dumps(taken)
    others = {d.metadata["Name"] for d in metadata.distributions()} - {*taken["versions"]}
    assert "pytest" in others
    assert not [name for name in others if f'"{name}"' in text]


def test_a_folder_that_lists_all_packages_is_read_and_gone_on_with(
    measured: Callable[[str], Path], make_study: Callable[..., Path]
) -> None:
    folder, study = measured(), make_study()
    path, rows = folder / "meta.json", folder / "rows.jsonl"
    meta = json.loads(path.read_text())
    meta["fingerprint"]["packages"] = {"numpy": "2.0", "of-somebody": "1.0"}
    path.write_text(json.dumps(meta))
    whole = rows.read_text()
    rows.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    assert Results.load(folder).meta["fingerprint"]["packages"]["of-somebody"] == "1.0"
    profiler.run(study, folder)
    assert len(rows.read_text().splitlines()) == len(whole.splitlines())


@pytest.mark.parametrize("folder", ["results/reference/digits", "tests/recordings/results/2026-11"])
def test_published_and_kept_folders_tell_their_host(folder: str) -> None:
    path = Path(__file__).resolve().parents[2] / folder / "meta.json"
    told = decode(Fingerprint, json.loads(path.read_text())["fingerprint"])
    assert told.cpu
    assert "onnxruntime" in told.versions
