from dataclasses import replace
from typing import Any

import pytest

from profiler.devices.jobs import make_job, memory_limit_bytes
from profiler.errors import InputError
from profiler.planning import Known, make_plan, pack
from profiler.planning.dimensions import check_dimensions
from profiler.planning.expand import expand
from profiler.planning.groups import MAX_RESIDENT
from profiler.schema.artifact import Artifact
from profiler.schema.device.target import Cost, Target
from profiler.schema.study.study import Study
from profiler.store.prepared import Prepared
from profiler.wire.codec import DecodeError, decode

CPU = Target(name="cpu", cost=Cost(usd_per_hour=3.6, as_of="2026-11-01"))


def study(**more: Any) -> Study:
    plain = {
        "name": "s",
        "targets": ["cpu"],
        "models": [{"name": "a", "onnx": "a.onnx"}, {"name": "b", "onnx": "b.onnx"}],
        **more,
    }
    return decode(Study, plain)


def facts(**more: Any) -> dict[str, Any]:
    base = {"usable_cores": 2, "onnxruntime": "1", "providers": ["CPUExecutionProvider"]}
    return {"cpu": {**base, **more}}


def test_trials_are_every_combination_in_the_studys_order() -> None:
    plan = make_plan(
        study(threads=[1, 2], variants=["fp32", "int8-dynamic"]), (CPU,), Known(facts=facts())
    )
    assert [t.id for t in plan.trials][:4] == [
        "a/fp32@cpu/single_stream/b1/t1",
        "a/int8-dynamic@cpu/single_stream/b1/t1",
        "a/fp32@cpu/single_stream/b1/t2",
        "a/int8-dynamic@cpu/single_stream/b1/t2",
    ]
    assert len(plan.trials) == 8
    for trial in plan.trials:
        assert trial.baseline.endswith(trial.id.split("@")[1])
        assert trial.is_baseline == (trial.variant == "fp32")


def test_threads_default_to_the_cores_found() -> None:
    plan = make_plan(study(), (CPU,), Known(facts=facts(usable_cores=6)))
    assert {t.threads for t in plan.trials} == {6}


def reasons(plan: Any) -> list[str]:
    return [f"{e.reason} | {e.hint}" for e in plan.exclusions]


def test_exclusions_say_why() -> None:
    gpu = Target(name="cpu", provider="CUDAExecutionProvider")
    (first, *_) = reasons(make_plan(study(), (gpu,), Known(facts=facts())))
    assert "CUDAExecutionProvider is not in" in first
    (first, *_) = reasons(make_plan(study(), (CPU,), Known(facts=facts(onnxruntime=None))))
    assert "pip install onnxruntime" in first
    (first, *_) = reasons(make_plan(study(threads=[3]), (CPU,), Known(facts=facts())))
    assert "3 threads asked, 2 usable cores found" in first
    (first, *_) = reasons(make_plan(study(variants=["int8-static"]), (CPU,), Known(facts=facts())))
    assert "[data]" in first


def test_a_fixed_batch_limits_offline_and_shapes_single_stream() -> None:
    offline = {"kind": "offline", "batch": [1, 8]}
    known = Known(facts=facts(), fixed_batch={"a": 8, "b": 1})
    plan = make_plan(study(scenarios=["single_stream", offline]), (CPU,), known)
    batches = {(t.model, t.scenario): t.batch for t in plan.trials}
    assert batches[("a", "single_stream")] == 8
    assert batches[("a", "offline")] == 8
    assert batches[("b", "offline")] == 1
    assert all("batch is fixed at" in reason for reason in reasons(plan))
    assert len(plan.exclusions) == 2


def test_groups_fit_memory_and_every_one_carries_the_reference() -> None:
    models = [{"name": f"m{i}", "onnx": "x"} for i in range(6)]
    plan = make_plan(
        study(models=models, variants=["fp32", "int8-dynamic"]),
        (CPU,),
        Known(facts=facts(memory_available_bytes=10**9)),
    )
    assert len(plan.groups) > 1
    seen = set()
    for group in plan.groups:
        ids = [t.id for t in group.trials]
        assert plan.groups[0].reference in ids
        assert len(ids) == len(set(ids))
        for trial in group.trials:
            assert trial.baseline in ids
        seen.update(ids)
    assert len(seen) == 12


