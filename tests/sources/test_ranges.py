"""What a model's whole numbers index, traced in its graph."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from profiler.schema.artifact import Values
from profiler.sources.ranges import ranges

INT, FLOAT = TensorProto.INT64, TensorProto.FLOAT
TABLE = numpy_helper.from_array(np.ones((50, 8), np.float32), "table")


def node(kind, inputs, output="y", **attributes):
    return helper.make_node(kind, inputs.split(","), [output], **attributes)


def found(nodes, weights=(TABLE,), **inputs):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
        [helper.make_tensor_value_info("y", FLOAT, None)],
        list(weights),
    )
    return ranges(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))


IDS = (INT, ["N", "S"])
TWO = numpy_helper.from_array(np.array(2), "two")
DEPTH = numpy_helper.from_array(np.array([7]), "depth")


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Gather", "table,ids")],
        [node("Cast", "ids", "i", to=INT), node("Gather", "table,i")],
        [
            node("Reshape", "ids,two", "r"),
            node("Cast", "r", "i", to=INT),
            node("Gather", "table,i"),
        ],
        [node("Identity", "table", "t"), node("Unsqueeze", "ids,two", "u"), node("Gather", "t,u")],
    ],
)
def test_rows_of_an_embedding(nodes):
    assert found(nodes, (TABLE, TWO), ids=IDS) == {"ids": Values(high=49)}


def test_other_axes_and_offsets():
    assert found([node("Gather", "table,ids", axis=1)], ids=IDS)["ids"].high == 7
    shifted = [node("Add", "ids,two", "i"), node("Gather", "table,i")]
    assert found(shifted, (TABLE, TWO), ids=IDS)["ids"].high == 47
    small = numpy_helper.from_array(np.ones((4, 8), np.float32), "small")
    both = [node("Gather", "table,ids", "a"), node("Gather", "small,ids", "b"), node("Add", "a,b")]
    assert found(both, (TABLE, small), ids=IDS)["ids"].high == 3


def test_a_table_that_is_an_input_itself():
    got = found([node("Gather", "memory,ids")], (), ids=IDS, memory=(FLOAT, ["slots", 8]))
    assert got == {"ids": Values(input="memory")}


def test_classes_masks_and_lengths():
    values = numpy_helper.from_array(np.array([0, 1]), "values")
    assert found([node("OneHot", "ids,depth,values")], (DEPTH, values), ids=IDS)["ids"].high == 6
    mask = [node("Cast", "mask", "m", to=TensorProto.BOOL), node("Where", "m,x,x")]
    assert found(mask, (), mask=IDS, x=(FLOAT, ["N", "S"])) == {"mask": Values(high=1)}
    lengths = node("ReverseSequence", "x,lengths", time_axis=0, batch_axis=1)
    got = found([lengths], (), x=(FLOAT, ["T", "N", 3]), lengths=(INT, ["N"]))
    assert got == {"lengths": Values(low=1, input="x", counts=True)}


def test_numbers_that_nothing_indexes_have_no_range():
    assert found([node("Cast", "ids", to=FLOAT)], (), ids=IDS) == {}


def test_a_circle_or_damage_does_not_hang():
    odd = [node("Identity", "a", "b"), node("Identity", "b", "a"), node("Add", "ids,a")]
    assert found(odd, (), ids=IDS) == {}


def test_scales_are_ones():
    scales = {"scales": (FLOAT, [4])}
    got = found([node("Resize", "x,,scales")], (), x=(FLOAT, ["N", 3, 8, 8]), **scales)
    assert got == {"scales": Values(low=1, high=1)}
