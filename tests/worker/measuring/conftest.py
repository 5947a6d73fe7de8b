"""One worker serves a module's rounds: every runner is a process of its own anyway."""

from collections.abc import Iterator

import pytest

from profiler.devices.session import Session
from profiler.transport.local import LocalTransport


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Session(LocalTransport(home=tmp_path_factory.mktemp("home"))) as opened:
        yield opened