def test_a_family_larger_than_a_group_is_split_with_its_baseline() -> None:
    names = [{"name": f"v{i}", "recipe": "int8-dynamic"} for i in range(60)]
    plan = make_plan(study(variants=["fp32", *names]), (CPU,), Known(facts=facts()))
    assert all(len(group.trials) <= MAX_RESIDENT for group in plan.groups)
    assert len(plan.trials) == 2 * 61
    for group in plan.groups:
        ids = {t.id for t in group.trials}
        assert {t.baseline for t in group.trials} <= ids


def test_a_model_that_fits_nowhere_still_gets_its_own_group() -> None:
    plan = make_plan(study(), (CPU,), Known(facts=facts()))
    groups = pack(plan.trials, {("a", "fp32"): 10**12}, {"cpu": 10**9})
    assert {t.model for g in groups for t in g.trials} == {"a", "b"}


def test_the_estimate_follows_budget_and_price() -> None:
    quick = make_plan(study(measure={"budget": "20s"}), (CPU,), Known(facts=facts()))
    slow = make_plan(study(measure={"budget": "100s"}), (CPU,), Known(facts=facts()))
    assert quick.least_s == slow.least_s
    assert quick.most_s < slow.most_s
    assert slow.most_usd is not None
    assert abs(slow.most_usd - slow.most_s / 3600 * 3.6) < 1e-9
    free = make_plan(study(), (Target(name="cpu"),), Known(facts=facts()))
    assert free.most_usd is None


def test_the_arena_can_be_swept_where_there_is_one() -> None:
    both = study(sweep={"arena": [True, False]})
    plan = make_plan(both, (CPU,), Known(facts=facts()))
    assert [(t.arena, t.id.endswith("/no-arena")) for t in plan.trials] == [
        (True, False), (False, True), (True, False), (False, True)
    ]  # fmt: skip
    null = Target(name="cpu", backend="null", provider="null")
    without = make_plan(both, (null,), Known(facts=facts()))
    assert len(without.trials) == 2
    assert all("no" in reason and "arena" in reason for reason in reasons(without))


def test_memory_limits_can_be_swept_and_never_exceed_the_targets() -> None:
    swept = study(sweep={"memory_limit": ["", "256MB", "1GB"]}, measure={"memory_limit": "2GB"})
    small = Target(name="cpu", memory_limit=512_000_000)
    trials = make_plan(swept, (small,), Known(facts=facts())).trials
    found = {t.id.partition("/t2")[2]: memory_limit_bytes(t, small, swept) for t in trials}
    assert found == {"": 512_000_000, "/mem-256MB": 256_000_000, "/mem-1GB": 512_000_000}
    plain = next(t for t in trials if not t.memory_limit)
    assert memory_limit_bytes(plain, CPU, swept) == 2_000_000_000
    assert memory_limit_bytes(plain, CPU, study()) is None


def test_a_system_without_chosen_cpus_and_memory_limits_excludes_what_asks_for_them() -> None:
    mac = facts(usable_cpus=None, can_limit_memory=False)
    swept = study(sweep={"affinity": ["", "0"], "memory_limit": ["", "256MB"]})
    plan = make_plan(swept, (CPU,), Known(facts=mac))
    assert [t.id.split("/")[-1] for t in plan.trials if "a/" in t.id] == ["t2"]
    said = " ".join(reasons(plan))
    assert "affinity: not available" in said
    assert "memory limits: not available" in said
    for limited in (study(measure={"memory_limit": "1GB"}), study()):
        target = CPU if limited.measure.memory_limit else replace(CPU, memory_limit=10**9)
        assert make_plan(limited, (target,), Known(facts=mac)).trials == ()


