// The rules as they are drawn, with undo. Each has a `key` of this page alone, which is never sent.

const MOST_STEPS = 100;
const SAME_MS = 1000; // what follows so soon and is of one kind is one step

export const fewest = (rule) => (rule.kind === "zones" ? 3 : 2);
export const kindOf = (rule) => (rule.kind === "zones" ? "zone" : "line");

/** A draft; whoever is given to `onChange` is called after each change. */
export function draft() {
  const listeners = [];
  let rules = [], chosen = -1, past = [], future = [], saved = "[]", last = { key: "", at: 0 }, keys = 0;

  const sent = (its) => its.map(({ key, ...rule }) => rule);
  const text = (its) => JSON.stringify(sent(its));
  const copy = () => structuredClone({ rules, chosen });
  const tell = () => { for (const each of listeners) each(); };

  function step(key) {
    const isSame = key && key === last.key && Date.now() - last.at < SAME_MS;
    last = { key, at: Date.now() };
    if (isSame) return;
    past = [...past.slice(1 - MOST_STEPS), copy()];
    future = [];
  }

  function travel(from, to) {
    if (!from.length) return;
    to.push(copy());
    ({ rules, chosen } = from.pop());
    last = { key: "", at: 0 };
    tell();
  }

  return {
    get rules() { return rules; },
    /** As the counter takes them. */
    get sent() { return sent(rules); },
    get chosen() { return chosen; },
    get rule() { return rules[chosen]; },
    get canUndo() { return past.length > 0; },
    get canRedo() { return future.length > 0; },
    get isChanged() { return text(rules) !== saved; },
    onChange(listener) { listeners.push(listener); },

    /** Begin with the rules of the file; what was drawn before is within reach of undo. */
    load(fresh) {
      const name = rules[chosen]?.name, known = new Map(rules.map((rule) => [`${rule.kind} ${rule.was}`, rule.key]));
      if (keys) step("");
      rules = fresh.map((rule) => ({ ...rule, key: known.get(`${rule.kind} ${rule.was}`) ?? ++keys }));
      saved = text(rules);
      chosen = rules.findIndex((rule) => rule.name === name);
      if (chosen < 0 && rules.length === 1) chosen = 0;
      tell();
    },
    /** Rules are in the file now, as they were when they were sent; undo still leads behind that. */
    save(those) {
      const names = new Map(those.map((rule) => [rule.key, rule.name]));
      const known = (its) => its.map((rule) => ({ ...rule, was: names.get(rule.key) ?? null }));
      rules = known(rules);
      for (const each of [...past, ...future]) each.rules = known(each.rules);
      saved = text(known(those));
      tell();
    },
    choose(k) {
      if (k === chosen) return;
      chosen = k;
      tell();
    },
    /** Change the chosen rule; changes with one `key` that follow each other are one step. */
    change(values, key = "") {
      step(key && `${key} ${chosen}`);
      rules = rules.map((rule, k) => (k === chosen ? { ...rule, ...values } : rule));
      tell();
    },
    /** What follows is a step of its own. */
    pause() { last = { key: "", at: 0 }; },
    add(kind, points) {
      step("");
      const rule = { key: ++keys, kind, name: "", was: null, points, classes: null, in: null, out: null, dwell_s: null, overcrowded: null };
      const names = new Set(rules.map((each) => each.name));
      let n = 1;
      while (names.has(`${kindOf(rule)}-${n}`)) n++;
      rules = [...rules, { ...rule, name: `${kindOf(rule)}-${n}` }];
      chosen = rules.length - 1;
      tell();
    },
    remove() {
      step("");
      rules = rules.filter((_, k) => k !== chosen);
      chosen = -1;
      tell();
    },
    undo() { travel(past, future); },
    redo() { travel(future, past); },
  };
}
