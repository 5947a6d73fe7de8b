"""What is made before anything is measured, and what folders written before say of it."""

from profiler.campaign.prepare import prepare
from profiler.campaign.run import Campaign
from profiler.planning import recipes
from profiler.progress import Silent
from profiler.schema.artifact import Artifact, Tensor, Values
from profiler.schema.study.study import Study
from profiler.store.folder import ARTIFACTS
from profiler.store.prepared import recall
from profiler.wire.codec import encode


def recorded(**more):
    shapes = {"x": ("seq", "batch", 4), "scale": ()}
    made = Artifact(
        model="m", variant="fp32", sha="0" * 64, path="artifacts/m.onnx",
        takes={"i": Values(low=1, input="x", axis=1, counts=True)}, bytes=1,
        outputs=(Tensor(name="y", dtype="float32", shape=("batch", 4)),),
        inputs=tuple(Tensor(name=n, dtype="float32", shape=s) for n, s in shapes.items()),
    )  # fmt: skip
    return {
        "artifacts": [encode(made)], "failed": [], "inputs": {}, "fixed_batch": {},
        "evaluation": None, **more,
    }  # fmt: skip


def test_an_older_folder_counts_along_first_axes():
    plain = recorded()
    del plain["artifacts"][0]["takes"]
    prepared = recall(plain, "artifacts.json")
    assert prepared.samples == {"m": ("seq",)}
    assert prepared.symbolic == {"m": {"batch"}}


def test_the_axis_that_was_found_is_remembered():
    prepared = recall(recorded(samples={"m": ["batch"]}), "artifacts.json")
    assert prepared.symbolic == {"m": {"seq"}}
    assert prepared.artifacts["m", "fp32"].takes["i"].axis == 1


def test_auto_makes_what_suits_a_target_that_was_away_at_first(make_study, tmp_path):
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "device.toml").write_text('transport = "ssh"\n[ssh]\nhost = "d"\n')
    study = Study.read(make_study('variants = ["fp32", "auto"]', targets='["local-cpu", "device"]'))
    here, arm = {"architecture": "x86_64", "int8_saturates": True}, {"architecture": "aarch64"}

    def prepared(**facts):
        """As a command does that finds these facts, in one folder."""
        campaign = Campaign(study, tmp_path / "out", Silent())
        try:
            resolved = recipes.resolve(study, campaign.targets, {"local-cpu": here, **facts})
            return prepare(resolved, campaign.store, tmp_path / "cache", Silent())
        finally:
            campaign.close()

    first = prepared(device={"unavailable": "no answer"})
    new = {("m", "int8-static-s8s8")}
    assert not new & first.artifacts.keys()
    second = prepared(device=arm)
    assert second.artifacts.keys() - first.artifacts.keys() == new
    assert second.artifacts["m", "int8-static-s8s8"].made_by["calibration_rows"] == "8"
    assert {key: second.artifacts[key] for key in first.artifacts} == first.artifacts
    assert (second.inputs, second.evaluation) == (first.inputs, first.evaluation)
    before = (tmp_path / "out" / ARTIFACTS).stat()
    assert prepared(device=arm) == second
    assert (tmp_path / "out" / ARTIFACTS).stat().st_mtime_ns == before.st_mtime_ns
