"""The yardstick's file and query, put where a folder's other models and queries lie."""

from __future__ import annotations

import hashlib

from profiler.schema.artifact import Artifact, Tensor, Yardstick
from profiler.store.files import write_atomic
from profiler.store.folder import Store
from profiler.store.prepared import keep as keep_query
from profiler.variants.yardstick import INPUT, IR_VERSION, OPSET, OUTPUT, ROWS, WIDTH, model, query


def keep(store: Store) -> Yardstick:
    """Write them; the same in every folder."""
    content = model()
    sha = hashlib.sha256(content).hexdigest()
    path = f"artifacts/{sha}.onnx"
    write_atomic(store.folder / path, content)
    shape = (ROWS, WIDTH)
    artifact = Artifact(
        model="yardstick",
        variant="fp32",
        sha=sha,
        path=path,
        bytes=len(content),
        inputs=(Tensor(name=INPUT, dtype="float32", shape=shape),),
        outputs=(Tensor(name=OUTPUT, dtype="float32", shape=shape),),
        ir_version=IR_VERSION,
        opset=OPSET,
    )
    return Yardstick(artifact=artifact, inputs={INPUT: keep_query(store, query())})
