"""A target that lies beside a good one: that one's study is whole, the liar fails in one line."""

import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler import Study, load, run
from profiler.commands import measure
from profiler.errors import TransportError

MakeStudy = Callable[..., Path]
BOTH = '["liar", "local-cpu"]'
ROUNDS = '[measure]\nbudget = "20s"\nround_time = "20ms"\nmin_rounds = 4\nmax_rounds = 4\n'

# Stands between the host and a real worker, and changes what that says.
LIAR = """#!{python}
import json, hashlib, io, subprocess, sys
import numpy as np
worker = subprocess.Popen([{python!r}, *sys.argv[1:]], stdout=subprocess.PIPE)
out = None

def put(values):
    buffer = io.BytesIO()
    np.save(buffer, values)
    name = hashlib.sha256(buffer.getvalue()).hexdigest()
    with open(f"{{out}}/{{name}}", "wb") as file:
        file.write(buffer.getvalue())
    return name

for line in worker.stdout:
    mark, _, body = line.partition(b" ")
    said = json.loads(body)
    result = said.get("result") or {{}}
    out = result.get("out", out)
    for one in result.get("repetitions", ()):
        {lie}
    sys.stdout.write(mark.decode() + " " + json.dumps(said) + "\\n")
    sys.stdout.flush()
sys.exit(worker.wait())
"""


@pytest.fixture
def study(make_study: MakeStudy, tmp_path: Path) -> Callable[[str], Study]:
    """A study on a device that changes each repetition by a line of Python, and on a good one."""

    def make(lie: str) -> Study:
        program = tmp_path / "liar"
        program.write_text(LIAR.format(python=sys.executable, lie=lie))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        (tmp_path / "targets").mkdir()
        (tmp_path / "targets" / "liar.toml").write_text(f'python = "{program}"\n')
        return Study.read(make_study(ROUNDS, targets=BOTH))

    return make


def test_the_good_ones_study_is_whole(study: Callable[[str], Study], tmp_path: Path) -> None:
    lying = study('if one["outputs"]: one["outputs"] = {"scores": put(np.zeros((40, 2, 2)))}')
    results = run(lying, tmp_path / "out")
    with pytest.raises(TransportError) as caught:
        measure.refuse_lost(results)
    assert caught.value.exit_code == 3
    assert caught.value.message.startswith("liar: m/fp32@liar")
    assert "its predictions can't be judged: data.task: classification" in caught.value.message
    assert caught.value.message.isprintable()
    rows = {row["target"]: row for row in load(tmp_path / "out").rows}
    assert rows["local-cpu"]["status"] == "ok"
    assert rows["local-cpu"]["rounds"] == 4
    assert rows["local-cpu"]["accuracy"] == 1.0
    assert rows["liar"]["status"] == "failed"
    assert rows["liar"]["reason"] in caught.value.message
