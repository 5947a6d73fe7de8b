import pytest

from profiler.schema.device.facts import recorded
from profiler.wire.codec import DecodeError


def test_what_was_brought_to_a_device_is_read_back() -> None:
    held = {"architecture": "aarch64", "worker": "0" * 64, "shipped": {"numpy": "2.0.2 sha256:a"}}
    assert recorded(held) == held
    with pytest.raises(DecodeError, match="shipped"):
        recorded({"shipped": ["numpy"]})
