// Geometry on the picture. Points are [x, y] in 0..1 of the frame, or pixels of the screen.

const DIGITS = 1e4; // as the config is written

export const inside = (value) => Math.min(1, Math.max(0, Math.round(value * DIGITS) / DIGITS));
export const apart = ([ax, ay], [bx, by]) => Math.hypot(bx - ax, by - ay);
export const between = ([ax, ay], [bx, by]) => [(ax + bx) / 2, (ay + by) / 2];
export const percent = (value) => `${Math.round(value * 1000) / 10} %`;

/** Pairs of neighbours; of a closed shape also the last with the first. */
export function pieces(points, isClosed) {
  const ends = isClosed ? [...points.slice(1), points[0]] : points.slice(1);
  return ends.map((end, k) => [points[k], end]);
}

/** Where the arrow of a line stands, in pixels: near the middle of its longest piece; the way `in`. */
export function arrowOf(points) {
  const longest = pieces(points).reduce((best, piece) => (apart(...piece) > apart(...best) ? piece : best));
  const [[ax, ay], [bx, by]] = longest;
  const length = apart(...longest) || 1, share = 0.38; // in the middle a point may be added
  // From the left to the right hand of who stands at a and looks towards b, in the picture.
  return { at: [ax + (bx - ax) * share, ay + (by - ay) * share], way: [-(by - ay) / length, (bx - ax) / length] };
}

export const along = ([x, y], [wx, wy], length) => [x + wx * length, y + wy * length];

/** The middle of the corners. */
export function middle(points) {
  const sum = points.reduce(([x, y], [px, py]) => [x + px, y + py], [0, 0]);
  return sum.map((value) => value / points.length);
}

/** Points moved as one, as far as all of them stay in the picture. */
export function moved(points, dx, dy) {
  const room = (k, by) => Math.min(1 - Math.max(...points.map((p) => p[k])),
    Math.max(-Math.min(...points.map((p) => p[k])), by));
  const [x, y] = [room(0, dx), room(1, dy)];
  return points.map(([px, py]) => [inside(px + x), inside(py + y)]);
}
