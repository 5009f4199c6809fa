// Runs before anything is painted, so that no page flashes in the wrong colours.
"use strict";
try {
  const chosen = localStorage.getItem("edgecount-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch { /* storage is switched off: the system decides */ }
