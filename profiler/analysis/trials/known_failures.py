"""Failures of other people's libraries that we have seen, and what helps against each."""

from __future__ import annotations

from profiler.wire.providers import known


def explained(reason: str, provider: str) -> str:
    """`reason`, behind what is known of it: the message itself may be a page of C++."""
    for part, advice in known(provider).failures:
        if part in reason:
            said = reason.strip()
            if len(said) > 300:
                said = "… " + said[-200:].partition(" ")[2]
            return f"{advice}. It said: {said}"
    return reason
