"""A planted bad variant is called worse, by its class, and never recommended; a copy never is."""

import pytest

from profiler.campaign.run import run
from profiler.commands import look
from profiler.report.brief import choice_text


@pytest.fixture(scope="module")
def demo(load_script):
    return load_script("demo_bad_variant")


@pytest.mark.usefixtures("one_round")
def test_the_bad_variant_is_worse_named_and_not_recommended(demo, tmp_path, capsys):
    results = run(demo.write(tmp_path, "1s"), tmp_path / "out")
    rows = {row["variant"]: row for row in results.rows}
    assert rows["clipped"]["quality"] == "worse"
    assert rows["clipped"]["damaged"].startswith(f"class {demo.RUINED}: ")
    assert ";" not in rows["clipped"]["damaged"]
    assert rows["copy"]["quality"] == "non-inferior"
    assert (rows["copy"]["drop"], rows["copy"]["damaged"]) == (0.0, None)
    assert rows["clipped"]["p50_ns"] < rows["fp32"]["p50_ns"] / 2
    choice = results.choose()
    assert choice.trial is not None
    assert "clipped" not in choice.trial
    why = dict(choice.rejected)[rows["clipped"]["trial"]]
    assert why.startswith("worse than its baseline: ")
    assert f"class {demo.RUINED}: " in why
    assert "clipped" not in choice_text(choice)
    look.table(results, "text")
    shown = " ".join(capsys.readouterr().out.split())
    assert "↓ worse" in shown
    assert f"class {demo.RUINED}: " in shown


@pytest.mark.usefixtures("one_round")
def test_too_few_rows_say_how_many_it_takes(demo, tmp_path, capsys):
    results = run(demo.write(tmp_path, "1s", evaluation_rows=100), tmp_path / "out")
    rows = {row["variant"]: row for row in results.rows}
    assert rows["copy"]["quality"] == "undecided"
    assert rows["copy"]["quality_n_needed"] == 301
    look.table(results, "text")
    shown = " ".join(capsys.readouterr().out.split())
    assert "undecided, needs n = 301" in shown
