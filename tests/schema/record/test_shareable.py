"""Results are read by others: they tell what was measured, not where files lie on a machine."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import profiler
from profiler.commands.model_study import study_of
from profiler.schema.device.target import Target
from profiler.schema.record import shareable
from profiler.schema.study.study import Study
from profiler.wire.codec import decode, encode


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("model.onnx", "model.onnx"), ("d/m.onnx", "d/m.onnx"), ("../m.onnx", "../m.onnx"),
        ("/home/ada/models/m.onnx", "m.onnx"), ("~/m.onnx", "m.onnx"), ("/home/ada/", "ada"),
        ("C:\\Users\\ada\\m.onnx", "m.onnx"), ("/", "/"), ("d/\x1b[2J.npy", "d/\\x1b[2J.npy"),
    ],
)  # fmt: skip
def test_of_an_absolute_path_its_last_part_is_told(given: str, told: str) -> None:
    assert shareable.place(given) == told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("/home/ada/r/rows.npz: data.labels: expected", "rows.npz: data.labels: expected"),
        ("can't read '/home/ada/m.onnx'. Try again", "can't read 'm.onnx'. Try again"),
        ("Load model from /tmp/x/y.onnx failed:no", "Load model from y.onnx failed:no"),
        ("failed:/usr/local/lib/libx.so.1: no", "failed:libx.so.1: no"),
        ("see file:///Users/ada/x, ~/y/z.log and ~ada/k", "see x, z.log and k"),
        ("node /model/layers.0/MatMul: /encoder/Gemm_output_0", None),
        ("no NVIDIA driver (no /dev/nvidia0); 3/4 of them; m/fp32@a/single_stream/b1", None),
        ("see https://example.org/home/of/it", None),
        ("a\x1b[2J\nb\u202ec", "a\\x1b[2J b\\u202ec"),
        ("ada@board.example: refused: ssh -i ~/.ssh/id -J j.example ada@board.example",
         "pi: refused: ssh -i id -J pi pi"),
        ("board.example-2 is another", None),
        ("/data/my study/rows.npz is gone: /data/my study", "./rows.npz is gone: ."),
    ],
)  # fmt: skip
def test_sentences_tell_no_place_and_no_way(given: str, told: str | None) -> None:
    ssh = {"host": "board.example", "user": "ada", "proxy_jump": "j.example"}
    board = decode(Target, {"name": "pi", "transport": "ssh", "ssh": ssh})
    hidden = shareable.hidden([board], Path("/data/my study"), Path("/"))
    assert shareable.words(given, hidden) == (given if told is None else told)


def test_all_sentences_of_a_record_are_cleaned_and_nothing_else() -> None:
    place, name = "/home/ada/x.so", "/home/ada/Gemm_output_0"
    held = {"reason": place, "rows": [{"detail": place, "hint": None, "outputs": {name: name}}],
            "failed": [["m", "int4", place]], "made_by": {"producer": place},
            "energy": {"reason": place}, "plugin_error": place}  # fmt: skip
    assert shareable.recorded(held, {}) == {
        "reason": "x.so", "rows": [{"detail": "x.so", "hint": None, "outputs": {name: name}}],
        "failed": [["m", "int4", "x.so"]], "made_by": {"producer": "x.so"},
        "energy": {"reason": "x.so"}, "plugin_error": "x.so",
    }  # fmt: skip


def test_files_of_one_name_keep_their_hashes() -> None:
    hashes = {"/a/m.onnx": "1", "/b/m.onnx": "2", "m.onnx": "3", "rows.npz": "4"}
    assert shareable.files(hashes) == {
        "m.onnx": "1", "m.onnx (2)": "2", "m.onnx (3)": "3", "rows.npz": "4"
    }  # fmt: skip


def test_a_study_names_no_place_and_is_still_one() -> None:
    study = decode(Study, {
        "name": "s", "variants": ["fp32", {"name": "mine", "file": "/home/ada/mine.onnx"}],
        "models": [{"name": "a", "onnx": "/home/ada/a.onnx",
                    "variants": [{"name": "own", "file": "/home/ada/own.onnx"}]},
                   {"name": "b", "hf": "/home/ada/bert"}],
        "data": {"file": "/home/ada/rows.csv", "train": "/home/ada/t.csv", "labels": "y",
                 "output": "/classifier/Gemm_output_0",
                 "text": {"column": "t", "tokenizer": "/home/ada/tokenizer.json"}},
        "stress": {"perturbations": ["synonyms"], "synonyms": "/home/ada/synonyms.txt"},
    })  # fmt: skip
    told = shareable.study(study)
    assert "/home" not in json.dumps(told)
    assert decode(Study, told).data.output == "/classifier/Gemm_output_0"  # no file: a tensor
    relative = decode(Study, {"name": "s", "models": [{"name": "a", "onnx": "models/a.onnx"}]})
    assert shareable.study(relative) == encode(relative)


def test_a_target_tells_neither_the_way_to_it_nor_its_files() -> None:
    target = decode(Target, {
        "name": "board", "transport": "ssh", "ssh": {"host": "board.example"},
        "python": "/home/ada/venv/bin/python3", "provider_options": {"cache_dir": "/home/ada/c"},
        "session_options": {"session.x64quantprecision": "1"},
    })  # fmt: skip
    told = shareable.target(target)
    assert (told["ssh"], told["python"]) == (None, "python3")
    assert told["provider_options"] == {"cache_dir": "c"}
    assert told["session_options"] == {"session.x64quantprecision": "1"}
    assert decode(Target, {**told, "transport": "local"}).python == "python3"
    runtime = {"packages": ["onnxruntime"], "extra_index": "https://ada:secret@index.example/x"}
    kept = shareable.target(decode(Target, {"name": "t", "runtime": runtime}))
    assert kept["runtime"]["extra_index"] == "https://index.example/x"


def test_a_folder_names_no_place_of_this_machine_and_goes_on(
    make_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = make_model("model.onnx")
    np.savez(tmp_path / "rows.npz", x=np.eye(16, dtype=np.float32), labels=np.arange(16) % 3)
    study = study_of(
        [model], shapes=[], variants="fp32", threads="1", batch=None, batch_axes=[],
        data=tmp_path / "rows.npz", labels="labels", targets=[],
        measure={"budget": "1s", "round_time": "10ms"},
    )  # fmt: skip
    first = profiler.run(study, tmp_path / "out")
    for path in (tmp_path / "out").rglob("*.json*"):
        assert str(tmp_path) not in path.read_text(), path.name
    assert set(first.meta["inputs"]) == {"model.onnx", "rows.npz"}
    assert len(profiler.run(study, tmp_path / "out").rounds) == len(first.rounds)
