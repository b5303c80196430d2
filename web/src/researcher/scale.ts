/** Where values stand in a plot: pure arithmetic, so that a bar and its error are never drawn elsewhere. */

/** The width of a plot's drawing; it is stretched to whatever room there is. */
export const WIDTH = 1000;

export interface Scale {
  low: number;
  high: number;
  /** 0 to WIDTH; what lies outside stands at the edge. */
  at: (value: number) => number;
}

export function scale(low: number, high: number): Scale {
  const span = high > low ? high - low : 1;
  return {
    low,
    high,
    at: (value) => Math.min(WIDTH, Math.max(0, ((value - low) / span) * WIDTH)),
  };
}

/** A scale on which zero, every value and every error bar has its place. */
export function scaleOf(values: readonly number[], error: number): Scale {
  const ends = values.flatMap((value) => [value - error, value + error]);
  return scale(Math.min(0, ...ends), Math.max(1, ...ends));
}

export interface Bar {
  /** From zero to the value, whichever is left. */
  start: number;
  width: number;
  /** Ends of the error bar. */
  from: number;
  to: number;
}

export function bar(on: Scale, value: number, error: number): Bar {
  const [zero, end] = [on.at(0), on.at(value)];
  return {
    start: Math.min(zero, end),
    width: Math.abs(end - zero),
    from: on.at(value - error),
    to: on.at(value + error),
  };
}

export interface CurvePoint {
  time: number;
  value: number;
  low: number;
  high: number;
}

/** A curve that falls in steps, from 1 at the time 0, as the points of a polyline. `pick` says which of three. */
export function steps(
  points: readonly CurvePoint[],
  pick: "value" | "low" | "high",
  x: (time: number) => number,
  y: (share: number) => number,
): [number, number][] {
  const found: [number, number][] = [[x(0), y(1)]];
  let share = 1;
  for (const point of points) {
    found.push([x(point.time), y(share)]);
    share = point[pick];
    found.push([x(point.time), y(share)]);
  }
  return found;
}

export interface Segment {
  start: number;
  width: number;
}

/** Parts of a whole, one after the other; what is too much is cut off at the end. */
export function segments(total: number, parts: readonly number[]): Segment[] {
  const on = scale(0, total > 0 ? total : 1);
  let sum = 0;
  return parts.map((part) => {
    const start = on.at(sum);
    sum += Math.max(0, part);
    return { start, width: on.at(sum) - start };
  });
}
