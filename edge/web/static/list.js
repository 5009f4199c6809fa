// The rules as a list: what they count, what they would have counted, what is doubtful.

import { byId, make, write } from "./dom.js";
import { kindOf } from "./draft.js";
import { number } from "./words.js";

/** The list; `show` what the counter says of the rules, by their place, and of saved ones by name. */
export function list(element, common, rules) {
  const items = [];
  let findings = [], counts = [], span = "", totals = new Map();

  function item(k) {
    const choose = make("button", { type: "button" });
    choose.addEventListener("click", () => rules.choose(k));
    const now = make("p", { class: "small muted" }), tried = make("p", { class: "small tried" });
    const said = make("ul", { class: "findings" });
    const made = make("li", {}, choose, now, tried, said);
    element.append(made);
    return { made, choose, now, tried, said };
  }

  function render() {
    while (items.length < rules.rules.length) items.push(item(items.length));
    for (const extra of items.splice(rules.rules.length)) extra.made.remove();
    rules.rules.forEach((rule, k) => {
      const its = items[k], known = totals.get(rule.was), count = counts[k];
      its.made.toggleAttribute("data-chosen", k === rules.chosen);
      its.made.dataset.name = rule.name;
      its.choose.setAttribute("aria-current", String(k === rules.chosen));
      write(its.choose, `${rule.name || "(no name)"}, ${kindOf(rule)}${rule.was === null ? ", new" : ""}`);
      write(its.now, known ? `counted so far: ${words(rule, known)}` : "");
      write(its.tried, count ? `${span}: ${words(rule, count)}` : "");
      its.now.hidden = !known;
      its.tried.hidden = !count;
      fill(its.said, findings.filter((each) => each.rule === k));
    });
    fill(common, findings.filter((each) => each.rule === null));
  }

  rules.onChange(render);

  return {
    say(latest) {
      findings = latest;
      render();
      const named = (each) => (each.rule === null ? "" : `${rules.rules[each.rule]?.name}: `);
      write(byId("spoken"), findings.map((each) => named(each) + sentence(each)).join(" "));
    },
    try(latest, time) { counts = latest; span = time; render(); },
    forget() { if (counts.length) { counts = []; render(); } },
    count(latest) { totals = latest; render(); },
    get isWrong() { return findings.some((each) => each.is_wrong); },
  };
}

const sentence = (finding) => `${finding.is_wrong ? "Wrong" : "Doubtful"}: ${finding.text}`;

function fill(element, findings) {
  const wanted = findings.map(sentence);
  element.hidden = wanted.length === 0;
  if (wanted.join("\n") === [...element.children].map((each) => each.textContent).join("\n")) return;
  element.replaceChildren(...findings.map((each, k) => make("li", { "data-wrong": each.is_wrong }, wanted[k])));
}

/** 12 in (person 10, car 2), 3 out. */
function words(rule, count) {
  const [ins, outs] = rule.kind === "zones" ? ["entered", "left"] : [rule.in || "in", rule.out || "out"];
  return [["in", ins], ["out", outs]].map(([way, name]) => {
    const parts = Object.entries(count.by_class).filter(([, pair]) => pair[way])
      .map(([its, pair]) => `${its} ${number(pair[way])}`);
    return `${number(count[way])} ${name}${parts.length ? ` (${parts.join(", ")})` : ""}`;
  }).join(", ");
}
