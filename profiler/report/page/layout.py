"""The fixed parts of the HTML page: style sheet and script."""

from __future__ import annotations

from typing import Final

# Contrast: ink on paper 15:1, muted on paper 6:1, in both schemes.
STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2128; --muted: #5b6470; --rule: #c9ced6;
  --soft: #f5f6f8; --paper: #ffffff; --accent: #0072b2; --bad: #a3330a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaee; --muted: #a3adb8; --rule: #3b434c;
  --soft: #1e2227; --paper: #16191d; --accent: #56b4e9; --bad: #f0863c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 54rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto,
  "Liberation Sans", Arial, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; }
h2 { font-size: 1.15rem; margin: 2.75rem 0 .75rem; }
p { margin: .5rem 0; }
.meta, .notes, footer { color: var(--muted); font-size: .875rem; }
.choice { border-left: 4px solid var(--accent); background: var(--soft); padding: .9rem 1.1rem;
  margin: 1.5rem 0; }
.choice .head { font-size: 1.15rem; line-height: 1.45; margin: 0; }
.choice ul { margin: .6rem 0 0; padding-left: 1.1rem; color: var(--muted); font-size: .9375rem; }
.warnings { border-left: 4px solid var(--bad); padding: .1rem 1.1rem;
  font-size: .9375rem; margin: 1.5rem 0; }
.warnings ul { margin: .25rem 0; padding-left: 1.1rem; }
figure { margin: 2.25rem 0; }
figure img, figure svg { max-width: 100%; height: auto; display: block; }
figure .live { display: none; }
figure.drawn .live { display: block; }
figure.drawn img { display: none; }
.wide { overflow-x: auto; margin: 1.25rem 0 .4rem; }
.wide:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .875rem; line-height: 1.35;
  font-variant-numeric: tabular-nums; border-top: 1.5px solid var(--ink);
  border-bottom: 1.5px solid var(--ink); min-width: 100%; }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; font-size: .9375rem; }
th, td { text-align: left; padding: .24rem .5rem; vertical-align: top; font-weight: 400; }
th:first-child, td:first-child { padding-left: .15rem; }
thead th { border-bottom: 1px solid var(--rule); color: var(--muted); white-space: nowrap;
  vertical-align: bottom; }
.n { text-align: right; white-space: pre; }
tbody th, table.sheet td { white-space: nowrap; }
tr.chosen > * { font-weight: 650; background: var(--soft); }
tr.dominated > *, tr.excluded > * { color: var(--muted); }
tr.failed > * { color: var(--bad); }
tr > td.reason { min-width: 16rem; color: var(--ink); }
.missing td:nth-child(-n+3), .variants td:nth-child(-n+3) { white-space: nowrap; }
.pad { visibility: hidden; }
.n { position: relative; } .note { position: absolute; }
.notes span { white-space: nowrap; }
code { font: .93em/1.4 ui-monospace, "Liberation Mono", Menlo, monospace; }
td code { white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: .75rem 0; }
dt { color: var(--muted); } dd { margin: 0; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }
#vg-tooltip-element { font-family: inherit; font-size: 13px; max-width: 90vw; }
#vg-tooltip-element td.key { color: inherit; opacity: .7; }
#vg-tooltip-element table { border: 0; min-width: 0; }
@media (max-width: 34rem) { body { padding: 1.25rem 1rem 3rem; } dl { grid-template-columns: 1fr; }
  dd { margin-bottom: .4rem; } }
@media print { :root { --ink: #000; --muted: #444; --rule: #bbb; --soft: #fff; --paper: #fff; }
  body { max-width: none; padding: 0; font-size: 10pt; } .wide { overflow: visible; }
  figure, table, .choice { break-inside: avoid; } figure.drawn .live { display: none; }
  figure.drawn img { display: block; } table { font-size: 8pt; } }
"""

# The specification that suits the width and the colour scheme is drawn, and again when they
# change. The picture below it stays for printing and for browsers without scripts.
SCRIPT: Final = """
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const drawn = {};
  const draw = () => {
    for (const [id, specs] of Object.entries(figures)) {
      const figure = document.getElementById(id);
      const size = figure.clientWidth >= 640 ? "wide" : "narrow";
      const key = size + "-" + (dark.matches ? "dark" : "light");
      if (drawn[id] === key) continue;
      drawn[id] = key;
      const options = { mode: "vega-lite", renderer: "svg", actions: false,
        tooltip: { theme: dark.matches ? "dark" : "light" } };
      vegaEmbed(figure.querySelector(".live"), specs[key], options)
        .then(() => figure.classList.add("drawn"))
        .catch((error) => { console.error(error); figure.classList.remove("drawn"); });
    }
  };
  draw();
  dark.addEventListener("change", draw);
  window.addEventListener("resize", draw);
})();
"""
