"""[data.text]: a column of text becomes the model's token numbers."""

import json
import sys

import numpy as np
import pytest

from profiler.data import read
from profiler.errors import DataError
from profiler.schema.study.data import DataSpec
from profiler.schema.study.text import TextSpec
from profiler.wire.codec import DecodeError, decode

tokenizers = pytest.importorskip(
    "tokenizers", reason="needs tokenizers: pip install 'hardware-profiler[text]'"
)
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film", "a", "<end>")
PAD, UNK, CLS, SEP, GOOD, BAD, FILM, A, END = range(9)
SENTENCES = ["good film", "bad", "A good good film", "unseen bad film"]


def make_tokenizer(path, padding=None, special=True):
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({w: i for i, w in enumerate(VOCABULARY)}, unk_token="[UNK]")
    )
    made.normalizer = tokenizers.normalizers.Lowercase()
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    if special:
        made.post_processor = tokenizers.processors.TemplateProcessing(
            single="[CLS] $A [SEP]:1", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
        )
    if padding:
        made.enable_padding(**padding)
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save(str(path))
    return path


def rows(tmp_path, **columns):
    columns = {"sentence": np.array(SENTENCES), "y": np.arange(4) % 2} | columns
    np.savez(tmp_path / "rows.npz", **columns)


def spec(text=None, **more):
    text = {"column": "sentence", "tokenizer": "tok/tokenizer.json"} | (text or {})
    return decode(
        DataSpec, {"file": "rows.npz", "labels": "y", "calibration_rows": 1, "text": text} | more
    )


def failure(tmp_path, text=None, **more):
    with pytest.raises(DataError) as caught:
        read(spec(text, **more), tmp_path)
    return f"{caught.value.message} | {caught.value.hint}"


def test_rows_are_as_long_as_the_longest(tmp_path):
    make_tokenizer(tmp_path / "tok/tokenizer.json")
    rows(tmp_path)
    got = read(spec(), tmp_path)
    assert list(got.inputs) == ["input_ids", "attention_mask"]
    assert got.inputs["input_ids"].tolist() == [
        [CLS, GOOD, FILM, SEP, PAD, PAD],
        [CLS, BAD, SEP, PAD, PAD, PAD],
        [CLS, A, GOOD, GOOD, FILM, SEP],
        [CLS, UNK, BAD, FILM, SEP, PAD],
    ]
    assert got.inputs["attention_mask"].sum(axis=1).tolist() == [4, 3, 6, 5]
    assert {v.dtype for v in got.inputs.values()} == {np.dtype(np.int64)}
    assert got.text.tolist() == SENTENCES
    assert got.named


def test_rows_are_cut_and_padded_to_a_fixed_length(tmp_path):
    make_tokenizer(tmp_path / "tok/tokenizer.json")
    rows(tmp_path)
    short = read(spec({"max_length": 4}), tmp_path).inputs["input_ids"]
    assert short[2].tolist() == [CLS, A, GOOD, SEP], "special tokens stay"
    fixed = read(spec({"max_length": 9, "padding": "max_length"}), tmp_path).inputs
    assert fixed["input_ids"].shape == (4, 9)
    assert fixed["attention_mask"][0].tolist() == [1] * 4 + [0] * 5


def test_token_types_and_other_names(tmp_path):
    make_tokenizer(tmp_path / "tok/tokenizer.json")
    rows(tmp_path, age=np.arange(4, dtype=np.float32))
    names = {"tokens": "ids", "segment": "types"}
    got = read(spec({"inputs": names}, inputs={"age": "age"}), tmp_path).inputs
    assert set(got) == {"age", "tokens", "segment"}
    assert got["segment"][0].tolist() == [0, 0, 0, 1, 0, 0]


def test_what_the_files_say_of_padding_is_kept(tmp_path):
    padding = {"direction": "left", "pad_id": END, "pad_token": "<end>", "pad_type_id": 7}
    make_tokenizer(tmp_path / "tok/tokenizer.json", padding=padding)
    rows(tmp_path)
    inputs = {"input_ids": "ids", "attention_mask": "mask", "types": "types"}
    got = read(spec({"inputs": inputs}), tmp_path).inputs
    assert got["input_ids"][1].tolist() == [END, END, END, CLS, BAD, SEP]
    assert got["attention_mask"][1].tolist() == [0, 0, 0, 1, 1, 1]
    assert got["types"][1].tolist() == [7, 7, 7, 0, 0, 1]
    make_tokenizer(tmp_path / "tok/tokenizer.json")
    config = {"pad_token": {"content": "<end>"}, "padding_side": "left"}
    (tmp_path / "tok/tokenizer_config.json").write_text(json.dumps(config))
    again = read(spec({"tokenizer": "tok"}), tmp_path).inputs
    assert again["input_ids"].tolist() == got["input_ids"].tolist()
    config["truncation_side"] = "left"
    (tmp_path / "tok/tokenizer_config.json").write_text(json.dumps(config))
    cut = read(spec({"max_length": 4}), tmp_path).inputs["input_ids"]
    assert cut[2].tolist() == [CLS, GOOD, FILM, SEP]
    mine = read(spec({"pad_token": "bad"}), tmp_path).inputs["input_ids"]
    assert mine[1].tolist() == [BAD, BAD, BAD, CLS, BAD, SEP]


