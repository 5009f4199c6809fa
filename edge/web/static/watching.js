// The picture that is drawn on, and what is counted meanwhile.

import { write } from "./dom.js";

const AGAIN_MS = 3000;

/** The picture; `hold` keeps the one that is in view, on a canvas, `next` takes another one. */
export function picture(camera, stage, image, still, missing) {
  const path = `/live/${encodeURIComponent(camera)}/plain`;
  let isHeld = false, timer = 0;

  function load() {
    clearTimeout(timer);
    image.src = `${path}${isHeld ? ".jpg" : ""}?t=${Date.now()}`;
  }

  image.addEventListener("load", () => {
    missing.hidden = true;
    const ratio = image.naturalWidth / image.naturalHeight;
    stage.style.aspectRatio = String(ratio);
    stage.style.maxWidth = `${Math.round(76 * ratio)}vh`; // all of it in view
    image.alt = `Picture of ${camera}`;
    if (isHeld) freeze();
  });
  image.addEventListener("error", () => {
    missing.hidden = !still.hidden;
    clearTimeout(timer);
    timer = setTimeout(load, AGAIN_MS);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { clearTimeout(timer); if (!isHeld) image.removeAttribute("src"); } else if (!isHeld) load();
  });
  load();

  /** Keep what is in view; the pictures that follow are let go. */
  function freeze() {
    [still.width, still.height] = [image.naturalWidth, image.naturalHeight];
    still.getContext("2d").drawImage(image, 0, 0);
    still.setAttribute("aria-label", `Held picture of ${camera}`);
    show(true);
    image.removeAttribute("src");
  }

  function show(isStill) {
    still.hidden = !isStill;
    image.hidden = isStill;
  }

  return {
    hold(wanted) {
      isHeld = wanted;
      clearTimeout(timer);
      if (isHeld && image.naturalWidth) { freeze(); return; }
      show(false);
      load();
    },
    next: load,
  };
}

/** Follow a camera's rules, their totals, and which config counts: `took(rules, config)` at each change. */
export function follow(camera, pill, took) {
  let stream = null;

  const show = (state) => {
    const found = state.cameras.find((each) => each.name === camera);
    if (found) took(found.rules, state.config);
  };
  const touch = (state, words) => { pill.dataset.state = state; write(pill, words); };

  async function begin() {
    stream?.close();
    try {
      const answer = await fetch("/api/state");
      if (!answer.ok) throw new Error(answer.status);
      const state = await answer.json();
      show(state);
      stream = new EventSource(`/api/stream?after=${encodeURIComponent(state.last_id)}`);
      stream.addEventListener("open", () => touch("good", "live"));
      stream.addEventListener("state", (message) => { touch("good", "live"); show(JSON.parse(message.data)); });
      stream.addEventListener("error", lost);
    } catch {
      lost();
    }
  }

  function lost() {
    touch("bad", "out of touch");
    if (stream && stream.readyState !== EventSource.CLOSED) return; // it comes back by itself
    setTimeout(begin, AGAIN_MS);
  }

  begin();
}
