"""On which provider each node of a session really runs (onnxruntime 1.24 or newer)."""

from __future__ import annotations

from collections import Counter
from typing import Any, Optional

from profiler.wire.messages import Placement

_RECORD = "session.record_ep_graph_assignment_info"


def record(options: Any) -> None:
    """Ask the session to remember its placement. Costs nothing after loading."""
    options.add_session_config_entry(_RECORD, "1")


def placement(session: Any, provider: str) -> Optional[Placement]:
    """Nodes of the graph as partitioned, and which of them are not on `provider`.

    None where this onnxruntime does not tell. Nodes folded into constants before partitioning are
    not counted: they run nowhere.
    """
    ask = getattr(session, "get_provider_graph_assignment_info", None)
    if ask is None:
        return None
    try:
        parts = ask()
    except Exception:  # a provider that does not report is unknown, not wrong
        return None
    total = 0
    elsewhere: Counter[str] = Counter()
    for part in parts:
        nodes = part.get_nodes()
        total += len(nodes)
        if part.ep_name != provider:
            elsewhere.update(node.op_type for node in nodes)
    if total == 0:
        return None
    return Placement(
        nodes=total,
        on_provider=total - sum(elsewhere.values()),
        elsewhere=dict(elsewhere.most_common()),
    )


def refuse_partial(found: Optional[Placement], provider: str) -> None:
    """strict_provider: raise RuntimeError unless every node is known to be on the provider."""
    if found is None:
        raise RuntimeError(
            f"strict_provider: this onnxruntime does not tell which nodes run on {provider}"
        )
    if found.on_provider < found.nodes:
        ops = ", ".join(f"{op} ×{count}" for op, count in found.elsewhere.items())
        raise RuntimeError(
            f"strict_provider: {found.nodes - found.on_provider} of {found.nodes} nodes are not"
            f" on {provider}: {ops}"
        )
