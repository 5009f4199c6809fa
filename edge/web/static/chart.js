// Counts per minute or hour as bars: in upwards, out downwards, in the words of lines or zones.

import { draw, make, write } from "./dom.js";
import { hourMinute, inAndOut, mediaTime, number } from "./words.js";

const HEIGHT = 170, MARGIN = { left: 34, right: 8, top: 8, bottom: 20 };
const EVERY_MS = 30_000;
let made = 0;

/** The chart of a camera's rules; `show(rules)` tells which there are, `changed()` that it is old. */
export function chart(camera) {
  const id = `chart-${++made}`;
  const rule = make("select", { id: `${id}-rule` });
  const ways = ["minute", "hour"].map((by) => make("button", { type: "button", "aria-pressed": String(by === "minute"), "data-by": by }, `per ${by}`));
  const picture = make("div", { class: "plot" });
  const body = make("tbody");
  const heads = ["in", "out"].map((text) => make("th", { scope: "col" }, text));
  const legend = ["in", "out"].map((text) => make("span", {}, text));
  const table = make("details", {}, make("summary", {}, "As a table"),
    make("div", { class: "scroll" }, make("table", { class: "classes" },
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "from"), ...heads)), body)));
  const element = make("section", { class: "chart", "aria-label": `Counts over time, ${camera}` },
    make("div", { class: "bar" },
      make("label", { for: `${id}-rule` }, "Counts of "), rule,
      make("span", { class: "group", role: "group", "aria-label": "Interval" }, ...ways),
      make("span", { class: "legend" }, make("i", { class: "in" }), " ", legend[0], " ", make("i", { class: "out" }), " ", legend[1])),
    picture, table);
  const kinds = new Map();
  let by = "minute", series = null, timer = 0, asked = 0;

  for (const button of ways) {
    button.addEventListener("click", () => {
      by = button.dataset.by;
      for (const each of ways) each.setAttribute("aria-pressed", String(each === button));
      fetchSeries();
    });
  }
  rule.addEventListener("change", fetchSeries);
  new ResizeObserver(() => render()).observe(picture);

  async function fetchSeries() {
    clearTimeout(timer);
    if (!rule.value || document.hidden) return;
    timer = setTimeout(fetchSeries, EVERY_MS);
    const turn = ++asked;
    try {
      const query = new URLSearchParams({ camera, rule: rule.value, by });
      const answer = await fetch(`/api/chart?${query}`);
      if (!answer.ok || turn !== asked) return;
      series = await answer.json();
      render();
    } catch { /* out of touch: the page says so already, and asks again */ }
  }

  function render() {
    const width = picture.clientWidth;
    if (!series || !width) return;
    const words = inAndOut(kinds.get(rule.value));
    words.forEach((text, k) => { write(heads[k], text); write(legend[k], text); });
    picture.replaceChildren(plot(series, width, `${rule.value} per ${series.by}`, words));
    const label = labels(series);
    const rows = series.in.map((ins, k) => [k, ins, series.out[k]]).filter(([, ins, outs]) => ins || outs);
    body.replaceChildren(...rows.reverse().map(([k, ins, outs]) => make("tr", {},
      make("th", { scope: "row" }, label(k)), make("td", {}, number(ins)), make("td", {}, number(outs)))));
  }

  return {
    element,
    show(rules) {
      const names = rules.map((each) => each.id);
      for (const each of rules) kinds.set(each.id, each.kind);
      if (names.join("\n") !== [...rule.options].map((o) => o.value).join("\n")) {
        const chosen = rule.value;
        rule.replaceChildren(...names.map((name) => make("option", { value: name }, name)));
        if (names.includes(chosen)) rule.value = chosen;
        element.hidden = names.length === 0;
        fetchSeries();
      }
    },
    changed() { clearTimeout(timer); timer = setTimeout(fetchSeries, 600); },
    refresh: fetchSeries,
  };
}

function labels(series) {
  return (k) => {
    const at = series.start_s + k * series.step_s;
    return series.axis === "utc" ? hourMinute(at) : mediaTime(at);
  };
}

/** The drawing; `width` in pixels, `words` for in and out. */
function plot(series, width, name, words) {
  const bars = series.in.length;
  const most = Math.max(1, ...series.in, ...series.out);
  const top = nice(most);
  const inner = { w: width - MARGIN.left - MARGIN.right, h: HEIGHT - MARGIN.top - MARGIN.bottom };
  const step = Math.min(inner.w / bars, 40), middle = MARGIN.top + inner.h / 2;
  const tall = (value) => (value / top) * (inner.h / 2);
  const label = labels(series);
  const totals = [series.in, series.out].map((values) => values.reduce((a, b) => a + b, 0));
  const svg = draw("svg", {
    viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img",
    "aria-label": `${name}: ${totals[0]} ${words[0]} and ${totals[1]} ${words[1]} in ${bars} intervals, at most ${most} in one`,
  });
  for (const value of [top, 0, -top]) {
    const y = middle - tall(value);
    svg.append(
      draw("line", { class: value ? "grid" : "axis", x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y }),
      draw("text", { class: "tick", x: MARGIN.left - 6, y: y + 4, "text-anchor": "end" }, number(Math.abs(value))));
  }
  const every = Math.max(1, Math.ceil(52 / step / 5) * 5);
  for (let k = 0; k < bars; k++) {
    const x = MARGIN.left + k * step, thick = Math.max(1, step - (step > 5 ? 2 : 0.5));
    const [ins, outs] = [series.in[k], series.out[k]];
    const group = draw("g", {}, draw("title", {}, `${label(k)}: ${ins} ${words[0]}, ${outs} ${words[1]}`),
      draw("rect", { class: "reach", x, y: MARGIN.top, width: step, height: inner.h }));
    for (const [way, value] of [["in", ins], ["out", -outs]]) {
      const h = Math.abs(tall(value));
      if (h) group.append(draw("rect", { class: way, x, y: value > 0 ? middle - h : middle, width: thick, height: h }));
    }
    svg.append(group);
    if ((bars - 1 - k) % every === 0 && x + 40 < width && x > MARGIN.left - 1) {
      svg.append(draw("text", { class: "tick", x, y: HEIGHT - 5 }, label(k)));
    }
  }
  return svg;
}

/** The next of 1, 2, 5, 10, 20, ... */
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= value);
}
