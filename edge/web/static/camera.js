// One camera: its picture, state, rules and chart.

import { chart } from "./chart.js";
import { make, write } from "./dom.js";
import { tile } from "./rules.js";
import { condition, number } from "./words.js";

const AGAIN_MS = 3000;

/**
 * The card of a camera; `show(camera)` brings it up to date, `watch(how)` switches its picture.
 * `hasEditor`: whether a link leads to the editor of its rules.
 */
export function card(name, hasEditor) {
  const state = make("span", { class: "pill" });
  const facts = make("span", { class: "muted small facts" });
  const tiles = make("div", { class: "tiles" });
  const image = make("img", { class: "live", alt: "", hidden: true });
  const missing = make("p", { class: "missing" }, "waiting for a picture");
  const figure = make("figure", { class: "picture" }, image, missing);
  const graph = chart(name);
  const title = make("h2", {}, name);
  const link = make("a", { class: "button", href: `/edit?camera=${encodeURIComponent(name)}`, "aria-label": `Edit rules of ${name}` }, "Edit rules");
  const element = make("section", { class: "card camera", "aria-label": `Camera ${name}`, "data-camera": name },
    make("div", { class: "head" }, title, state, facts, hasEditor ? link : null), tiles,
    make("div", { class: "side" }, figure, graph.element));
  const rules = new Map();
  let how = "off", kind = "", timer = 0;

  image.addEventListener("load", () => {
    image.hidden = false;
    missing.hidden = true;
    image.style.aspectRatio = `${image.naturalWidth} / ${image.naturalHeight}`;
    if (how === "stills") again();
  });
  image.addEventListener("error", () => {
    if (how === "off") return;
    missing.hidden = false;
    image.hidden = true;
    again();
  });

  function again() {
    clearTimeout(timer);
    timer = setTimeout(() => load(), AGAIN_MS);
  }

  function load() {
    clearTimeout(timer);
    if (how === "off") {
      image.removeAttribute("src"); // lets the connection go
      return;
    }
    const path = `/live/${encodeURIComponent(name)}`;
    image.src = `${path}${how === "stream" ? "" : "/still.jpg"}?t=${Date.now()}`;
  }

  return {
    element,
    graph,
    show(camera) {
      const [mood, words] = condition(camera);
      state.dataset.state = mood;
      write(state, words);
      const told = [camera.state === "finished" ? "" : `${camera.fps.toFixed(1)} fps`];
      if (camera.kind === "live") {
        told.push(`${number(camera.dropped)} dropped`, `${number(camera.reconnects)} reconnects`);
      }
      write(facts, told.filter(Boolean).join(" · "));
      image.alt = `Live picture of ${name}: ${words}`;
      write(missing, camera.state === "lost" ? words : "waiting for a picture");
      if (kind && kind !== camera.state && how !== "off") load(); // a new session, or the last picture
      kind = camera.state;
      figure.classList.toggle("stale", camera.state === "lost");
      showRules(camera.rules);
      graph.show(camera.rules);
    },
    showRule(id, totals, occupancy) {
      const known = rules.get(id);
      if (!known) return;
      known.latest = { ...known.latest, totals, occupancy: occupancy ?? known.latest.occupancy };
      known.tile.show(known.latest);
      graph.changed();
    },
    watch(wanted) {
      const changed = wanted !== how;
      how = wanted;
      if (changed) load();
    },
    reload() { if (how !== "off") load(); },
    totals() {
      return [...rules.values()].map(({ latest }) => (latest.kind === "zone"
        ? `${latest.id}: ${latest.occupancy} inside`
        : `${latest.id}: ${latest.totals.in} in, ${latest.totals.out} out`));
    },
  };

  function showRules(latest) {
    const wanted = new Set(latest.map((rule) => `${rule.kind} ${rule.id}`));
    for (const [id, known] of rules) {
      if (!wanted.has(`${known.latest.kind} ${id}`)) {
        known.tile.element.remove();
        rules.delete(id);
      }
    }
    for (const rule of latest) {
      if (!rules.has(rule.id)) {
        const made = tile(rule);
        rules.set(rule.id, { tile: made, latest: rule });
        tiles.append(made.element);
      }
      const known = rules.get(rule.id);
      known.latest = rule;
      known.tile.show(rule);
    }
    tiles.classList.toggle("empty", latest.length === 0);
    if (!latest.length && !tiles.firstChild) {
      tiles.append(make("p", { class: "muted" }, "No line and no zone yet: nothing is counted."));
    } else if (latest.length) {
      for (const note of tiles.querySelectorAll(":scope > p")) note.remove();
    }
  }
}
