"""A device is not trusted: wrong answers are one line, and nothing they say does anything."""

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from profiler.devices.session import Session
from profiler.errors import ProfilerError, TransportError, WorkerError
from profiler.schema.device.replies import Listener, longest_s
from profiler.transport.local import LocalTransport
from profiler.wire.codec import DecodeError
from profiler.wire.lines import EndOfStream, pack
from profiler.wire.messages import Job, RoundRequest

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
import fake_device

JOBS = (Job(trial="a", backend="null"), Job(trial="b", backend="null"))
REQUEST = RoundRequest(jobs=JOBS, round=3, seed=1)
LATENCIES = bytes([7, *bytes(7)]) * 2
HONEST = fake_device.honest(LATENCIES, {})
Change = Callable[[Any], Any]


def asked(
    operation: str,
    change: Change = lambda result: result,
    told: list[Any] | None = None,
    raw: bytes | None = None,
) -> Any:
    """A round on a device that changes its answer to one operation, or what it tells before."""

    def say(message: dict[str, Any]) -> list[bytes]:
        name, args = message["op"], message["args"]
        before = fake_device.events(name, args)
        result = copy.deepcopy(HONEST(name, args))
        if name == operation:
            if raw is not None:
                return [raw]
            before = told if told is not None else before
            result = change(result)
        reply = {"id": message["id"], "ok": True, "result": result}
        return [fake_device.line({"event": event}) for event in before] + [fake_device.line(reply)]

    transport = fake_device.FakeTransport(say)
    with Session(transport, backoff_s=()) as session:
        return session.round(REQUEST, lambda event: None)


def refused(*args: Any, **more: Any) -> str:
    with pytest.raises(ProfilerError) as caught:
        asked(*args, **more)
    assert caught.value.message.isprintable()
    return caught.value.message


def set_(*path: Any, to: Any) -> Change:
    def change(result: Any) -> Any:
        inner = result
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = to
        return result

    return change


def test_an_honest_device_is_believed() -> None:
    assert [one.trial for one in asked("none")] == ["a", "b"]


@pytest.mark.parametrize("name", ["latencies", "services"])
def test_an_absolute_path_is_no_name_of_a_blob(name: str) -> None:
    wrong = set_("repetitions", 0, name, to="/home/me/.ssh/id_ed25519")
    assert f"repetitions[0].{name}: expected a blob's name: 64 hex digits" in refused(
        "round", wrong
    )


def test_nor_is_it_the_name_of_an_output() -> None:
    wrong = set_("repetitions", 0, "outputs", to={"scores": "/etc/passwd"})
    assert "repetitions[0].outputs.scores: expected a blob's name" in refused("round", wrong)


def test_a_local_worker_gets_no_file_of_the_host_moved(tmp_path: Path) -> None:
    transport = LocalTransport(home=tmp_path / "home")
    mine = tmp_path / "mine" / ("0" * 64)
    mine.parent.mkdir()
    mine.write_text("mine")
    out = tmp_path / "home" / "out-1"
    out.mkdir()
    (out / ("1" * 64)).symlink_to(mine)
    for folder, sha in ((mine.parent, "0" * 64), (out / ".." / ".." / "mine", "0" * 64),
                        (out, "1" * 64)):  # fmt: skip
        with pytest.raises(TransportError):
            transport.fetch(str(folder), sha, tmp_path / "to", 100)
    with pytest.raises(ValueError, match="64 hex digits"):
        transport.fetch(str(out), str(mine), tmp_path / "to", 100)
    assert mine.read_text() == "mine"
    (out / ("2" * 64)).write_bytes(bytes(101))
    with pytest.raises(TransportError, match="101 bytes"):
        transport.fetch(str(out), "2" * 64, tmp_path / "to", 100)


