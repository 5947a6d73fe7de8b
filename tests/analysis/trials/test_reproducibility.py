from types import SimpleNamespace

from profiler.analysis.trials.reproducibility import card

FACTS = {
    "os": "Debian", "kernel": "6.1", "microcode": "0x1", "governor": "performance",
    "turbo": False, "temperatures_celsius": {"cpu": 50.0},
}  # fmt: skip
META = {
    "study": {"seed": 3},
    "fingerprint": {
        "git": {"commit": "a" * 40, "dirty": False}, "gpus": [], "versions": {"numpy": "2"},
        "hash_seed": "0",
    },
}  # fmt: skip
ROUNDS = [SimpleNamespace(seed=1), SimpleNamespace(seed=2)]


def held(meta=META, facts=FACTS, artifacts=("s",), rounds=ROUNDS, more=()):
    targets = {"a": facts, **dict(more)}
    points = card(meta, targets, list(artifacts), "d" * 64, rounds)
    assert len(points) == 12
    return {point.name for point in points if not point.holds}


def test_all_twelve_hold():
    assert held() == set()


def test_what_is_missing_does_not_hold():
    worse = {**META["fingerprint"], "hash_seed": "random", "versions": {}}
    worse["git"] = {"commit": "a" * 40, "dirty": True}
    assert held(meta={**META, "fingerprint": worse}) == {
        "PYTHONHASHSEED", "git commit, without changes", "versions of packages",
    }  # fmt: skip
    assert held(facts={**FACTS, "microcode": None}) == {"microcode"}
    assert held(facts={**FACTS, "temperatures_celsius": {}}) == {"temperatures"}
    assert held(rounds=ROUNDS[:1]) == {"several seeds run"}


def test_every_target_must_say_it():
    assert held(more={"b": {**FACTS, "governor": None}}.items()) == {"clocks"}
