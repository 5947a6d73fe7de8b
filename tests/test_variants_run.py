"""A study with many recipes from end to end: rows for all, reasons for what can't be made."""

from profiler.campaign import run


def test_auto_is_resolved_on_the_target_and_a_variant_that_fails_is_a_row(make_study, tmp_path):
    path = make_study('variants = ["fp32", "auto", "bf16", "fp16"]')
    results = run(path, tmp_path / "out")
    rows = {row["variant"]: row for row in results.rows}
    assert "auto" not in rows
    assert any(name.startswith("int8-static-") for name in rows)
    assert rows["bf16"]["status"] == "excluded"
    assert "bf16 model" in rows["bf16"]["reason"]
    assert results.study.variants[1].name == "auto"
    made = results.prepared.artifacts
    why = [a.made_by["why"] for (_, name), a in made.items() if name.startswith("int8")]
    assert why
    assert all(text.startswith("auto: ") for text in why)
    before = len(results.rounds)
    assert len(run(path, tmp_path / "out").rounds) == before


def test_a_changed_ready_file_is_a_changed_study(make_study, make_model, tmp_path):
    from profiler.prepare import input_hashes
    from profiler.schema.study import Study

    path = make_study('variants = ["fp32", {name = "mine", file = "mine.onnx"}]')
    make_model("mine.onnx", seed=1)
    before = input_hashes(Study.read(path))
    make_model("mine.onnx", seed=2)
    after = input_hashes(Study.read(path))
    assert {k for k in after if before[k] != after[k]} == {"mine.onnx"}
    rows = {row["variant"]: row for row in run(path, tmp_path / "out").rows}
    assert rows["mine"]["status"] == "ok"
    assert rows["mine"]["agreement"] < 1
