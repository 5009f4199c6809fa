// Keeps the page in touch with the counter.

import { card } from "./camera.js";
import { byId, make, write } from "./dom.js";
import { forget, happened } from "./happenings.js";
import { themeButton } from "./themes.js";
import { now } from "./words.js";

const STREAMS = 3; // browsers allow six connections to a host, over all tabs
const SILENT_MS = 25_000; // the counter says something every 15 s at least
const AGAIN_MS = 3000;
const SPEAK_MS = 15_000;
const AWAY_MS = 5000; // a hidden page lets go after so long

const cards = new Map();
const visible = new Set();
let stream = null, after = "", run = "", heard = 0, again = 0, away = 0, lost = "";

const sight = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const name = entry.target.dataset.camera;
    if (entry.isIntersecting) visible.add(name); else visible.delete(name);
  }
  choosePictures();
}, { rootMargin: "100px" });

function choosePictures() {
  let streams = 0;
  for (const [name, each] of cards) {
    const seen = visible.has(name) && !document.hidden && !away;
    each.watch(!seen ? "off" : streams++ < STREAMS ? "stream" : "stills");
  }
}

function show(state) {
  if (run && state.run !== run) { // the counter was started again
    run = "";
    forget();
    begin();
    return;
  }
  run = state.run;
  write(byId("device"), state.device);
  document.title = `${state.device}: edgecount`;
  write(byId("about"), `edgecount ${state.version} · ${state.model} on ${state.provider}`);
  byId("nothing").hidden = state.cameras.length > 0;
  const known = new Set(state.cameras.map((camera) => camera.name));
  for (const [name, each] of cards) {
    if (known.has(name)) continue;
    sight.unobserve(each.element);
    each.watch("off");
    each.element.remove();
    cards.delete(name);
    visible.delete(name);
  }
  for (const camera of state.cameras) {
    if (!cards.has(camera.name)) {
      const made = card(camera.name, state.has_editor);
      cards.set(camera.name, made);
      byId("cameras").append(made.element);
      sight.observe(made.element);
    }
    cards.get(camera.name).show(camera);
  }
}

function took(event) {
  if (!happened(event, cards.size > 1)) return;
  if (event.totals) cards.get(event.camera)?.showRule(event.rule, event.totals, event.occupancy);
}

function touched() {
  heard = Date.now();
  if (lost) for (const each of cards.values()) { each.reload(); each.graph.refresh(); }
  lost = "";
  touch("good", "live");
}

function untouched() {
  lost ||= now();
  touch("bad", `out of touch since ${lost}`);
}

function touch(state, words) {
  byId("touch").dataset.state = state;
  write(byId("touch"), words);
  document.body.classList.toggle("stale", state === "bad");
}

async function begin() {
  end();
  try {
    const answer = await fetch("/api/state");
    if (answer.status === 401) { location.reload(); return; } // the session has ended: log in
    if (!answer.ok) throw new Error(answer.status);
    const { events, last_id, ...state } = await answer.json();
    show(state);
    for (const event of events) happened(event, cards.size > 1);
    after = last_id;
    listen();
  } catch {
    untouched();
    again = setTimeout(begin, AGAIN_MS);
  }
}

function listen() {
  stream = new EventSource(`/api/stream?after=${encodeURIComponent(after)}`);
  stream.addEventListener("open", touched);
  stream.addEventListener("beat", touched);
  stream.addEventListener("state", (message) => { touched(); show(JSON.parse(message.data)); });
  stream.addEventListener("count", (message) => {
    after = message.lastEventId;
    touched();
    took(JSON.parse(message.data));
  });
  stream.addEventListener("error", () => {
    untouched();
    if (stream?.readyState === EventSource.CLOSED) { // refused: it does not come back by itself
      clearTimeout(again);
      again = setTimeout(begin, AGAIN_MS);
    }
  });
}

function end() {
  clearTimeout(again);
  stream?.close();
  stream = null;
}

setInterval(() => {
  if (stream && heard && Date.now() - heard > SILENT_MS) {
    untouched();
    heard = Date.now();
    begin();
  }
}, 5000);

document.addEventListener("visibilitychange", () => {
  clearTimeout(away);
  if (document.hidden) {
    away = setTimeout(() => { end(); choosePictures(); }, AWAY_MS);
    return;
  }
  away = 0;
  if (!stream) begin();
  choosePictures();
  for (const each of cards.values()) each.graph.refresh();
});

// Totals for those who listen: at most every 15 s, and only what has changed.
let spoken = "";
setInterval(() => {
  const text = [...cards].map(([name, each]) => `${name}. ${each.totals().join(". ")}`).join(". ");
  if (text !== spoken && spoken) write(byId("spoken"), text);
  spoken = text;
}, SPEAK_MS);

byId("leave").addEventListener("click", async () => {
  const { csrf } = await (await fetch("/api/session")).json();
  await fetch("/logout", { method: "POST", headers: { "X-CSRF-Token": csrf } });
  location.assign("/");
});

async function mayLeave() {
  try {
    const session = await (await fetch("/api/session")).json();
    byId("leave").hidden = !session.can_leave;
  } catch { /* begin() says that nobody answers */ }
}

themeButton(byId("theme"));
begin();
mayLeave();
