// The button that overrides the system's light or dark colours.

import { write } from "./dom.js";

const themes = ["auto", "light", "dark"];
const theme = () => document.documentElement.dataset.theme || "auto";

/** Let a button go round automatic, light and dark; the browser remembers it. */
export function themeButton(button) {
  const show = () => write(button, `Theme: ${theme()}`);
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(theme()) + 1) % themes.length];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try { localStorage.setItem("edgecount-theme", next); } catch { /* not kept */ }
    show();
  });
  show();
}
