import dataclasses

import pytest

from profiler.planning import Known, make_plan, recipes
from profiler.schema.artifact import Artifact, Saturable
from profiler.schema.device.target import Target
from profiler.schema.record.plan import Trial
from profiler.schema.study.study import Study
from profiler.schema.study.variant import VariantSpec
from profiler.variants.recipes import int8_dynamic
from profiler.wire.codec import DecodeError, decode

VNNI = {"architecture": "x86_64", "cpu_flags": ["avx2", "avx512_vnni"]}
OLD = {"architecture": "x86_64", "cpu_flags": ["avx2"]}
ARM = {"architecture": "aarch64", "cpu_flags": ["asimddp"]}
CPU = Target(name="a")


def study(variants, targets=("a", "b"), **more):
    return decode(
        Study,
        {"name": "s", "models": [{"name": "m", "onnx": "m.onnx", **more}],
         "variants": variants, "targets": list(targets)},
    )  # fmt: skip


def resolved(variants, facts, **more):
    made = study(variants, facts, **more)
    return recipes.resolve(made, {n: Target(name=n) for n in facts}, facts)


@pytest.mark.parametrize(
    ("facts", "names"),
    [
        (VNNI, ["int8-static-u8s8", "int8-dynamic-s8"]),
        (
            OLD,
            [
                "int8-static-u8s8-strict",
                "int8-dynamic-s8-strict",
                "int8-static-u8s8",
                "int8-dynamic-s8",
            ],
        ),
        (ARM, ["int8-static-s8s8", "int8-dynamic-s8"]),
        ({**ARM, "cpu_flags": ["asimdhp"]}, ["int8-static-s8s8", "int8-dynamic-s8", "fp16"]),
    ],
)
def test_auto_follows_the_flags_and_says_why(facts, names):
    made = resolved(["auto"], {"a": facts}).variants
    assert [v.name for v in made] == names
    assert all(v.why.startswith("auto: ") for v in made)


def test_auto_measures_each_pick_only_where_it_was_picked():
    made = {v.name: v.targets for v in resolved(["fp32", "auto"], {"a": VNNI, "b": ARM}).variants}
    assert made == {
        "fp32": (), "int8-static-u8s8": ("a",), "int8-dynamic-s8": ("a", "b"),
        "int8-static-s8s8": ("b",),
    }  # fmt: skip


def test_what_the_study_names_itself_is_not_added_twice():
    made = resolved(["int8-static", "auto"], {"a": VNNI}).variants
    assert [v.name for v in made] == ["int8-static", "int8-dynamic-s8"]


def test_a_study_without_auto_is_left_alone():
    made = study(["fp32", "fp16"])
    assert recipes.resolve(made, {}, {}) is made


def test_a_gpu_gets_half_precision():
    gpu = Target(name="g", provider="CUDAExecutionProvider")
    assert [v.name for v in recipes.suited(gpu, VNNI)] == ["fp16"]


@pytest.mark.parametrize(
    ("made_by", "facts", "part"),
    [
        ({"recipe": "int8-static", "activations": "uint8", "weights": "int8"}, OLD, "saturate"),
        ({"recipe": "int8-static", "activations": "uint8", "weights": "int8"}, VNNI, None),
        ({"recipe": "int8-static", "activations": "uint8", "weights": "int8",
          "reduce_range": "true"}, OLD, None),
        ({"recipe": "int8-static", "activations": "uint8", "weights": "int8",
          "reduce_range": "true"}, VNNI, "for nothing"),
        ({"recipe": "int8-static", "activations": "int8", "weights": "int8"}, VNNI, "slow on x86"),
        ({"recipe": "int8-static", "activations": "uint8", "weights": "int8"}, ARM, "s8s8"),
        ({"recipe": "int8-dynamic", "weights": "int8"}, ARM, None),
        ({"recipe": "int8-dynamic", "weights": "int8", "convolutions": "3"}, VNNI, "ConvInteger"),
        ({"recipe": "fp16"}, VNNI, "no gain"),
        ({"recipe": "fp32"}, OLD, None),
    ],
)  # fmt: skip
def test_advice(made_by, facts, part):
    said = recipes.advice(made_by, CPU, facts)
    assert said is None if part is None else part in str(said)


def test_exact_products_silence_the_advice():
    exact = Target(name="a", session_options={"session.x64quantprecision": "1"})
    made_by = {"recipe": "int8-static", "activations": "uint8", "weights": "int8"}
    assert recipes.advice(made_by, exact, OLD) is None


