// The editor of a camera's rules: puts its parts together.

import { ask, opened } from "./asking.js";
import { byId, isField, write } from "./dom.js";
import { draft } from "./draft.js";
import { form } from "./form.js";
import { handles } from "./handles.js";
import { list } from "./list.js";
import { stage } from "./stage.js";
import { themeButton } from "./themes.js";
import { follow, picture } from "./watching.js";
import { duration } from "./words.js";

const CHECK_MS = 300; // after the last change
const LITTLE_S = 15; // in which nobody may have come by
const TAKEN_MS = 15_000;
const camera = new URLSearchParams(location.search).get("camera") ?? "";
const rules = draft();
const hint = (text) => write(byId("hint"), text);
const unsaved = () => (rules.isChanged ? " What was changed since is not saved yet." : "");
let facts = {}, revision = "", timer = 0, turn = 0, waiting = null, isSaving = false;

function outcome(state, text) {
  byId("outcome").dataset.state = state;
  write(byId("outcome"), text);
}

async function start() {
  themeButton(byId("theme"));
  write(byId("camera"), camera);
  try {
    facts = await opened(camera);
  } catch {
    facts = { reason: "Nobody answers: is it still running?" };
  }
  byId("back").hidden = facts.takes === "never";
  if (facts.status !== 200 || facts.reason) {
    write(byId("off"), facts.reason || facts.text);
    byId("off").hidden = false;
    byId("touch").hidden = true;
    return;
  }
  byId("editor").hidden = false;
  revision = facts.revision;
  caution("locked", facts.cannot_save);
  build();
  rules.load(facts.rules);
}

function caution(id, text) {
  byId(id).hidden = !text;
  write(byId(id), text);
}

function build() {
  const desk = stage(byId("stage"), byId("drawing"), rules, hint);
  const points = handles(byId("handles"), rules, desk, hint);
  form(byId("form"), rules, points, facts.classes);
  const said = list(byId("list"), byId("doubts"), rules);
  const shown = picture(camera, byId("stage"), byId("picture"), byId("still"), byId("missing"));
  follow(camera, byId("touch"), (latest, config) => took(latest, config, said));

  const starters = { lines: byId("draw-line"), zones: byId("draw-zone") };
  const middles = { lines: [[0.25, 0.5], [0.75, 0.5]], zones: [[0.3, 0.3], [0.7, 0.3], [0.7, 0.7], [0.3, 0.7]] };
  for (const [kind, button] of Object.entries(starters)) {
    button.addEventListener("click", (event) => {
      if (event.detail || desk.kind) { desk.begin(kind); return; }
      rules.add(kind, middles[kind]); // by keyboard: put in the middle, to be moved from there
      points.focus(0);
      hint("Arrow keys move the point, with Shift finely; Tab leads to the next, Delete takes it away.");
    });
  }
  desk.onChange(() => {
    for (const [kind, button] of Object.entries(starters)) button.setAttribute("aria-pressed", String(desk.kind === kind));
    byId("finish").hidden = desk.kind !== "zones";
    byId("finish").disabled = !desk.canFinish;
  });
  byId("finish").addEventListener("click", () => desk.finish());
  byId("undo").addEventListener("click", () => rules.undo());
  byId("redo").addEventListener("click", () => rules.redo());
  byId("hold").addEventListener("click", () => {
    const isHeld = byId("hold").getAttribute("aria-pressed") !== "true";
    byId("hold").setAttribute("aria-pressed", String(isHeld));
    byId("next").hidden = !isHeld;
    shown.hold(isHeld);
  });
  byId("next").addEventListener("click", () => shown.next());
  byId("try").addEventListener("click", () => attempt(said));
  byId("save").addEventListener("click", () => save(said));
  byId("reload").addEventListener("click", () => reload());
  byId("try").hidden = !facts.can_try;
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || isField(event.target)) return;
    const key = event.key.toLowerCase();
    if (key === "z" || key === "y") {
      event.preventDefault();
      if (key === "y" || event.shiftKey) rules.redo(); else rules.undo();
    }
  });
  addEventListener("beforeunload", (event) => { if (rules.isChanged) event.preventDefault(); });
  rules.onChange(() => changed(said));
}

