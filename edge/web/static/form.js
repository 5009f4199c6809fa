// What is to be known of the chosen rule: its name, its ways, its classes.

import { make, write } from "./dom.js";
import { fewest, kindOf } from "./draft.js";

/** The form; `classes` are those that can be chosen. */
export function form(element, rules, points, classes) {
  const name = field("Name", "name", 64);
  const ins = field("Name of the way in, where the arrow leads", "in", 60, "in");
  const outs = field("Name of the way out", "out", 60, "out");
  const dwell = number("Tell when someone stays, seconds", "dwell_s", { min: 0, step: "any" });
  const crowd = number("Tell when so many are inside", "overcrowded", { min: 1, step: 1 });
  const boxes = new Map();
  const every = check("all classes", (isOn) => rules.change({ classes: isOn ? null : [classes[0]] }));
  const checks = make("div", { class: "checks", role: "group", "aria-label": "Classes that count" }, every.label);
  const chosen = make("summary");
  const wanted = make("details", {}, chosen, checks);
  const reverse = button("Reverse", "reverse", () => rules.change({ points: [...rules.rule.points].reverse() }));
  const more = button("Add point", "add-point", () => points.addPoint());
  const less = button("Remove point", "remove-point", () => points.removePoint());
  const gone = button("Delete", "delete", () => rules.remove());
  element.append(name.label, ins.label, outs.label, dwell.label, crowd.label, wanted, make("div", { class: "bar" }, reverse, more, less, gone));
  ins.input.className = "in";
  outs.input.className = "out";
  for (const each of classes) addClass(each);
  element.addEventListener("submit", (event) => event.preventDefault());

  function field(text, key, most, placeholder) {
    const input = make("input", { type: "text", maxlength: most, placeholder, autocomplete: "off", spellcheck: "false", "data-key": key });
    input.addEventListener("input", () => rules.change({ [key]: input.value || (key === "name" ? "" : null) }, key));
    return { input, label: make("label", {}, text, input) };
  }

  function number(text, key, limits) {
    const input = make("input", { type: "number", inputmode: "decimal", placeholder: "never", "data-key": key, ...limits });
    input.addEventListener("input", () => rules.change({ [key]: input.value === "" ? null : Number(input.value) }, key));
    return { input, label: make("label", {}, text, input) };
  }

  function check(text, changed) {
    const input = make("input", { type: "checkbox" });
    input.addEventListener("change", () => changed(input.checked));
    return { input, label: make("label", { class: "check" }, input, text) };
  }

  function addClass(text) {
    const box = check(text, () => {
      const picked = [...boxes].filter(([, each]) => each.input.checked).map(([its]) => its);
      rules.change({ classes: picked.length ? picked : null });
    });
    boxes.set(text, box);
    checks.append(box.label);
  }

  function button(text, id, does) {
    const made = make("button", { type: "button", id }, text);
    made.addEventListener("click", does);
    return made;
  }

  const fill = (input, value) => { if (input.value !== value) input.value = value; };
  // What is being typed, such as "1.", is not replaced by the number that it is.
  const fillNumber = (input, value) => { if ((input.value === "" ? null : Number(input.value)) !== value) input.value = value ?? ""; };

  rules.onChange(() => {
    const rule = rules.rule;
    element.hidden = !rule;
    if (!rule) return;
    const isLine = rule.kind === "lines";
    fill(name.input, rule.name);
    fill(ins.input, rule.in ?? "");
    fill(outs.input, rule.out ?? "");
    fillNumber(dwell.input, rule.dwell_s);
    fillNumber(crowd.input, rule.overcrowded);
    dwell.label.hidden = crowd.label.hidden = isLine;
    ins.label.hidden = outs.label.hidden = reverse.hidden = !isLine;
    less.disabled = rule.points.length <= fewest(rule);
    for (const each of rule.classes ?? []) if (!boxes.has(each)) addClass(each);
    wanted.hidden = boxes.size === 0;
    every.input.checked = rule.classes === null;
    for (const [each, box] of boxes) box.input.checked = rule.classes?.includes(each) ?? false;
    write(chosen, `Counts ${rule.classes?.join(", ") ?? "all classes"}`);
    write(gone, `Delete ${kindOf(rule)}`);
  });
}