KINDS = {"affinity": ["big", "little", "all"]}
GROUPS = [
    {"cpus": [0, 1, 2, 3], "capacity": 414, "mhz": 1800},
    {"cpus": [4, 5], "capacity": 1024, "mhz": 2400},
]


def test_kinds_of_cores_are_one_trial_each_on_the_cpus_that_the_target_has() -> None:
    known = Known(facts=facts(usable_cores=6, usable_cpus=[*range(6)], core_groups=GROUPS))
    swept = study(models=[{"name": "a", "onnx": "a.onnx"}], sweep=KINDS)
    trials = make_plan(swept, (CPU,), known).trials
    assert [t.id.partition("b1/")[2] for t in trials] == [
        "t2/cpu-big", "t4/cpu-little", "t6/cpu-all"
    ]  # fmt: skip
    null = replace(CPU, backend="null", provider="null")
    prepared = Prepared(artifacts={}, failed={}, inputs={})
    jobs = [make_job(trial, null, prepared, swept) for trial in trials]
    assert [job.affinity for job in jobs] == [(4, 5), (0, 1, 2, 3), (0, 1, 2, 3, 4, 5)]
    crowded = make_plan(replace(swept, threads=(4,)), (CPU,), known)
    assert [t.affinity for t in crowded.trials] == ["little", "all"]
    assert reasons(crowded)[0].startswith(
        'affinity "big": 4 threads asked, 2 such CPUs found (4, 5) | threads = [2]'
    )


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ({"usable_cpus": [0, 1], "core_groups": GROUPS[:1]}, "all of one kind"),
        ({"usable_cpus": [0, 1], "core_groups": []}, "does not tell how fast"),
        ({"usable_cpus": None, "core_groups": []}, "keeps no process on chosen CPUs"),
    ],
)
def test_a_target_without_kinds_says_so_and_measures_all(
    found: dict[str, Any], reason: str
) -> None:
    swept = study(models=[{"name": "a", "onnx": "a.onnx"}], sweep=KINDS)
    plan = make_plan(swept, (CPU,), Known(facts=facts(**found)))
    assert [t.affinity for t in plan.trials] == ["all"]
    assert [e.trial.affinity for e in plan.exclusions] == ["big", "little"]
    assert all(reason in said for said in reasons(plan))


def test_a_size_that_is_none_names_the_key() -> None:
    with pytest.raises(DecodeError, match=r"memory_limit: expected a size such as '512MB'"):
        study(sweep={"memory_limit": ["much"]})


def test_cold_starts_with_a_cold_cache_are_their_own_trials_and_ten_at_least() -> None:
    cold = {"kind": "cold_start", "cache": ["warm", "cold"]}
    trials = make_plan(study(scenarios=[cold]), (CPU,), Known(facts=facts())).trials
    assert {t.cache: t.id.endswith("/cold-cache") for t in trials} == {"warm": False, "cold": True}
    with pytest.raises(DecodeError, match=r"scenarios.starts: expected 3 or more"):
        study(scenarios=[{"kind": "cold_start", "starts": 2}])
    with pytest.raises(DecodeError, match=r"cache: expected cold_start"):
        study(scenarios=[{"kind": "offline", "cache": ["cold"]}])


def test_provider_options_are_swept_where_the_provider_takes_any() -> None:
    options = [{"a.precision": "f32"}, {"cache_dir": "/tmp/x"}]
    swept = study(targets=["cpu", "vino"], models=[{"name": "a", "onnx": "a.onnx"}],
                  sweep={"provider_options": options})  # fmt: skip
    given = {"device_type": "CPU", "a.precision": "bf16"}
    vino = Target(name="vino", provider="OpenVINOExecutionProvider", provider_options=given)
    eager = Target(name="eager", backend="torch", provider="torch-eager")
    assert len(make_plan(swept, (eager,), Known()).exclusions) == 1
    plan = make_plan(swept, (CPU, vino), Known())
    assert [t.id.partition("@")[2] for t in plan.trials] == [
        "cpu/single_stream/b1/t1",
        "vino/single_stream/b1/t1/precision-f32",
        "vino/single_stream/b1/t1/cache_dir-tmp-x",
    ]
    assert [t.provider_options for t in plan.trials] == [{}, *options]
    made = Artifact(model="a", variant="fp32", sha="0", path="a", bytes=1, inputs=(), outputs=())
    prepared = Prepared(artifacts={("a", "fp32"): made}, failed={}, inputs={"a#1": {}})
    jobs = [make_job(trial, vino, prepared, swept) for trial in plan.trials[1:]]
    assert [job.provider_options for job in jobs] == [
        {"device_type": "CPU", "a.precision": "f32"}, {**given, "cache_dir": "/tmp/x"},
    ]  # fmt: skip
    with pytest.raises(DecodeError, match="provider_options"):
        study(sweep={"provider_options": [{"dir": "a/b"}, {"dir": "a-b"}]})  # one name, two trials


