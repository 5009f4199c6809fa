// The tile of a line or zone: its numbers, the big ones first.

import { count, make, write } from "./dom.js";
import { duration, inAndOut, number, since } from "./words.js";

/** A tile; `show(rule)` brings it up to date. */
export function tile(rule) {
  return rule.kind === "zone" ? zoneTile(rule) : lineTile(rule);
}

function lineTile(rule) {
  const ins = big("in", "in"), outs = big("out", "out");
  const parts = frame(rule, [ins.element, outs.element]);
  return {
    element: parts.element,
    show(latest) {
      const { totals } = latest;
      write(ins.label, latest.in_name || "in");
      write(outs.label, latest.out_name || "out");
      count(ins.value, number(totals.in));
      count(outs.value, number(totals.out));
      parts.show(latest, [`net ${number(totals.net)}`, since(totals.since)].filter(Boolean).join(", "));
    },
  };
}

function zoneTile(rule) {
  const inside = big("inside", "inside now");
  const [ins, outs] = inAndOut("zone").map((text, k) => big(["in", "out"][k], text));
  const parts = frame(rule, [inside.element, ins.element, outs.element]);
  return {
    element: parts.element,
    show(latest) {
      const { totals, dwell } = latest;
      count(inside.value, number(latest.occupancy));
      count(ins.value, number(totals.in));
      count(outs.value, number(totals.out));
      const stayed = dwell
        ? `stays: median ${duration(dwell.median_s)}, longest ${duration(dwell.longest_s)}, last ${duration(dwell.last_s)}`
        : "no stay has ended yet";
      parts.show(latest, [stayed, since(totals.since)].filter(Boolean).join("; "));
    },
  };
}

function big(kind, text) {
  const value = make("dd", { class: `number ${kind}` });
  const label = make("dt", {}, text);
  return { element: make("div", {}, label, value), value, label };
}

function frame(rule, numbers) {
  const note = make("p", { class: "muted small" });
  const body = make("tbody");
  const heads = ["class", ...inAndOut(rule.kind)].map((text) => make("th", { scope: "col" }, text));
  const table = make("table", { class: "classes", hidden: true },
    make("caption", { class: "unseen" }, `${rule.id} by class`),
    make("thead", {}, make("tr", {}, ...heads)), body);
  const kind = make("span", { class: "muted kind" }, rule.kind);
  const element = make("article", { class: "tile", "data-rule": rule.id },
    make("h3", {}, rule.id, " ", kind),
    make("dl", { class: `numbers ${rule.kind}` }, ...numbers), table, note);
  const rows = new Map();
  return {
    element,
    show(latest, text) {
      write(note, text);
      const classes = Object.entries(latest.totals.by_class).sort(([a], [b]) => (a < b ? -1 : 1));
      table.hidden = classes.length === 0;
      for (const [name, pair] of classes) {
        if (!rows.has(name)) {
          const cells = [make("td"), make("td")];
          rows.set(name, cells);
          body.append(make("tr", {}, make("th", { scope: "row" }, name), ...cells));
        }
        const [ins, outs] = rows.get(name);
        count(ins, number(pair.in));
        count(outs, number(pair.out));
      }
      for (const [name, [cell]] of rows) {
        if (!(name in latest.totals.by_class)) {
          cell.parentElement.remove();
          rows.delete(name);
        }
      }
    },
  };
}
