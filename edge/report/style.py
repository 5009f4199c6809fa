"""How the report looks: light, dark and printed. Imports nothing.

Colours of directions are Okabe and Ito's (2008) blue and vermilion, orange on dark, which any
colour vision tells apart; `in` is above the axis and `out` below it besides.
"""

CSS = """
:root { color-scheme: light dark; --back: #fff; --card: #f6f7f9; --ink: #1a1d21; --soft: #5a6270;
  --rule: #d5dae1; --in: #0072b2; --out: #c24e00; --seen: #008763; --unseen: #c9ced6;
  --warn-back: #fff4d6; --warn: #6b4a00; }
@media (prefers-color-scheme: dark) { :root { --back: #14171b; --card: #1e2329; --ink: #e8eaed;
  --soft: #a4adba; --rule: #38404a; --in: #56b4e9; --out: #f0a03c; --seen: #2bc49a;
  --unseen: #4a525e; --warn-back: #3a2f10; --warn: #ffdf8f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 960px; margin: 0 auto; padding: 24px 20px 48px; }
h1 { font-size: 1.7rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 2.2rem 0 .6rem; padding-top: 1rem; overflow-wrap: anywhere;
  border-top: 1px solid var(--rule); }
.aloud { position: absolute; width: 1px; height: 1px; margin: 0; padding: 0; border: 0;
  overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; overflow-wrap: anywhere; }
p { margin: .3rem 0; } .soft, caption, figcaption, footer { color: var(--soft); font-size: .9rem; }
.warn { background: var(--warn-back); color: var(--warn); border-radius: 8px; padding: .6rem .9rem;
  margin: .9rem 0 0; } .warn ul { margin: .2rem 0; padding-left: 1.2rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(235px, 1fr)); gap: 14px;
  margin: 1.1rem 0 0; padding: 0; list-style: none; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 14px 16px; break-inside: avoid; }
.card h3 { margin: 0; font-size: 1.05rem; } .kind { color: var(--soft); font-weight: 400; }
.numbers { display: flex; flex-wrap: wrap; gap: 14px; margin: .5rem 0 .4rem; }
.numbers div { min-width: 3.6rem; max-width: 100%; }
.numbers dt { color: var(--soft); font-size: .85rem; line-height: 1.2; overflow-wrap: anywhere; }
.numbers dd { margin: 0; font-size: 2.1rem; font-weight: 650; line-height: 1.15;
  font-variant-numeric: tabular-nums; }
.long dd { font-size: 1.45rem; }
.numbers .in dd { color: var(--in); } .numbers .out dd { color: var(--out); }
figure { margin: .8rem 0; break-inside: avoid; overflow-x: auto; }
svg, figure img { width: 100%; height: auto; display: block; } svg { min-width: 34rem; }
figure img { border-radius: 8px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; margin: .6rem 0;
  font-size: .95rem; } caption { text-align: left; padding: .2rem 0; }
th, td { text-align: left; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--rule);
  vertical-align: top; overflow-wrap: anywhere; } thead th { border-bottom-width: 2px; }
td:first-child, th:first-child { min-width: 6rem; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th[scope=row] { font-weight: 500; } code { font-size: .88em; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--soft); } details { margin: .4rem 0; }
:focus-visible { outline: 2px solid var(--in); outline-offset: 2px; }
.in, .in-label { fill: var(--in); } .out, .out-label { fill: var(--out); }
.seen { fill: var(--seen); } .unseen { fill: var(--unseen); } .label { fill: var(--soft); }
.peak { fill: none; stroke: var(--ink); stroke-width: 1.6; } .peak-label { fill: var(--ink); }
.axis { stroke: var(--soft); } .grid { stroke: var(--rule); stroke-width: 1; }
svg text { font: 12px system-ui, sans-serif; } .in-label, .out-label { font-weight: 600; }
.heat { background: linear-gradient(90deg, #000004, #420a68, #932667, #dd513a, #fca50a, #fcffa4);
  height: 10px; border-radius: 5px; width: 180px; display: inline-block; vertical-align: middle; }
footer { margin-top: 2.5rem; border-top: 1px solid var(--rule); padding-top: .8rem; }
@media print { :root { color-scheme: light; --back: #fff; --card: #fff; --ink: #000; --soft: #444;
    --rule: #bbb; --in: #0072b2; --out: #c24e00; --seen: #008763; --unseen: #c9ced6;
    --warn-back: #fff; --warn: #000; }
  body { font-size: 11pt; } main { max-width: none; padding: 0; } .warn { border: 1px solid #000; }
  svg *, .heat, img { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  details:not([open]) { display: none; } h2, h3 { break-after: avoid; }
  tr { break-inside: avoid; } }
"""