@pytest.mark.parametrize(
    ("made_by", "sqnr_db", "part"),
    [
        ({"recipe": "int8-static", "quantized": "all"}, -1.2, "try int8-static:linear or"),
        ({"recipe": "int8-static"}, 6.0, "try int8-static:linear or"),
        ({"recipe": "int8-static", "quantized": "linear"}, 6.0, "try int8-dynamic, more"),
        ({"recipe": "int8-dynamic"}, 6.0, "keep nodes float"),
        (
            {"recipe": "int8-static", "quantized": "all"},
            12.2,
            "its bits explain 18 dB or more: try",
        ),
        ({"recipe": "fp16"}, 30.0, "beyond 65504"),
        ({"recipe": "bf16"}, 29.0, "use fp16"),
        ({"recipe": "int4"}, 7.0, "smaller blocks"),
        ({"recipe": "int8-static", "quantized": "all"}, 18.0, None),
        ({"recipe": "fp16"}, 45.0, None),
        ({"recipe": "int4"}, 8.0, None),
        ({"recipe": "int8-static", "quantized": "all"}, None, None),
        ({"recipe": "fp32"}, -1.2, None),
    ],
)
def test_outputs_drowned_in_noise_say_what_to_type(made_by, sqnr_db, part):
    said = recipes.damage(made_by, sqnr_db)
    assert said is None if part is None else part in str(said)


def test_a_row_says_both_what_its_processor_and_what_its_outputs_say():
    said = str(advised(OLD, sqnr_db=3.0)["advice"])
    assert "saturate" in said
    assert "3.0 dB" in said
    assert advised(VNNI)["advice"] is None


def advised(facts, saturable=None, sqnr_db=None, options=(), recipe="int8-static"):
    mixed = {"recipe": recipe, "activations": "uint8", "weights": "int8"}
    trial = Trial(
        id="t", model="m", variant="v", recipe=recipe, target="a", provider=CPU.provider,
        threads=1, scenario="single_stream", batch=1, baseline="t", session_options=dict(options),
    )  # fmt: skip
    artifact = Artifact(
        model="m", variant="v", sha="0", path="p", bytes=1, inputs=(), outputs=(),
        made_by=mixed, saturable=saturable,
    )  # fmt: skip
    return recipes.advised(artifact, trial, CPU, facts, sqnr_db)


ONE = (Saturable(node="fc1", operator="MatMul", worst_sum=64770, channels=3, of_channels=8),)


def test_what_a_look_at_the_weights_found_is_said_where_the_processor_saturates():
    found = advised(OLD, ONE)
    assert found["saturable"] == 1
    ways = "use int8-static:strict or int8-static:reduce"
    for part in ("1 product can", "MatMul fc1 in 3 of 8", ways):
        assert part in found["advice"]
    for facts in (VNNI, ARM | {"int8_saturates": False}):
        assert advised(facts, ONE)["saturable"] == 0
        assert "saturate" not in str(advised(facts, ONE)["advice"])
    assert advised(OLD, ONE, options={recipes.EXACT: "1"}) == {"saturable": 0, "advice": None}


@pytest.mark.parametrize(
    ("recipe", "way"), [("int8-static", "use int8-static:reduce"), ("fp32", "use 7-bit weights")]
)
def test_exact_sums_are_not_the_way_out_where_nodes_share_weights(recipe, way):
    shared = tuple(dataclasses.replace(one, shared=True) for one in ONE)
    said = advised(OLD, shared, recipe=recipe)["advice"]
    assert said.endswith(way)


def test_weights_that_can_not_saturate_need_no_advice():
    assert advised(OLD, ()) == {"saturable": 0, "advice": None}
    old_folder = advised(OLD)
    assert old_folder["saturable"] is None
    assert "saturate" in old_folder["advice"], "nobody looked: the recipe decides"


def test_any_file_can_saturate_whatever_made_it():
    said = advised(OLD, ONE, recipe="file")["advice"]
    assert "saturate" in said
    assert "reduce" not in said, "a file that is given can't be made anew"


def test_what_the_runtime_answered_outweighs_the_flags():
    """An emulated processor shows its host's flags."""
    assert recipes.cpu_kind(VNNI | {"int8_saturates": True}) == "x86"
    assert recipes.cpu_kind(OLD | {"int8_saturates": False}) == "x86-vnni"
    assert recipes.cpu_kind(OLD | {"int8_saturates": None}) == "x86"
    (static, _) = recipes.suited(CPU, OLD | {"int8_saturates": False})
    assert "no saturation found" in static.why


def test_a_strict_variant_is_the_same_file_with_the_option():
    made = make_plan(study(["fp32", "int8-dynamic", "int8-dynamic:strict"]),
                     (CPU,), Known(facts={"a": OLD}))  # fmt: skip
    options = {t.variant: t.session_options for t in made.trials}
    assert options == {
        "fp32": {}, "int8-dynamic": {}, "int8-dynamic-strict": {recipes.EXACT: "1"}
    }  # fmt: skip
    fast, strict = (VariantSpec.from_text(t) for t in ("int8-dynamic", "int8-dynamic:strict"))
    assert int8_dynamic.parameters(fast) == int8_dynamic.parameters(strict)
    ready = VariantSpec(name="mine", file="mine.onnx", strict=True)
    assert ready.recipe == "file"
    with pytest.raises(DecodeError, match="strict belongs to int8-dynamic, int8-static, file"):
        VariantSpec(name="fp16", strict=True)
