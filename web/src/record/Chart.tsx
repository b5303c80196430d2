/** A small line chart of one measurement over time, with its usual range behind it. */
import type { ReactElement } from "react";
import type { Shown } from "../fhir/display";
import { asDay } from "../format/time";
import { texts } from "../texts";

const WIDTH = 640;
const HEIGHT = 120;
const EDGE = 8;

export function Chart({ shown, what }: { shown: readonly Shown[]; what: string }): ReactElement | null {
  const points = shown
    .flatMap(({ when, measured }) =>
      when === null || measured === null ? [] : [{ at: Date.parse(when), when, ...measured }],
    )
    .filter((one) => Number.isFinite(one.at))
    .sort((one, other) => one.at - other.at);
  const [first] = points;
  const last = points.at(-1);
  // Values of two units are not one line.
  if (first === undefined || last === undefined || points.some((one) => one.unit !== first.unit)) {
    return null;
  }
  const { low, high } = last;
  const values = [...points.map((one) => one.value), ...[low, high].filter((one) => one !== null)];
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const x = (at: number): number =>
    EDGE + ((at - first.at) / Math.max(1, last.at - first.at)) * (WIDTH - 2 * EDGE);
  const y = (value: number): number =>
    HEIGHT - EDGE - ((value - least) / Math.max(1e-9, most - least)) * (HEIGHT - 2 * EDGE);
  const outside = (value: number): boolean =>
    (low !== null && value < low) || (high !== null && value > high);
  return (
    <figure className="chart">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={texts.records.chart(what, points.length, asDay(first.when), asDay(last.when))}
      >
        {(low !== null || high !== null) && (
          <rect
            className="chart-range"
            x="0"
            width={WIDTH}
            y={high === null ? 0 : y(high)}
            height={Math.max(0, (low === null ? HEIGHT : y(low)) - (high === null ? 0 : y(high)))}
          />
        )}
        <polyline
          className="chart-line"
          points={points.map((one) => `${x(one.at)},${y(one.value)}`).join(" ")}
        />
        {points.map((one, number) => (
          <circle
            key={number}
            className={outside(one.value) ? "chart-dot chart-dot-out" : "chart-dot"}
            cx={x(one.at)}
            cy={y(one.value)}
            r="4"
          >
            <title>{`${asDay(one.when)}: ${one.value} ${one.unit}`}</title>
          </circle>
        ))}
      </svg>
      <figcaption className="row spread muted small numbers">
        <span>{asDay(first.when)}</span>
        <span>{asDay(last.when)}</span>
      </figcaption>
    </figure>
  );
}
