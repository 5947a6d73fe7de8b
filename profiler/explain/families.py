"""Operator types in families, so that a float Conv can be set beside its 8-bit kernels."""

from __future__ import annotations

from profiler.explain.profile import Profile

OUTSIDE = "outside kernels"
INTEGER_CONV = frozenset({"ConvInteger", "QLinearConv", "QConv"})
FLOAT_CONV = frozenset({"Conv", "FusedConv", "ConvTranspose", "NhwcFusedConv"})
INTEGER_MATMUL = frozenset(
    {"MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QLinearMatMul", "QGemm",
     "MatMulNBits", "QAttention"}
)  # fmt: skip
FLOAT_MATMUL = frozenset(
    {"MatMul", "Gemm", "FusedMatMul", "FusedGemm", "TransposeMatMul", "Einsum", "Attention",
     "MultiHeadAttention", "GroupQueryAttention"}
)  # fmt: skip
FLOAT_RECURRENT = frozenset({"LSTM", "GRU", "RNN", "AttnLSTM"})
INTEGER_RECURRENT = frozenset({"DynamicQuantizeLSTM"})
QDQ = frozenset({"QuantizeLinear", "DequantizeLinear"})
DYNAMIC_QUANTIZE = frozenset({"DynamicQuantizeLinear"})
CAST = frozenset({"Cast"})
LAYOUT = frozenset({"Transpose", "ReorderInput", "ReorderOutput", "DepthToSpace", "SpaceToDepth"})
COPY = frozenset(
    {"Concat", "Split", "Slice", "Gather", "GatherND", "GatherElements", "ScatterND",
     "ScatterElements", "Expand", "Tile", "Pad", "Resize", "Upsample", "Compress", "QLinearConcat"}
)  # fmt: skip
MEMCPY = frozenset({"MemcpyFromHost", "MemcpyToHost"})
FUSIBLE = frozenset(
    {"BatchNormalization", "Relu", "LeakyRelu", "Clip", "Sigmoid", "Tanh", "HardSigmoid", "Add",
     "Mul", "Div", "Sub", "Pow", "Sqrt", "Erf", "ReduceMean", "Identity", "Dropout"}
) | QDQ | DYNAMIC_QUANTIZE | CAST  # fmt: skip
"""What graph optimization folds into its neighbours, so that it has no time of its own."""

FLOAT_COMPUTE = FLOAT_CONV | FLOAT_MATMUL | FLOAT_RECURRENT
INTEGER_COMPUTE = INTEGER_CONV | INTEGER_MATMUL | INTEGER_RECURRENT

_FAMILIES = {
    "convolution": FLOAT_CONV | INTEGER_CONV,
    "matrix product": FLOAT_MATMUL | INTEGER_MATMUL,
    "recurrent": FLOAT_RECURRENT | INTEGER_RECURRENT,
    "quantize, dequantize": QDQ | DYNAMIC_QUANTIZE,
    "cast": CAST,
    "layout": LAYOUT,
    "copy": COPY | MEMCPY,
}


def family(op: str) -> str:
    """Family of an operator type; 'other' holds activations, normalization and the rest."""
    return next((name for name, ops in _FAMILIES.items() if op in ops), "other")


def times(profile: Profile) -> dict[str, float]:
    """Family -> µs a query, with the time outside kernels as a family; they add up to the total."""
    found = dict.fromkeys((*_FAMILIES, "other"), 0.0)
    for op, us in profile.by("op").items():
        found[family(op)] += us
    return {**{name: us for name, us in found.items() if us > 0}, OUTSIDE: profile.outside_us}
