import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.schema.study.recipes import RECIPES
from profiler.schema.study.variant import VariantSpec
from profiler.wire.codec import DecodeError, decode, encode


def spec(data):
    return decode(VariantSpec, data)


def message(data):
    with pytest.raises(DecodeError) as caught:
        spec(data)
    return f"{caught.value.path} | {caught.value.expected} | {caught.value.hint}"


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("int8-static:percentile", {"recipe": "int8-static", "method": "percentile"}),
        (
            "int8-static:entropy-s8s8-tensor",
            {"recipe": "int8-static", "method": "entropy", "activations": "int8",
             "per_channel": False},
        ),
        ("int8-dynamic:u8", {"recipe": "int8-dynamic", "weights": "uint8"}),
        ("int4:hqq-128", {"recipe": "int4", "algorithm": "hqq", "block_size": 128}),
        ("int8-static:u8s8-reduce", {"recipe": "int8-static", "reduce_range": True}),
    ],
)  # fmt: skip
def test_few_words_mean_the_table(short, long):
    assert spec(short) == spec({"name": short.replace(":", "-"), **long})


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        ("int8-static:percentil", ["minmax", 'did you mean "percentile"?']),
        ("int8-statik:percentile", ["before ':'", 'did you mean "int8-static"?']),
        ("int8-static:minmax-entropy", ["one word that sets method"]),
        ("int4:rtn-33", ["one of 16, 32"]),
        ("fp61", ["one of fp32, fp16", 'did you mean "fp16"?']),
        ("int8-static:", ["minmax"]),
        ({"name": "a", "recipe": "fp16", "method": "entropy"}, ["method belongs to int8-static"]),
        ({"name": "a", "recipe": "file"}, ["the path of an ONNX file"]),
        ({"name": "a", "recipe": "int4", "file": "x.onnx"}, ["file belongs to file"]),
    ],
)
def test_wrong_words_are_told(data, parts):
    text = message(data)
    for part in parts:
        assert part in text


@given(st.data())
def test_every_word_survives_writing(data):
    worded = sorted(name for name, entry in RECIPES.items() if entry.words)
    recipe = data.draw(st.sampled_from(worded))
    word = data.draw(st.sampled_from(sorted(RECIPES[recipe].words)))
    made = spec(f"{recipe}:{word}")
    assert spec(encode(made)) == made
