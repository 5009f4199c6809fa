// The last events, the newest first, with their pictures.

import { byId, make } from "./dom.js";
import { sentence, when } from "./words.js";

const MOST = 24;
const TRIES = 4; // a picture is written a moment after its event is told
const seen = new Set();

/** Put an event on top; one that is there already changes nothing. */
export function happened(event, many) {
  if (seen.has(event.event_id)) return false;
  seen.add(event.event_id);
  const list = byId("happenings");
  const line = make("div", {}, make("p", {}, sentence(event)),
    make("p", { class: "muted small" }, [many ? event.camera : "", when(event)].filter(Boolean).join(" · ")));
  const item = make("li", { "data-type": event.type, "data-way": event.direction },
    event.picture ? thumbnail(event) : make("span", { class: "mark", "aria-hidden": "true" }), line);
  list.prepend(item);
  byId("quiet").hidden = true;
  while (list.children.length > MOST) list.lastElementChild.remove();
  if (seen.size > 1000) seen.delete(seen.values().next().value);
  return true;
}

/** Begin anew, with another process. */
export function forget() {
  seen.clear();
  byId("happenings").replaceChildren();
  byId("quiet").hidden = false;
}

function thumbnail(event) {
  const image = make("img", { alt: `Picture of this event: ${sentence(event)}`, width: 96, height: 72 });
  let tries = 0;
  image.addEventListener("error", () => {
    if (++tries >= TRIES) {
      image.replaceWith(make("span", { class: "mark", "aria-hidden": "true" }));
      return;
    }
    setTimeout(() => { image.src = `${event.picture}?try=${tries}`; }, 700 * tries);
  });
  image.src = event.picture;
  return make("a", { href: event.picture, target: "_blank", rel: "noopener" }, image);
}
