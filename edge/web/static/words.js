// Numbers, times and events in words.

const whole = new Intl.NumberFormat();
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const short = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dated = new Intl.DateTimeFormat(undefined, {
  month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
});

export const number = (value) => whole.format(value);
export const now = () => clock.format(new Date());
export const hourMinute = (unixSeconds) => short.format(new Date(unixSeconds * 1000));

/** Seconds in words: 8 s, 2 min 5 s, 1 h 4 min. */
export function duration(seconds) {
  const s = Math.round(seconds);
  if (s < 60) return `${s < 10 ? Math.round(seconds * 10) / 10 : s}\u00a0s`;
  if (s < 3600) return s % 60 ? `${Math.floor(s / 60)}\u00a0min ${s % 60}\u00a0s` : `${s / 60}\u00a0min`;
  return `${Math.floor(s / 3600)}\u00a0h ${Math.floor((s % 3600) / 60)}\u00a0min`;
}

/** Media time as 1:05 or 1:02:05. */
export function mediaTime(seconds) {
  const s = Math.floor(seconds);
  const pad = (value) => String(value).padStart(2, "0");
  const tail = `${pad(Math.floor((s % 3600) / 60))}:${pad(s % 60)}`;
  return s >= 3600 ? `${Math.floor(s / 3600)}:${tail}` : tail.replace(/^0/, "");
}

/** When an event was, for people. */
export function when(event) {
  if (!event.utc) return `at ${mediaTime(event.media_s)}`;
  const at = new Date(event.utc);
  return (Date.now() - at > 43_200_000 ? dated : clock).format(at);
}

/** Since when totals count, where that is known. */
export function since(text) {
  return text ? `since ${dated.format(new Date(text))}` : "";
}

/** What in and out are called of this kind of rule. */
export const inAndOut = (kind) => (kind === "zone" ? ["entered", "left"] : ["in", "out"]);

const ways = (event) => event.direction_name || event.direction || "";

/** What happened, in a line. */
export function sentence(event) {
  const who = event.class ? `${event.class} ${event.track_id}` : "";
  switch (event.type) {
    case "line_crossed": return `${who} crossed ${event.rule}: ${ways(event)}`;
    case "line_crossing_reverted": return `${who} did not cross ${event.rule} after all; taken back`;
    case "zone_entered": return `${who} entered ${event.rule}`;
    case "zone_exited": {
      const stayed = event.dwell_s ? ` after ${duration(event.dwell_s)}` : "";
      return `${who} left ${event.rule}${stayed}`;
    }
    case "zone_dwell": return `${who} has been in ${event.rule} for ${duration(event.dwell_s || 0)}`;
    case "overcrowding_started": return `${event.rule} is overcrowded`;
    case "overcrowding_ended": return `${event.rule} is no longer overcrowded`;
    case "counter_reset": return `${event.rule} was moved and counts from 0`;
    case "config_changed": return "The rules were changed";
    case "source_lost": return `The camera is lost: ${event.reason || "no pictures"}`;
    case "source_restored": return `Pictures again after ${duration(event.gap_s || 0)}`;
    default: return event.type.replaceAll("_", " ");
  }
}

/** How a camera is: a state for the colour, and words. */
export function condition(camera) {
  if (camera.kind === "recording") {
    const { frames, total, media_s } = camera.progress;
    const done = total ? `${Math.min(100, Math.floor((100 * frames) / total))} %` : mediaTime(media_s);
    if (camera.state === "running") return ["good", `counting, ${done}`];
    if (camera.state === "finished") return ["done", `finished, ${mediaTime(media_s)} of video`];
    return ["opening", "waiting"];
  }
  if (camera.state === "connected") {
    const late = camera.age_s >= 3 ? `, last picture ${duration(camera.age_s)} ago` : "";
    return [late ? "opening" : "good", `connected${late}`];
  }
  if (camera.state === "lost") return ["bad", `lost: ${camera.reason || "no pictures"}`];
  return ["opening", "connecting"];
}