@pytest.mark.parametrize(
    ("operation", "change", "said"),
    [
        ("hello", lambda r: {k: v for k, v in r.items() if k != "protocol"}, "protocol"),
        ("hello", set_("protocol", to=2), "protocol: expected 1"),
        ("facts", lambda r: None, "result: expected a table"),
        ("facts", lambda r: [], "result: expected a table"),
        ("facts", set_("cores", to="four"), "cores: expected a whole number"),
        ("facts", set_("usable_cores", to=0), "usable_cores: expected a number from 1"),
        ("facts", set_("more", to=1), "more: expected a known key"),
        ("round", set_("repetitions", 0, "trial", to="b"), "trial: expected 'a'"),
        ("round", set_("repetitions", 0, "round", to=2), "round: expected 3"),
        ("round", lambda r: {"repetitions": r["repetitions"][:1]}, "repetitions: expected 2"),
        ("round", set_("repetitions", 1, "status", to="fine"), "status: expected one of"),
        ("round", set_("repetitions", 1, "extra", to=1), "extra: expected a known key"),
        ("round", set_("repetitions", 1, "blocks", to=[]), "one block or more"),
        ("round", set_("repetitions", 0, "outputs", to={"x": "0" * 64}), "expected nothing"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_one_line(operation: str, change: Change, said: str) -> None:
    assert said in refused(operation, change)


@pytest.mark.parametrize(
    ("key", "value"),
    [("queries", 0), ("queries", -1), ("queries", 10**12), ("wall_ns", 0), ("wall_ns", -5),
     ("position", -1), ("position", 2**40), ("cpu_ns", -1), ("rate", -1.0)],
)  # fmt: skip
def test_a_count_that_can_not_be_is_refused_on_arrival(key: str, value: float) -> None:
    wrong = set_("repetitions", 0, "blocks", 1, key, to=value)
    assert f"repetitions[0].blocks[1].{key}: expected a number from" in refused("round", wrong)


@pytest.mark.parametrize(
    "event",
    [None, 5, [], {}, {"stage": "load"}, {"stage": "x", "trial": "a", "done": 0, "of": 1},
     {"stage": "load", "trial": "z", "done": 0, "of": 1},
     {"stage": "load", "trial": "a", "done": -1, "of": 1},
     {"stage": "load", "trial": "a", "done": 0, "of": 0},
     {"waiting": {"pid": "\x1b[2J", "for_s": 1}}, {"waiting": None}, {"waited_s": 1e300}],
)  # fmt: skip
def test_events_are_decoded_like_answers(event: Any) -> None:
    assert "round: a wrong answer" in refused("round", told=[event])


def test_events_that_never_end_are_no_progress() -> None:
    same = {"stage": "measure", "trial": "a", "done": 1, "of": 2}
    assert "expected progress" in refused("round", told=[same] * 10_000)


def test_a_round_that_goes_on_for_days_ends() -> None:
    now = [0.0]
    listener = Listener(["a"], longest_s(REQUEST), clock=lambda: now[0])
    tell = {"stage": "measure", "trial": "a", "done": 0, "of": 10**7}
    while now[0] < longest_s(REQUEST) - 60:
        now[0] += 60
        listener.take({**tell, "done": int(now[0])})
    now[0] += 120
    with pytest.raises(DecodeError, match="the end within"):
        listener.take({**tell, "done": int(now[0])})
    assert now[0] < 2 * 86_400


def test_waiting_for_another_run_is_no_part_of_a_round() -> None:
    now = [0.0]
    listener = Listener(["a"], 100, clock=lambda: now[0])
    while now[0] < 3600:
        now[0] += 2
        listener.take({"waiting": {"pid": 7, "for_s": now[0]}})
    now[0] += 90
    listener.take({"stage": "load", "trial": "a", "done": 0, "of": 2})


def test_a_key_that_a_device_made_up_is_shown_short() -> None:
    told = refused("round", told=[{"x" * 4000 + "\x1b": 1}])
    assert len(told) < 600
    assert told.isprintable()


def test_nothing_acts_on_the_terminal() -> None:
    wrong = set_("\x1b[31mred\x07", to="\x1b]0;title\x07\u202e")
    assert "[31mred" in refused("facts", wrong)
    repetitions = asked("round", set_("repetitions", 0, "providers", to=["\x1b[2J\r\nnull"]))
    assert repetitions[0].providers == ("\\x1b[2J  null",)


@pytest.mark.parametrize(
    "raw",
    [
        fake_device.line({"id": 3})[:-5] + b"\n",
        fake_device.line([1]),
        b"\x1eprofiler1 " + b"[" * 100_000 + b"]" * 100_000 + b"\n",
        b'\x1eprofiler1 {"id": 3, "ok": true, "result": ' + b"[" * 500 + b"]" * 500 + b"}\n",
        b"\x1eprofiler1 {" + b"x" * (65 << 20),
        fake_device.line({"id": 3}),
        fake_device.line({"id": 99, "ok": True, "result": {}}),
        fake_device.line({"id": 3, "ok": False}),
        fake_device.line({"id": 3, "ok": True}),
        fake_device.line({"ended": "x"}),
        fake_device.line({"event": None, "more": 1}),
    ],
    ids=["cut", "list", "deep", "nested", "long", "bare", "other id", "no error", "no result",
         "ended", "extra"],
)  # fmt: skip
def test_a_line_that_is_no_answer_ends_the_wait(raw: bytes) -> None:
    assert "no answer to" not in refused("round", raw=raw)


def test_what_a_failed_device_says_is_short_and_plain() -> None:
    error = json.dumps({"id": 3, "ok": False, "error": "\x1b[5m" + "x" * 10**6})
    message = refused("round", raw=b"\x1eprofiler1 " + error.encode() + b"\n")
    assert len(message) < 1000


def test_a_message_without_an_operation_leaves_the_worker_watching(tmp_path: Path) -> None:
    """Its reader still notices that the host is gone: the pipe ends at once, not never."""
    with Session(LocalTransport(home=tmp_path / "home")) as session:
        assert session._pipe is not None
        session._pipe.send(pack({"args": {}}))
        with pytest.raises(WorkerError, match="id: expected"):
            session._ask("have", shas=[])
        session._pipe.send(pack({"op": "ping", "silence_s": 0.01}))
        session._pipe.reader.read(20)
        with pytest.raises(EndOfStream):
            session._pipe.reader.read(20)