def test_shapes_are_swept_where_the_model_leaves_them_open() -> None:
    swept = study(sweep={"shapes": [{"sequence": 64}, {"sequence": 128, "width": 3}]})
    known = Known(facts=facts(), symbolic={"a": {"sequence"}, "b": {"height"}})
    plan = make_plan(swept, (CPU,), known)
    assert [t.id.partition("@")[2].split("/")[-1] for t in plan.trials] == [
        "sequence-64",
        "sequence-128",
        "t2",
    ]
    kept, _ = expand(swept, (CPU,), known)
    assert len(kept) == 3
    unknown = make_plan(swept, (CPU,), Known(facts=facts()))
    assert len(unknown.trials) == 4
    assert unknown.trials[1].shapes == {"sequence": 128, "width": 3}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"shapes": [{"n": 0}]}, "shapes[0].n"),
        ({"shapes": [{"n": 1}, {"n": 1}]}, "shapes"),
    ],
)
def test_shapes_that_make_no_sense(more: dict[str, Any], says: str) -> None:
    with pytest.raises(DecodeError) as caught:
        study(sweep=more)
    assert says in str(caught.value)


def test_shapes_go_with_made_up_queries_only() -> None:
    with pytest.raises(DecodeError, match="none beside"):
        study(sweep={"shapes": [{"n": 2}]}, data={"file": "rows.npz", "labels": "y"})


def test_a_size_for_a_dimension_that_no_model_has_is_refused() -> None:
    own = study(models=[{"name": "a", "onnx": "a.onnx", "shapes": {"seqence": 8}}])
    with pytest.raises(InputError, match=r"models\.a\.shapes.*'seqence'.*open are: sequence") as e:
        check_dimensions(own, {"a": {"sequence"}})
    assert e.value.hint == 'did you mean "sequence"?'
    check_dimensions(own, {})
    check_dimensions(own, {"a": {"seqence"}})
    swept = study(sweep={"shapes": [{"n": 8}]})
    check_dimensions(swept, {"a": {"n"}, "b": set()})
    check_dimensions(swept, {"a": set()})  # b is not known
    with pytest.raises(InputError, match=r"sweep\.shapes\[0\].*all sizes are fixed") as e:
        check_dimensions(swept, {"a": set(), "b": set()})
    assert "--batch" in (e.value.hint or "")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scenarios": ["single_stream", "single_stream"]}, "is asked for twice"),
        ({"scenarios": [{"kind": "server", "rate": r} for r in (100000.1, 100000.2)]},
         "with rate 100000.1 and 100000.2"),
        ({"scenarios": [{"kind": "single_stream", "gap": g} for g in ("1001us", "1002us")]},
         "with gap_ns 1001000 and 1002000"),
        ({"scenarios": [{"kind": "cold_start", "starts": n} for n in (3, 4)]},
         "with starts 3 and 4"),
        ({"sweep": {"shapes": [{}, {"a": 1}], "session_options": [{}, {"a": "1"}]}},
         "with session_options {} and {'a': '1'}"),
    ],
)  # fmt: skip
def test_two_trials_of_one_name_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match="a/fp32@cpu/") as caught:
        make_plan(study(**given), (CPU,), Known(facts=facts()))
    assert said in caught.value.message
