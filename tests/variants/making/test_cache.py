import json

import numpy as np
import onnx
from onnx import TensorProto, helper

from profiler.variants.making.cache import key_of, lookup, remember, rows_sha


def test_rows_sha_follows_names_types_shapes_and_values():
    x = np.arange(6, dtype=np.float32)
    base = rows_sha({"x": x})
    assert base == rows_sha({"x": x.copy()})
    others = [{"y": x}, {"x": x.astype(float)}, {"x": x.reshape(2, 3)}, {"x": x + 1}, None]
    assert len({base, *map(rows_sha, others)}) == 6
    assert rows_sha({"a": x, "b": x + 1}) == rows_sha({"b": x + 1, "a": x})


def test_key_does_not_follow_the_order_of_parts():
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert key_of({"a": 1}) != key_of({"a": 2})


def test_lookup_verifies_the_content(tmp_path):
    file = tmp_path / "made"
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    other = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Sin", ["x"], ["y"])], "g", [value], [other])
    onnx.save(helper.make_model(graph), file)
    cache = tmp_path / "cache"
    assert lookup(cache, "k") is None
    kept = remember(cache, "k", file)
    assert lookup(cache, "k") == kept
    kept.write_bytes(b"other")
    assert lookup(cache, "k") is None
    (cache / "k.json").write_text(json.dumps(["no table"]))
    assert lookup(cache, "k") is None