def test_it_is_what_the_library_itself_gives(tmp_path):
    path = make_tokenizer(tmp_path / "tok/tokenizer.json", padding={"pad_id": PAD})
    rows(tmp_path)
    theirs = tokenizers.Tokenizer.from_file(str(path))
    theirs.enable_truncation(5)
    wanted = [e.ids for e in theirs.encode_batch(SENTENCES)]
    assert read(spec({"max_length": 5}), tmp_path).inputs["input_ids"].tolist() == wanted


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_carry_text_too(tmp_path, kind):
    import pandas as pd

    make_tokenizer(tmp_path / "tok/tokenizer.json")
    frame = pd.DataFrame({"sentence": SENTENCES, "y": [0, 1, 0, 1], "note": ["x"] * 4})
    file = tmp_path / f"rows.{kind}"
    frame.to_csv(file, index=False) if kind == "csv" else frame.to_parquet(file)
    got = read(spec(file=file.name), tmp_path)
    assert got.inputs["input_ids"].shape == (4, 6)
    assert got.text.tolist() == SENTENCES


def test_equal_rows_are_found_through_the_tokenizer(tmp_path):
    make_tokenizer(tmp_path / "tok/tokenizer.json")
    rows(
        tmp_path,
        sentence=np.array(["good film", "bad", "GOOD  film", "a"]),
        part=np.array(["calibration", "evaluation", "evaluation", "evaluation"]),
    )
    told = failure(tmp_path, split="part")
    assert "calibration row 0 = evaluation row 2" in told


def test_training_rows_are_tokenized_alike(tmp_path):
    make_tokenizer(tmp_path / "tok/tokenizer.json")
    rows(tmp_path)
    np.savez(tmp_path / "train.npz", sentence=np.array(["a a a a a a a a a a", "BAD"]))
    told = failure(tmp_path, train="train.npz", calibration_rows=2)
    assert "1 row(s)" in told
    assert "train row 1 = " in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ({"tokenizer": "none"}, ("none: data.text.tokenizer", "no such file", "save_pretrained")),
        ({"tokenizer": "rows.npz"}, ("data.text.tokenizer", "can't be read")),
        ({"tokenizer": "bad.json"}, ("bad.json", "not a tokenizer's file")),
        ({"max_length": 2}, ("more than 2", "special tokens")),
        ({"pad_token": "<ende>"}, ("<ende>", 'did you mean "<end>"?')),
        ({"column": "sentense"}, ("data.text.column", 'did you mean "sentence"?')),
        ({"column": "y"}, ("data.text.column", "one text a row")),
        ({"column": "gaps"}, ("text in every row", "row 1, 3")),
    ],
)
def test_what_does_not_fit_is_one_clear_error(tmp_path, text, told):
    make_tokenizer(tmp_path / "tok/tokenizer.json")
    rows(tmp_path, gaps=np.array(["a", "", "b", "  "]))
    (tmp_path / "bad.json").write_text('{"model": {}}')
    found = failure(tmp_path, text)
    for part in told:
        assert part in found


def test_no_token_for_padding(tmp_path):
    path = make_tokenizer(tmp_path / "tok/tokenizer.json")
    rows(tmp_path)
    path.write_text(path.read_text().replace("[PAD]", "[NIL]"))
    assert "data.text.pad_token" in failure(tmp_path)


def test_an_input_is_made_once(tmp_path):
    make_tokenizer(tmp_path / "tok/tokenizer.json")
    rows(tmp_path, z=np.ones((4, 6), np.int64))
    told = failure(tmp_path, inputs={"input_ids": "z"})
    assert "data.inputs.input_ids" in told


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"max_length": 0}, "max_length"),
        ({"padding": "max_length"}, "max_length"),
        ({"inputs": {"attention_mask": "mask"}}, "inputs"),
        ({"inputs": {"x": "idss"}}, "inputs.x"),
    ],
)
def test_a_table_that_says_nonsense_is_refused(values, key):
    with pytest.raises(DecodeError) as caught:
        decode(TextSpec, {"column": "s", "tokenizer": "t"} | values)
    assert caught.value.path == key


def test_without_the_library_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    make_tokenizer(tmp_path / "tok/tokenizer.json")
    rows(tmp_path)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert "hardware-profiler[text]" in failure(tmp_path)
