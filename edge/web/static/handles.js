// The points of the chosen rule as buttons: dragged by pointer, moved by arrow keys.

import { byId, make } from "./dom.js";
import { fewest, kindOf } from "./draft.js";
import { apart, between, inside, percent, pieces } from "./shapes.js";

const STEP = 0.01, FINE = 0.001; // of the frame, for each press of a key
const ROOM_PX = 110; // a shorter piece has no place for a button between its ends
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Keeps the buttons; `say(text)` is told where a point is that keys move. */
export function handles(element, rules, stage, say) {
  let points = [], adders = [], active = 0, grip = null;

  const where = ([x, y]) => `${percent(x)} from the left, ${percent(y)} from the top`;

  function move(k, point, key) {
    const its = rules.rule.points.map((old, j) => (j === k ? point.map(inside) : old));
    rules.change({ points: its }, key);
  }

  function point(k) {
    const button = make("button", { type: "button", class: "handle" });
    button.addEventListener("focus", () => { active = k; });
    button.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      button.focus();
      button.setPointerCapture(event.pointerId);
      rules.pause();
      grip = k;
    });
    button.addEventListener("pointermove", (event) => { if (grip === k) move(k, stage.share(event), `drag ${k}`); });
    for (const end of ["pointerup", "pointercancel"]) {
      button.addEventListener(end, () => { grip = null; rules.pause(); });
    }
    button.addEventListener("keydown", (event) => {
      const way = WAYS[event.key];
      if (way && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        const step = event.shiftKey ? FINE : STEP, old = rules.rule.points[k];
        move(k, [old[0] + way[0] * step, old[1] + way[1] * step], `key ${k}`);
        say(`Point ${k + 1}: ${where(rules.rule.points[k])}`);
      } else if (event.key === "Delete" || event.key === "Backspace") {
        event.preventDefault();
        removePoint();
      }
    });
    return button;
  }

  function adder(k) {
    const button = make("button", { type: "button", class: "handle add" });
    button.addEventListener("click", () => addPoint(k));
    return button;
  }

  function addPoint(k) {
    const its = [...rules.rule.points];
    const [from, to] = pieces(its, rules.rule.kind === "zones")[k];
    its.splice(k + 1, 0, between(from, to).map(inside));
    rules.change({ points: its });
    points[k + 1]?.focus();
  }

  function removePoint() {
    const rule = rules.rule;
    if (!rule || rule.points.length <= fewest(rule)) {
      say(`A ${kindOf(rule)} has ${fewest(rule)} points at least.`);
      return;
    }
    const gone = Math.min(active, rule.points.length - 1);
    rules.change({ points: rule.points.filter((_, k) => k !== gone) });
    points[Math.max(0, gone - 1)]?.focus();
  }

  function fit(buttons, count, made) {
    while (buttons.length < count) buttons.push(made(buttons.length));
    for (const extra of buttons.splice(count)) extra.remove();
  }

  function put(button, [x, y], name) {
    button.style.left = `${x * 100}%`;
    button.style.top = `${y * 100}%`;
    button.setAttribute("aria-label", name);
  }

  function render() {
    const rule = rules.rule, its = rule?.points ?? [], parts = rule ? pieces(its, rule.kind === "zones") : [];
    const hadFocus = element.contains(document.activeElement);
    fit(points, its.length, point);
    fit(adders, parts.length, adder);
    its.forEach((each, k) => {
      put(points[k], each, `Point ${k + 1} of ${its.length} of ${kindOf(rule)} ${rule.name}, ${where(each)}`);
      points[k].classList.toggle("first", k === 0 && rule.kind === "lines");
    });
    parts.forEach(([from, to], k) => {
      const next = (k + 1) % its.length;
      put(adders[k], between(from, to), `Add a point between ${k + 1} and ${next + 1}`);
      adders[k].hidden = apart(stage.placed(from), stage.placed(to)) < ROOM_PX;
    });
    const order = its.flatMap((_, k) => [points[k], adders[k]].filter(Boolean));
    if (order.some((each, k) => element.children[k] !== each)) element.replaceChildren(...order);
    if (hadFocus && !element.contains(document.activeElement)) (points.at(-1) ?? byId("draw-line")).focus();
  }

  rules.onChange(render);
  new ResizeObserver(render).observe(element.parentElement);

  return {
    addPoint: () => addPoint(Math.min(active, pieces(rules.rule.points, rules.rule.kind === "zones").length - 1)),
    removePoint,
    focus(k) { points[k]?.focus(); },
  };
}
