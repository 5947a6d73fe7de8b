"""The yardstick's file is the same everywhere and for ever."""

import hashlib

import onnx
import onnxruntime as ort

from profiler.variants.yardstick import INPUT, model, query


def test_its_file_and_query_never_change() -> None:
    """Another content would compare runs by two yardsticks: give it another name then."""
    sha = "b590419074364b1963b02220618eb8387a7d89086c4eb1007a725ee20528fcce"
    assert hashlib.sha256(model()).hexdigest() == sha
    values = "74fa69ca5e2d64b5712bf4fbbcab3793cb468382250774b918ce5d644dfccc0f"
    assert hashlib.sha256(query().tobytes()).hexdigest() == values


def test_it_is_a_model_whose_values_stay_ordinary() -> None:
    loaded = onnx.load_from_string(model())
    onnx.checker.check_model(loaded, full_check=True)
    for product in range(3):
        name = f"positive{product}"
        loaded.graph.output.append(onnx.helper.make_tensor_value_info(name, 1, [64, 128]))
    session = ort.InferenceSession(loaded.SerializeToString())
    for values in session.run(None, {INPUT: query()[0]}):
        above = values[values > 0]
        assert 0.4 < above.size / values.size < 0.6
        assert 2**-40 < above.min() <= above.max() < 100
