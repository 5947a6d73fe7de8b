"""Text from end to end: tokenized for the timing, perturbed and tokenized again for the stress."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from profiler.campaign.input_hashes import input_hashes
from profiler.campaign.run import run
from profiler.cli import app
from profiler.commands import look
from profiler.errors import InputError, ProfilerError, StudyError
from profiler.results.results import Results
from profiler.schema.study.study import Study
from profiler.store.blobs import read_array
from profiler.stress.text import perturb_text

pytestmark = pytest.mark.usefixtures("one_round")

tokenizers = pytest.importorskip(
    "tokenizers", reason="needs tokenizers: pip install 'hardware-profiler[text]'"
)
GOOD = ("good", "great", "lovely", "superb")
BAD = ("bad", "awful", "boring", "poor")
PLAIN = ("the", "film", "was", "a", "plot", "with", "actors")
TEXT = """
[data.text]
column = "sentence"
tokenizer = "tok"
"""
STRESS = """
[stress]
perturbations = ["text"]
severities = [1, 5]
probes = false
"""


def sentences(count=120):
    """Each says good or bad with one word among plain ones; label 1 for good."""
    random = np.random.default_rng(0)
    texts, labels = [], []
    for n in range(count):
        label = n % 2
        words = [str(random.choice(PLAIN)) for _ in range(3 + n % 5)]
        words.insert(n % len(words), str(random.choice(GOOD if label else BAD)))
        texts.append(f"{' '.join(words)} {n}.")
        labels.append(label)
    return np.array(texts), np.array(labels)


def make_tokenizer(folder):
    """Words that are not known fall apart into letters."""
    known = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *GOOD, *BAD, *PLAIN, *"0123456789.,;:!?'-")
    letters = [c for c in "abcdefghijklmnopqrstuvwxyz" if c not in known]
    vocabulary = {w: i for i, w in enumerate([*known, *letters])}
    vocabulary |= {
        f"##{c}": len(vocabulary) + i for i, c in enumerate("abcdefghijklmnopqrstuvwxyz")
    }
    made = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    folder.mkdir(exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    return made, vocabulary


def make_bag(path, vocabulary):
    """Mean of embeddings where the mask is 1, then two scores: the words of GOOD and BAD decide."""
    random = np.random.default_rng(1)
    weights = random.normal(0, 0.05, (len(vocabulary), 16)).astype(np.float32)
    for words, sign in ((GOOD, 1), (BAD, -1)):
        for word in words:
            weights[vocabulary[word], 0] = sign * 3.0
    last = random.normal(0, 0.05, (16, 2)).astype(np.float32)
    last[0] = [-1, 1]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "axis"], ["wide"]),
        helper.make_node("Mul", ["words", "wide"], ["seen"]),
        helper.make_node("ReduceSum", ["seen", "first"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "first"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
        helper.make_node("MatMul", ["mean", "last"], ["scores"]),
    ]
    both = ["batch", "sequence"]
    graph = helper.make_graph(
        nodes,
        "bag",
        [helper.make_tensor_value_info(n, TensorProto.INT64, both)
         for n in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2])],
        [
            numpy_helper.from_array(weights, "table"), numpy_helper.from_array(last, "last"),
            numpy_helper.from_array(np.array([2]), "axis"),
            numpy_helper.from_array(np.array([1]), "first"),
        ],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path
    )


@pytest.fixture
def text_study(tmp_path, make_study):
    """text_study(more) -> study of the bag in fp32 and int8-dynamic over 120 sentences."""

    def make(more=STRESS, text=TEXT, variants='["fp32", "int8-dynamic"]'):
        _, vocabulary = make_tokenizer(tmp_path / "tok")
        path = make_study(
            f"variants = {variants}\n" + more
            + '[[models]]\nname = "bag"\nonnx = "bag.onnx"\n'
            + '[data]\nfile = "reviews.csv"\nlabels = "label"\ncalibration_rows = 20\n' + text,
            data=False,
        )  # fmt: skip
        import pandas as pd

        texts, labels = sentences()
        pd.DataFrame({"sentence": texts, "label": labels}).to_csv(
            tmp_path / "reviews.csv", index=False
        )
        make_bag(tmp_path / "bag.onnx", vocabulary)
        return path

    return make


def stress_rows(folder):
    lines = (folder / "rows.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == "stress"]


@pytest.mark.usefixtures("undrawn")
def test_text_is_measured_perturbed_and_judged(text_study, tmp_path):
    path, out = text_study(), tmp_path / "out"
    done = CliRunner().invoke(app, ["run", str(path), "--output", str(out)])
    assert done.exit_code == 0, done.output
    results = Results.load(out)
    rows = stress_rows(out)
    assert {(r["perturbation"], r["severity"]) for r in rows} == {
        (name, severity) for name in ("typos", "case", "punctuation") for severity in (1, 5)
    }
    assert {row["status"] for row in rows} == {"ok"}
    points = {(p.trial, p.perturbation, p.severity): p for p in results.stress.points}
    base = next(t for t in results.trials if "fp32" in t)
    variant = next(t for t in results.trials if "int8" in t)
    assert points[base, "typos", 0].accuracy == 1
    for name in ("typos", "case"):  # half of the words that decide are not known any more
        assert 0.5 < points[base, name, 5].accuracy < 0.9
        assert points[base, name, 5].accuracy < points[base, name, 1].accuracy
    assert points[base, "punctuation", 5].accuracy == 1
    found = points[variant, "typos", 5]
    assert found.low <= found.drop <= found.high

    shown = CliRunner().invoke(app, ["stress", str(out)])
    assert shown.exit_code == 0, shown.output
    told = " ".join(shown.output.split())
    assert "Loss beyond the baseline under the same stress, points: bag" in told
    assert 'synonyms left out of "text"' in told


def test_the_answers_are_those_of_the_model_to_the_changed_text(text_study, tmp_path):
    import onnxruntime as ort

    path = text_study(STRESS + 'synonyms = "words.tsv"\n', variants='["fp32"]')
    (tmp_path / "words.tsv").write_text("good\tsplendid\nbad\tgood\nfilm\tmovie\n")
    results = run(path, tmp_path / "out")
    evaluation = results.prepared.evaluation
    assert evaluation is not None
    texts = sentences()[0][read_array(results.folder, evaluation.numbers)]
    tokenizer, _ = make_tokenizer(tmp_path / "tok")
    length = max(len(tokenizer.encode(t).ids) for t in sentences()[0])
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(length=length)
    session = ort.InferenceSession(tmp_path / "bag.onnx")
    rows = [r for r in stress_rows(tmp_path / "out") if "fp32" in r["trial"]]
    assert len(rows) == 4 * 2
    synonyms = {"good": ("splendid",), "bad": ("good",), "film": ("movie",)}
    for row in rows:
        changed = perturb_text(
            texts, row["perturbation"], row["severity"], seed=0, synonyms=synonyms
        )
        encoded = tokenizer.encode_batch(changed)
        fed = {
            "input_ids": np.array([e.ids for e in encoded]),
            "attention_mask": np.array([e.attention_mask for e in encoded]),
        }
        expected = session.run(None, fed)[0].argmax(axis=1)
        assert (read_array(results.folder, row["answers"]) == expected).all()


def test_a_changed_tokenizer_or_word_list_is_another_study(text_study, tmp_path):
    study = Study.read(text_study(STRESS + 'synonyms = "words.tsv"\n'))
    (tmp_path / "words.tsv").write_text("good\tfine\n")
    before = input_hashes(study)
    assert {"words.tsv", "tok/tokenizer.json"} < set(before)
    (tmp_path / "words.tsv").write_text("good\tsuperb\n")
    file = tmp_path / "tok" / "tokenizer.json"
    file.write_text(file.read_text() + "\n")
    after = input_hashes(study)
    assert {name for name in before if after[name] != before[name]} == {
        "words.tsv", "tok/tokenizer.json",
    }  # fmt: skip


def test_text_is_kept_only_where_it_is_perturbed(text_study, tmp_path):
    results = run(text_study("[stress]\n", variants='["fp32"]'), tmp_path / "out")
    assert results.prepared.evaluation.text is None
    kept = [np.load(f, allow_pickle=False) for f in (tmp_path / "out" / "outputs").glob("*.npy")]
    assert kept
    assert not any(array.dtype.kind == "U" for array in kept)


def test_the_plan_says_what_is_left_out(text_study, capsys):
    look.plan(text_study(), json=False)
    told = " ".join(capsys.readouterr().out.split())
    assert "6 perturbed sets" in told
    assert 'synonyms left out of "text"' in told


@pytest.mark.parametrize(
    ("stress", "error", "parts"),
    [
        ('perturbations = ["images"]', InputError, ("input_ids int64", '["text"]')),
        ('perturbations = ["missing"]', InputError, ("missing", '["text"]')),
        ('perturbations = ["synonyms"]', StudyError, ("stress.synonyms", "synonyms.tsv")),
        ('perturbations = ["case"]\nsynonyms = "w.tsv"', StudyError, ("stress.synonyms",)),
        ('perturbations = ["text"]\nsynonyms = "w.tsv"', InputError, ("w.tsv", "No such file")),
        ('perturbations = ["text", "typos"]', StudyError, ("occur once",)),
    ],
)
def test_what_can_not_be_done_to_text_is_one_clear_error(
    text_study, tmp_path, stress, error, parts
):
    path = text_study(f"[stress]\n{stress}\n")
    with pytest.raises(ProfilerError) as caught:
        run(path, tmp_path / "out")
    assert isinstance(caught.value, error)
    told = f"{caught.value.message} {caught.value.hint}"
    for part in parts:
        assert part in told
    assert not (tmp_path / "out" / "rows.jsonl").exists(), "told before anything is measured"


def test_numbers_are_no_text(make_study, tmp_path):
    path = make_study('[stress]\nperturbations = ["text"]\n')
    with pytest.raises(InputError, match=r"rows\.npz is read as numbers") as caught:
        run(path, tmp_path / "out")
    assert "[data.text]" in caught.value.hint


def test_a_model_that_reads_no_text_is_told(make_study, tmp_path):
    """It measures numbers beside the text; nothing could be perturbed."""
    path = make_study('[stress]\nperturbations = ["typos"]\n')
    make_tokenizer(tmp_path / "tok")
    arrays = dict(np.load(tmp_path / "rows.npz"))
    np.savez(tmp_path / "rows.npz", sentence=sentences(48)[0], **arrays)
    told = path.read_text().replace("[data]\n", '[data]\ninputs = { x = "x" }\n')
    path.write_text(told.replace("[measure]", TEXT + "[measure]"))
    with pytest.raises(InputError, match="m has x, none of which"):
        run(path, tmp_path / "out")


def test_an_input_that_text_does_not_make_is_told(text_study, tmp_path):
    path = text_study(text=TEXT + 'inputs = { ids = "ids" }\n')
    with pytest.raises(ProfilerError, match="input_ids"):
        run(path, tmp_path / "out")
