// The drawing over the picture: all rules, and the pointer that draws and moves them.

import { draw, isField } from "./dom.js";
import { fewest } from "./draft.js";
import { along, apart, arrowOf, inside, middle, moved } from "./shapes.js";

const NEAR_PX = 22;
const half = (words) => words.length * 4 + 6; // of the width of a text, pixels, about
const CLICK_PX = 10; // a pointer that moves less has not moved

/** The drawing; `begin(kind)` starts a line or zone, `say(text)` is told what to do next. */
export function stage(element, svg, rules, say) {
  let kind = "", points = [], pointer = null, grip = null;
  const listeners = [];

  const size = () => [svg.clientWidth || 1, svg.clientHeight || 1];
  const placed = ([x, y]) => { const [w, h] = size(); return [x * w, y * h]; };
  const share = (event) => {
    const box = svg.getBoundingClientRect();
    return [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)];
  };
  const far = (a, b) => apart(placed(a), placed(b));

  function set(next, first = []) {
    kind = next;
    points = first;
    pointer = null;
    element.classList.toggle("drawing", kind !== "");
    say(kind === "lines" ? "Drag across the way that people take, or click both ends. Escape stops."
      : kind === "zones" ? "Click the corners; the first one again, Enter or Finish closes the zone. Escape stops." : "");
    for (const each of listeners) each();
    render();
  }

  function finish() {
    if (!kind || points.length < fewest({ kind })) return false;
    const [done, its] = [kind, points];
    set("");
    rules.add(done, its);
    return true;
  }

  function pressed(event) {
    if (event.button || grip) return;
    const at = share(event);
    if (kind) {
      event.preventDefault();
      svg.setPointerCapture(event.pointerId);
      grip = { from: at, isFirst: points.length === 0 };
      if (kind === "lines" && grip.isFirst) points = [at];
      pointer = at;
      render();
      return;
    }
    const k = Number(event.target.dataset?.rule ?? -1);
    if (k < 0) return;
    event.preventDefault();
    rules.choose(k);
    rules.pause();
    svg.setPointerCapture(event.pointerId);
    grip = { from: at, rule: k, points: rules.rule.points, hasMoved: false };
  }

  function dragged(event) {
    const at = share(event);
    if (kind) {
      pointer = at;
      render();
    } else if (grip) {
      if (!grip.hasMoved && far(at, grip.from) < CLICK_PX) return;
      grip.hasMoved = true;
      rules.change({ points: moved(grip.points, at[0] - grip.from[0], at[1] - grip.from[1]) }, "move");
    }
  }

  function released(event) {
    if (!grip) return;
    const at = share(event), { isFirst, from } = grip;
    grip = null;
    if (kind === "lines") {
      if (far(at, points[0]) < CLICK_PX) return; // the other end is still to come
      points = [points[0], at];
      finish();
    } else if (kind === "zones") {
      const isAgain = points.length > 0 && far(at, points.at(-1)) < CLICK_PX;
      if (points.length >= 3 && (far(at, points[0]) < NEAR_PX || isAgain)) { finish(); return; }
      if (isFirst && far(at, from) >= CLICK_PX) points = [from]; // dragged along the first edge
      if (!isAgain) points = [...points, at];
      for (const each of listeners) each();
      render();
    } else {
      rules.pause();
    }
  }

  svg.addEventListener("pointerdown", pressed);
  svg.addEventListener("pointermove", dragged);
  svg.addEventListener("pointerup", released);
  svg.addEventListener("pointercancel", () => { grip = null; });
  document.addEventListener("keydown", (event) => {
    if (!kind || isField(event.target)) return;
    if (event.key === "Escape") set("");
    else if (event.target.closest?.("button, a, summary")) return; // whose keys these are
    else if (event.key === "Enter" && finish()) event.preventDefault();
    else if (event.key === "Backspace" && points.length) { points = points.slice(0, -1); render(); }
  });
  new ResizeObserver(() => render()).observe(element);
  rules.onChange(render);

  function render() {
    const [w, h] = size();
    svg.setAttribute("viewBox", `0 0 ${w} ${h}`);
    const order = rules.rules.map((_, k) => k).filter((k) => k !== rules.chosen);
    if (rules.rule) order.push(rules.chosen); // on top
    svg.replaceChildren(...order.map((k) => shape(rules.rules[k], k, k === rules.chosen)));
    if (kind && points.length) svg.append(preview());
  }

  const attribute = (its) => its.map((p) => placed(p).map((v) => v.toFixed(1)).join(",")).join(" ");

  function shape(rule, k, isChosen) {
    const tag = rule.kind === "zones" ? "polygon" : "polyline", its = attribute(rule.points);
    const group = draw("g", { class: `rule ${rule.kind}${isChosen ? " chosen" : ""}` });
    if (tag === "polygon") group.append(draw(tag, { class: "area", points: its }));
    group.append(draw(tag, { class: "casing", points: its }), draw(tag, { class: "stroke", points: its }));
    group.append(...(tag === "polygon" ? [text(rule.name, placed(middle(rule.points)))] : sides(rule)));
    group.append(draw(tag, { class: "hit", points: its, "data-rule": k }));
    return group;
  }

  /** The arrow `in` of a line, and the names of both ways on the side to which they lead. */
  function sides(rule) {
    const { at, way } = arrowOf(rule.points.map(placed));
    const back = [-way[0], -way[1]], across = [way[1], -way[0]];
    const tip = along(at, way, 34), tail = along(at, way, -14);
    const wings = [1, -1].map((sign) => along(along(tip, back, 11), across, 9 * sign));
    const path = [[tail, tip], [wings[0], tip, wings[1]]]
      .map((part) => `M${part.map((p) => p.map((v) => v.toFixed(1)).join(" ")).join("L")}`).join("");
    const [start] = rule.points.map(placed), [w, h] = size();
    const beside = (words) => Math.abs(way[0]) * half(words); // a text is wider than high
    const [ins, outs] = [rule.in || "in", rule.out || "out"];
    const before = along(start, across, -22 - Math.abs(across[0]) * half(rule.name)); // its first point
    const isOut = before[0] < 0 || before[1] < 0 || before[0] > w || before[1] > h;
    return [
      draw("path", { class: "arrow casing", d: path }), draw("path", { class: "arrow", d: path }),
      text(ins, along(at, way, 48 + beside(ins)), "in"),
      text(outs, along(at, back, 24 + beside(outs)), "out"),
      text(rule.name, isOut ? along(along(start, across, 16), back, 24 + beside(rule.name)) : before),
    ];
  }

  /** A text that stays in the picture; its width is guessed. */
  function text(words, [x, y], className = "") {
    const [w, h] = size(), side = Math.min(w / 2, half(words));
    const at = { x: Math.min(w - side, Math.max(side, x)), y: Math.min(h - 12, Math.max(12, y)) };
    return draw("text", { class: className, ...at }, words);
  }

  function preview() {
    const its = pointer ? [...points, pointer] : points;
    return draw("g", { class: "preview" },
      draw("polyline", { class: "casing", points: attribute(its) }),
      draw("polyline", { class: "stroke", points: attribute(its) }),
      ...points.map((p) => { const [cx, cy] = placed(p); return draw("circle", { cx, cy, r: 6 }); }));
  }

  return {
    get kind() { return kind; },
    get canFinish() { return kind === "zones" && points.length >= 3; },
    onChange(listener) { listeners.push(listener); },
    begin(next) {
      set(next === kind ? "" : next);
      element.focus({ preventScroll: true }); // away from the button, which Enter would press again
    },
    finish,
    placed,
    share,
  };
}
