"""Perturbed text: seeded, a stated share of words, nothing changed that was not meant."""

import re

import pytest

from profiler.errors import InputError
from profiler.schema.study.stress import KINDS
from profiler.stress.text import (
    NEIGHBOURS,
    SHARES,
    changeable,
    check,
    perturb_text,
    read_synonyms,
)

TEXT = KINDS["text"]

SYNONYMS = {"good": ("fine", "decent"), "film": ("movie",), "plot": ("story line",)}
ROWS = [
    f"The good film, number {n} has a Plot; it\tain't  BAD (really).\nIs it?" for n in range(400)
]


def changed(name, severity, seed=0, rows=ROWS):
    return perturb_text(rows, name, severity, seed=seed, synonyms=SYNONYMS)


def words(rows):
    return [word for row in rows for word in re.split(r"(\s+)", row)]


@pytest.mark.parametrize("name", TEXT)
def test_severity_is_the_share_of_words_that_change(name):
    possible = len(list(changeable(ROWS, name, SYNONYMS)))
    before = set()
    for severity, share in enumerate(SHARES, start=1):
        pairs = (
            list(zip(words(ROWS), words(changed(name, severity)), strict=True))
            if name != "synonyms"
            else []
        )
        found = {i for i, (a, b) in enumerate(pairs) if a != b}
        if name == "synonyms":  # "story line" is two words: count by rows of one word instead
            single = [w for row in ROWS for w in row.split()]
            new = changed(name, severity, rows=single)
            found = {i for i, (a, b) in enumerate(zip(single, new, strict=True)) if a != b}
        assert len(found) / possible == pytest.approx(share, abs=0.035)
        assert before < found, "worse, and the same words as before among them"
        before = found


@pytest.mark.parametrize("name", TEXT)
def test_worse_severities_keep_the_changes_of_milder_ones(name):
    single = [w for row in ROWS for w in row.split()]
    mild, bad = changed(name, 2, rows=single), changed(name, 4, rows=single)
    assert all(b == m for w, m, b in zip(single, mild, bad, strict=True) if m != w)


@pytest.mark.parametrize("name", TEXT)
def test_the_seed_decides(name):
    assert changed(name, 3) == changed(name, 3)
    assert changed(name, 3) != changed(name, 3, seed=1)


@pytest.mark.parametrize("name", TEXT)
def test_white_space_stays_and_no_row_becomes_empty(name):
    rows = ["?", "- good", "a", "  x\ty  ", "…", "été", "42", "好电影", "GOOD"] * 30
    for before, after in zip(rows, changed(name, 5, rows=rows), strict=True):
        assert after.strip()
        assert re.findall(r"\s+", after) == re.findall(r"\s+", before)


def test_typos_are_one_edit_near_the_key():
    kinds = set()
    single = ["Sentence", "good", "a", "film,"] * 500
    for word, typed in zip(single, changed("typos", 5, rows=single), strict=True):
        if typed == word:
            continue
        if len(typed) < len(word):
            kinds.add("left out")
            assert any(word[:i] + word[i + 1 :] == typed for i in range(len(word)))
        elif len(typed) > len(word):
            kinds.add("added")
            assert any(typed[:i] + typed[i + 1 :] == word for i in range(len(typed)))
        else:
            apart = [i for i in range(len(word)) if word[i] != typed[i]]
            if len(apart) == 2:
                kinds.add("swapped")
                i, j = apart
                assert j == i + 1
                assert (typed[i], typed[j]) == (word[j], word[i])
            else:
                kinds.add("neighbour")
                assert typed[apart[0]].lower() in NEIGHBOURS[word[apart[0]].lower()]
                assert typed[apart[0]].isupper() == word[apart[0]].isupper()
    assert kinds == {"left out", "added", "swapped", "neighbour"}


def test_keys_touch_each_other_both_ways():
    assert set(NEIGHBOURS["g"]) == set("tyfhvb")
    assert set(NEIGHBOURS["a"]) == set("qwsz")
    assert all(key in NEIGHBOURS[other] for key, near in NEIGHBOURS.items() for other in near)


def test_case_changes_case_only():
    new = changed("case", 5)
    assert [row.casefold() for row in new] == [row.casefold() for row in ROWS]
    kinds = {w for row in new for w in row.split() if w.lower() == "film,"}
    assert {"film,", "FILM,"} < kinds
    assert len(kinds) > 3


def test_punctuation_changes_punctuation_only():
    new = changed("punctuation", 5)
    bare = [re.sub(r"[^\w\s]", "", row) for row in ROWS]
    assert [re.sub(r"[^\w\s]", "", row) for row in new] == bare
    told = " ".join(new)
    assert "aint" in told
    assert "really" in told.split()
    assert re.search(r"number[,.;:!?'-]", told)


def test_synonyms_keep_capitals_and_marks():
    rows = ["Good film, GOOD Plot."] * 200
    told = " ".join(changed("synonyms", 5, rows=rows))
    for wanted in ("Fine ", "Decent ", "movie,", "FINE", "DECENT", "Story line."):
        assert wanted in told


def test_a_file_of_synonyms_is_read(tmp_path):
    path = tmp_path / "synonyms.tsv"
    path.write_text("# words\n\nGood\tfine, decent\ngood\tfine,nice\n")
    assert read_synonyms(path) == {"good": ("fine", "decent", "nice")}
    for text, told in (
        ("good fine\n", "line 1"),
        ("good\tfine\nbad\t ,\n", "line 2"),
        ("very good\tfine\n", "line 1"),
        ("# nothing\n", "at least one"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=told):
            read_synonyms(path)
    path.write_bytes(b"caf\xe9\tbar\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_synonyms(path)
    with pytest.raises(InputError, match="No such file"):
        read_synonyms(tmp_path / "none.tsv")


def test_what_finds_nothing_to_change_is_told():
    check(TEXT, ROWS, SYNONYMS)
    with pytest.raises(InputError, match="synonyms finds no word"):
        check(("typos", "synonyms"), ROWS, {"zebra": ("horse",)})
    with pytest.raises(InputError, match="case finds no word"):
        check(("case",), ["好电影", "42"], None)
