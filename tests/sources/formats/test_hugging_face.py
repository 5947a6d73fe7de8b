import json

import numpy as np
import pytest

from profiler.errors import ModelError
from profiler.schema.study.model import ModelSpec
from profiler.sources import load_baseline
from profiler.wire.codec import DecodeError, decode

BERT = {
    "model_type": "bert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 32, "vocab_size": 50, "max_position_embeddings": 64, "num_labels": 3,
    "architectures": ["BertForSequenceClassification"],
}  # fmt: skip
VIT = {
    "model_type": "vit", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 32, "image_size": 32, "patch_size": 16, "num_labels": 5,
}  # fmt: skip


def test_exactly_one_source():
    with pytest.raises(DecodeError, match="exactly one of"):
        decode(ModelSpec, {"name": "m", "hf": "config.json", "onnx": "m.onnx"})
    with pytest.raises(DecodeError, match="head"):
        decode(ModelSpec, {"name": "m", "onnx": "m.onnx", "head": "base"})


def load(tmp_path, config, rows=None, seed=0, **options):
    (tmp_path / "config.json").write_text(json.dumps(config))
    spec = ModelSpec(name="m", **{"hf": "config.json", **options})
    return load_baseline(spec, folder=tmp_path, out=tmp_path / "artifacts", rows=rows, seed=seed)


@pytest.fixture
def transformers():
    pytest.importorskip("torch", reason="exports from torch: pip install .[hf]")
    return pytest.importorskip("transformers", reason="builds models: pip install .[hf]")


@pytest.mark.filterwarnings("ignore")
def test_a_config_gives_seeded_random_weights(tmp_path, transformers):
    made = load(tmp_path, BERT, shapes={"sequence": 7})
    assert [t.name for t in made.inputs] == ["input_ids", "attention_mask", "token_type_ids"]
    assert [t.shape[1] for t in made.inputs] == [7, 7, 7]
    assert made.outputs[0].shape[1] == 3
    assert made.parity is not None
    assert "random, seed 0" in made.made_by["source"]
    assert load(tmp_path, BERT, shapes={"sequence": 7}).sha == made.sha
    assert load(tmp_path, BERT, shapes={"sequence": 7}, seed=1).sha != made.sha


@pytest.mark.filterwarnings("ignore")
def test_images_and_a_named_head(tmp_path, transformers):
    rows = {"pixel_values": np.zeros((4, 3, 32, 32), np.float32)}
    made = load(tmp_path, VIT, rows, head="image-classification")
    assert made.inputs[0].shape[1:] == (3, 32, 32)
    assert made.outputs[0].shape[1] == 5


@pytest.mark.filterwarnings("ignore")
def test_a_folder_with_weights(tmp_path, transformers):
    config = transformers.BertConfig(**BERT)
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path / "saved")
    made = load(tmp_path, BERT, hf="saved")
    assert "weights folder" in made.made_by["source"]
    assert load(tmp_path, BERT, hf="saved", seed=5).sha == made.sha


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"hf": "none.json"}, "no such file"),
        ({"head": "image-clasification"}, "head: expected one of"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path, transformers, options, part):
    with pytest.raises(ModelError) as caught:
        load(tmp_path, BERT, **options)
    assert part in caught.value.message
    with pytest.raises(ModelError, match="forward takes input_ids"):
        load(tmp_path, BERT, {"words": np.zeros((4, 3), np.int64)})