let drawn = "";
function changed(said) {
  byId("undo").disabled = !rules.canUndo;
  byId("redo").disabled = !rules.canRedo;
  byId("none").hidden = rules.rules.length > 0;
  byId("save").disabled = isSaving || !rules.isChanged;
  const now = JSON.stringify(rules.sent.map(({ was, ...rule }) => rule));
  if (now === drawn) return; // another one was chosen
  if (drawn) outcome("", "");
  drawn = now;
  said.forget();
  clearTimeout(timer);
  timer = setTimeout(() => check(said), CHECK_MS);
}

async function check(said) {
  const mine = ++turn, answer = await ask("check", camera, { rules: rules.sent });
  if (mine !== turn) return;
  if (answer.findings) said.say(answer.findings); else outcome("bad", answer.text);
}

async function attempt(said) {
  outcome("", "Trying…");
  const before = drawn, answer = await ask("try", camera, { rules: rules.sent });
  if (before !== drawn) return; // by now it is something else
  if (answer.findings) said.say(answer.findings);
  if (answer.status !== 200) { outcome("bad", answer.text); return; }
  said.try(answer.counts, `would have counted in the last ${duration(answer.span_s)}`);
  const early = answer.span_s < LITTLE_S ? " That is little: more is seen as time goes on, so try again." : "";
  outcome("", `Tried on ${answer.frames} pictures of the last ${duration(answer.span_s)}; nothing is saved.${early}`);
}

async function save(said) {
  const those = rules.rules;
  isSaving = byId("save").disabled = true;
  outcome("", "Saving…");
  const answer = await ask("save", camera, { rules: rules.sent, revision });
  isSaving = false;
  byId("reload").hidden = !answer.conflict;
  if (answer.status !== 200) {
    if (answer.findings && those === rules.rules) said.say(answer.findings);
    byId("save").disabled = !rules.isChanged;
    outcome("bad", answer.text);
    return;
  }
  revision = answer.revision;
  rules.save(those);
  caution("locked", "");
  const ends = {
    now: `Saved in ${answer.file}; the counter takes it over…`,
    next: `Saved in ${answer.file}. This recording goes on with the rules that it began with; the next run takes these.`,
    never: `Saved in ${answer.file}. Count with: ${answer.command}`,
  };
  outcome("good", ends[facts.takes] + unsaved());
  if (facts.takes === "now") waiting = { file: answer.file, revision, until: Date.now() + TAKEN_MS };
}

async function reload() {
  const answer = await opened(camera);
  if (answer.status !== 200 || answer.reason) { outcome("bad", answer.text || answer.reason); return; }
  revision = answer.revision;
  rules.load(answer.rules);
  byId("reload").hidden = true;
  outcome("", "These are the file's rules. Undo brings back yours.");
}

function took(latest, config, said) {
  if (facts.takes !== "never") said.count(new Map(latest.map((rule) => [rule.id, rule.totals])));
  const isRefused = config.refused !== "" && config.refused === revision;
  caution("refused", isRefused ? `The counter goes on with the rules before, as ${facts.file} was refused: ${config.why}` : "");
  if (!waiting) return;
  if (config.revision === waiting.revision) outcome("good", `Saved in ${waiting.file} and counting.${unsaved()}`);
  else if (config.refused === waiting.revision) outcome("bad", `Saved in ${waiting.file}, but the counter refused it: ${config.why}`);
  else {
    if (Date.now() < waiting.until) return;
    outcome("bad", `Saved in ${waiting.file}, but not taken over yet: the counter is busy.`);
    waiting.until = Infinity; // said once
    return;
  }
  waiting = null;
}

start();
