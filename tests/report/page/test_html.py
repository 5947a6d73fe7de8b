from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from profiler.report.page.html import page

# Names in a namespace or schema, and links that Vega's code holds but never follows.
NOT_FETCHED = (
    "http://www.w3.org/",
    "https://vega.github.io/schema/",
    "https://vega.github.io/editor/",
    "https://github.com/vega/",
)


class Reader(HTMLParser):
    """Collects elements with their attributes, and the text outside scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.inside: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self.inside.pop()

    def handle_data(self, data):
        if not self.inside:
            self.words.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


@pytest.fixture(scope="module")
def shown(request) -> str:
    """The page, made once: the script bundle takes a second."""
    return page(request.getfixturevalue("page_report"))


@pytest.fixture(scope="module")
def page_report(build):
    return build()


def test_nothing_is_fetched(shown):
    for url in re.findall(r"https?://[^\"'\s`)\\<>]+", shown):
        assert url.startswith(NOT_FETCHED), url
    for tag, attributes in read(shown).elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        for name in ("src", "href", "srcset", "action"):
            assert (attributes.get(name) or "data:").startswith("data:"), (tag, attributes)
    assert "@import" not in shown
    assert "default-src &#x27;none&#x27;" in shown or "default-src 'none'" in shown


def test_says_what_matters(shown):
    words = " ".join(" ".join(read(shown).words).split())
    for part in (
        "digits",
        "20 trials: 18 measured, 1 failed, 1 excluded",
        "convnet int8-static with 2",
        "2.7 times as fast",
        "How it was measured",
        "blocks of 20 ms, interleaved",
        "AMD EPYC 7763 (2 of 64 cores)",
        "max |Δ| 4.8e-07",
        "found 'schedutil'",
        "linear has one operator: threads change nothing",
        "Could not find an implementation for DynamicQuantizeMatMul(1)",
    ):
        assert part in words


def test_no_missing_value_shows_through(shown):
    words = read(shown).words
    assert not any(word.strip() in ("nan", "None", "NaN", "inf", "<NA>") for word in words)


def test_figures_are_complete_json_for_every_look(shown):
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', shown)
    figures = json.loads(found[1])
    assert set(figures) == {"frontier-0", "ratio-0"}
    for specs in figures.values():
        assert set(specs) == {f"{s}-{c}" for s in ("wide", "narrow") for c in ("light", "dark")}
        for spec in specs.values():
            assert "url" not in json.dumps(spec)


def test_accessible(shown):
    reader = read(shown)
    assert ("html", {"lang": "en"}) in reader.elements
    pictures = [a for tag, a in reader.elements if tag == "img"]
    assert len(pictures) == 2
    assert all(len(a.get("alt") or "") > 40 for a in pictures)
    headers = [a for tag, a in reader.elements if tag == "th"]
    assert headers
    assert all(a.get("scope") in ("row", "col") for a in headers)
    assert sum(tag == "h1" for tag, _ in reader.elements) == 1
    assert any(a.get("name") == "viewport" for tag, a in reader.elements if tag == "meta")
    regions = [a for _, a in reader.elements if a.get("class") == "wide"]
    assert all(a.get("tabindex") == "0" and a.get("aria-label") for a in regions)


def test_rows_have_as_many_cells_as_the_head(shown):
    tables = re.findall(r"<table.*?</table>", shown, re.S)
    assert len(tables) >= 5
    for table in tables:
        rows = re.findall(r"<tr.*?</tr>", table, re.S)
        assert len({len(re.findall(r"<t[hd][ >]", row)) for row in rows}) == 1


def test_everything_is_escaped(build):
    evil = "<script>alert(1)</script>"
    report = build()
    frame = report.frame.assign(
        model=report.frame["model"].replace({"mlp": evil}),
        reason=f"{evil}&\"'",
        noise=evil,
        p99_note=evil,
    )
    text = page(
        build(
            frame,
            study_name=evil,
            choice=evil,
            runners_up=(evil,),
            warnings=(evil,),
            settings={evil: evil},
            targets=({"target": evil, evil: evil},),
            created=evil,
            artifacts=(
                {
                    "model": evil,
                    "variant": evil,
                    "sha": evil,
                    "bytes": 1,
                    "made_by": {evil: evil},
                    "parity": evil,
                },
            ),
        )
    )
    scripts = [a for tag, a in read(text).elements if tag == "script"]
    assert len(scripts) == 3
    assert "alert(1)</script>" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_nothing_measured_still_has_its_reasons(build):
    report = build()
    text = page(build(report.frame.assign(status="failed", reason="link down")))
    assert "link down" in text
    assert "<figure" not in text
    assert "<script" not in text
