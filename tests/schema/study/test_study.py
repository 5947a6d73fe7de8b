from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.errors import StudyError
from profiler.schema.device.target_files import find_target, known_targets
from profiler.schema.study.identity import study_hash
from profiler.schema.study.study import Study
from profiler.wire.codec import DecodeError, decode, encode

MINIMAL = {"name": "s", "models": [{"name": "m", "onnx": "m.onnx"}]}


def read(tmp_path: Path, text: str) -> Study:
    path = tmp_path / "study.toml"
    path.write_text(text)
    return Study.read(path)


def message(tmp_path: Path, text: str) -> str:
    with pytest.raises(StudyError) as caught:
        read(tmp_path, text)
    return f"{caught.value.message} | {caught.value.hint}"


def test_short_and_long_forms_mean_the_same() -> None:
    short = decode(Study, {**MINIMAL, "variants": ["int8-static"], "scenarios": ["offline"]})
    long = decode(
        Study,
        {**MINIMAL, "variants": [{"name": "int8-static", "recipe": "int8-static"}],
         "scenarios": [{"kind": "offline", "batch": [1, 8, 32]}]},
    )  # fmt: skip
    assert short == long


def test_the_baseline_is_always_there_and_first() -> None:
    study = decode(Study, {**MINIMAL, "variants": ["int8-static", "int8-dynamic"]})
    assert [v.name for v in study.variants_of(study.models[0])] == [
        "fp32", "int8-static", "int8-dynamic",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("name = ", ["study.toml", "not valid TOML"]),
        ('models = []', ["models", "at least one [[models]]"]),
        ('[[models]]\nname = "m"\nonx = "a.onnx"', ["models[0].onx", 'did you mean "onnx"?']),
        ('[[models]]\nname = "m"', ["models[0]", "exactly one of onnx"]),
        ('[[models]]\nname = "m"\nonnx = "a"\ntorch = "b:c"', ["exactly one of onnx"]),
        ('[[models]]\nname = "m"\ntorch = "b"', ["models[0].torch", '"module:callable"']),
        ('[[models]]\nname = "../x"\nonnx = "a"', ["models[0].name", "letters, digits"]),
        ('variants = ["int8-statik"]\n[[models]]\nname = "m"\nonnx = "a"',
         ["variants[0]", 'did you mean "int8-static"?']),
        ('scenarios = ["singel_stream"]\n[[models]]\nname = "m"\nonnx = "a"',
         ["scenarios[0]", 'did you mean "single_stream"?']),
        ('threads = [0]\n[[models]]\nname = "m"\nonnx = "a"',
         ["threads[0]", "from 1 to 4096", "got 0"]),
        ('threads = "2"\n[[models]]\nname = "m"\nonnx = "a"', ["threads", "a list of a whole"]),
        ('[slo]\np99 = 5\n[[models]]\nname = "m"\nonnx = "a"', ["slo.p99", "'5ms'", "got 5"]),
        ('[slo]\np99 = "5 mins"\n[[models]]\nname = "m"\nonnx = "a"', ["slo.p99", "'5ms'"]),
        ('[measure]\nmin_rounds = 2\n[[models]]\nname = "m"\nonnx = "a"', ["measure.min_rounds"]),
        ('[[models]]\nname = "m"\nonnx = "a"\n[[models]]\nname = "m"\nonnx = "b"',
         ["models", "once", '"m"']),
        ('[data]\nfile = "x.npz"\ntask = "classify"\n[[models]]\nname = "m"\nonnx = "a"',
         ["data.task", "classification"]),
    ],
)  # fmt: skip
def test_a_wrong_study_gets_one_clear_message(tmp_path: Path, text: str, parts: list[str]) -> None:
    found = message(tmp_path, text)
    for part in parts:
        assert part in found


def test_a_missing_study_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no such file"):
        Study.read(tmp_path / "nope.toml")
    with pytest.raises(StudyError, match="can't be read"):
        Study.read(tmp_path)


def test_an_unknown_target_gets_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        find_target("local-cpy", tmp_path)
    assert caught.value.hint == 'did you mean "local-cpu"?'


def test_every_shipped_target_decodes(tmp_path: Path) -> None:
    known = known_targets(tmp_path)
    assert "local-cpu" in known
    for name in known:
        assert find_target(name, tmp_path).name == name


def test_a_users_target_hides_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "local-cpu.toml").write_text('description = "mine"')
    assert find_target("local-cpu", tmp_path).description == "mine"


def test_the_hash_follows_the_meaning_not_the_text(tmp_path: Path) -> None:
    base = '[[models]]\nname = "m"\nonnx = "a"\n'
    one = read(tmp_path, 'name = "s"\n# a comment\n' + base)
    two = read(tmp_path, 'name = "s"\nthreads = []\n' + base)
    other = read(tmp_path, 'name = "s"\nthreads = [2]\n' + base)
    assert study_hash(one, ()) == study_hash(two, ())
    assert study_hash(one, ()) != study_hash(other, ())


scalars = st.one_of(st.integers(-3, 3), st.text(max_size=6), st.booleans(), st.floats(), st.none())
keys = st.sampled_from([*Study.__dataclass_fields__, "modles", "x"])
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "onnx", "kind", "p99", "batch", "file"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=300)
@given(st.dictionaries(keys, values, max_size=5))
def test_any_table_decodes_or_names_the_key(data: dict[str, object]) -> None:
    try:
        study = decode(Study, {**MINIMAL, **data})
    except DecodeError as error:
        assert error.expected
    else:
        assert decode(Study, encode(study)) == study
