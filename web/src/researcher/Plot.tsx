/** Plots of protected numbers. Numbers and words stand beside the drawing, so that it tells nothing alone. */
import { useId, useState, type ReactElement, type ReactNode } from "react";
import { asCount } from "../format/time";
import { researcher as texts } from "../texts/researcher";
import { Button } from "../ui/parts";
import { asDecimal, asLevel, asLoss, asShare, numberOf, pairOf, withError } from "./numbers";
import type { Estimate } from "./result";
import { bar, scale, scaleOf, segments, steps, WIDTH, type CurvePoint, type Scale } from "./scale";

const PLOT = texts.plot;
const ROW = 24;
const MANY = 12;

interface CountPlotProps {
  caption: string;
  levels: readonly string[];
  /** null: withheld. */
  values: readonly (number | null)[];
  /** 0: exact. */
  error: number;
  isExact?: boolean;
}

/** Bars with their 95 % error, as the rows of a table. */
export function CountPlot({ caption, levels, values, error, isExact = false }: CountPlotProps): ReactElement {
  const [all, showAll] = useState(levels.length <= MANY);
  const on = scaleOf(
    values.filter((value) => value !== null),
    error,
  );
  const shown = all ? levels : levels.slice(0, MANY);
  return (
    <>
      <table className="plot">
        <caption className="visually-hidden">{caption}</caption>
        <thead className="visually-hidden">
          <tr>
            <th scope="col">{PLOT.level}</th>
            <th scope="col">{PLOT.bar}</th>
            <th scope="col">{isExact ? PLOT.patients : PLOT.patientsWithError}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((level, place) => {
            const value = values[place] ?? null;
            return (
              <tr key={level}>
                <th scope="row">{words(level)}</th>
                <td className="plot-bar">
                  {value !== null && <BarDrawing on={on} value={value} error={error} isExact={isExact} />}
                </td>
                <td className="plot-number numbers">
                  {value === null ? (
                    <span className="muted">{PLOT.withheld}</span>
                  ) : isExact ? (
                    asCount(value)
                  ) : (
                    withError(value, error)
                  )}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {!all && (
        <div className="row">
          <Button look="quiet" onClick={() => showAll(true)}>
            {PLOT.all(levels.length)}
          </Button>
        </div>
      )}
    </>
  );
}

function words(level: string): string {
  const [one, other] = pairOf(level);
  return other === "" ? asLevel(one) : `${asLevel(one)}, ${asLevel(other)}`;
}

function BarDrawing({
  on,
  value,
  error,
  isExact,
}: {
  on: Scale;
  value: number;
  error: number;
  isExact: boolean;
}): ReactElement {
  const { start, width, from, to } = bar(on, value, error);
  const middle = ROW / 2;
  return (
    <svg viewBox={`0 0 ${WIDTH} ${ROW}`} preserveAspectRatio="none" aria-hidden="true" focusable="false">
      <rect
        className={isExact ? "plot-exact" : "plot-value"}
        x={start}
        y="4"
        width={width}
        height={ROW - 8}
      />
      {!isExact && (
        <>
          <line className="plot-error" x1={from} x2={to} y1={middle} y2={middle} />
          <line className="plot-error" x1={from} x2={from} y1="7" y2={ROW - 7} />
          <line className="plot-error" x1={to} x2={to} y1="7" y2={ROW - 7} />
        </>
      )}
      <line className="plot-zero" x1={on.at(0)} x2={on.at(0)} y1="0" y2={ROW} />
    </svg>
  );
}

/** Cells of two variables: a table of numbers, since bars of pairs are hard to compare. */
export function CrossTable({
  caption,
  levels,
  values,
  error,
}: {
  caption: string;
  levels: readonly string[];
  values: readonly (number | null)[];
  error: number | null;
}): ReactElement {
  const pairs = levels.map(pairOf);
  const rows = [...new Set(pairs.map(([row]) => row))];
  const columns = [...new Set(pairs.map(([, column]) => column))];
  const found = new Map(levels.map((level, place) => [level, values[place] ?? null] as const));
  return (
    <div className="scroll" role="region" aria-label={caption} tabIndex={0}>
      <table className="data numbers">
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            <td />
            {columns.map((column) => (
              <th key={column} scope="col">
                {asLevel(column)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row}>
              <th scope="row">{asLevel(row)}</th>
              {columns.map((column) => {
                const value = found.get(`${row} | ${column}`) ?? null;
                return (
                  <td key={column}>
                    {value === null
                      ? PLOT.withheld
                      : error === null
                        ? asCount(value)
                        : withError(value, error)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const CURVE = { width: 640, height: 220, edge: 6 };

/** The share without the event over time, in steps, with its 95 % band. */
export function CurvePlot({
  what,
  estimates,
}: {
  what: string;
  estimates: readonly Estimate[];
}): ReactElement {
  const points = estimates.flatMap(({ name, value, low, high }): CurvePoint[] => {
    const time = numberOf(name.replace(/^at /, ""));
    return time === null || value === ""
      ? []
      : [{ time, value: Number(value), low: Number(low), high: Number(high) }];
  });
  const last = points.at(-1)?.time ?? 0;
  const across = scale(0, last);
  const x = (time: number): number => CURVE.edge + (across.at(time) / WIDTH) * (CURVE.width - 2 * CURVE.edge);
  const y = (share: number): number => CURVE.height - CURVE.edge - share * (CURVE.height - 2 * CURVE.edge);
  const drawn = (found: readonly (readonly [number, number])[]): string =>
    found.map(([left, top]) => `${left},${top}`).join(" ");
  const band = [...steps(points, "high", x, y), ...steps(points, "low", x, y).reverse()];
  return (
    <figure className="curve">
      {points.length > 0 && (
        <div className="curve-frame">
          <div className="curve-axis numbers muted small" aria-hidden="true">
            {[1, 0.5, 0].map((share) => (
              <span key={share}>{asShare(share)}</span>
            ))}
          </div>
          <svg
            viewBox={`0 0 ${CURVE.width} ${CURVE.height}`}
            role="img"
            aria-label={PLOT.curve(what, points.length, String(last))}
          >
            <polygon className="curve-band" points={drawn(band)} />
            <polyline className="curve-line" points={drawn(steps(points, "value", x, y))} />
          </svg>
          <span />
          <div className="row spread muted small numbers" aria-hidden="true">
            <span>0</span>
            <span>{last}</span>
          </div>
        </div>
      )}
      <figcaption>
        <EstimateTable
          caption={what}
          estimates={estimates.map((each) => ({ ...each, name: PLOT.atTime(each.name.replace(/^at /, "")) }))}
          range={[0, 1]}
        />
      </figcaption>
    </figure>
  );
}

/** Values with the ends of their 95 % bars, drawn on one range where they have one. */
export function EstimateTable({
  caption,
  estimates,
  range,
}: {
  caption: string;
  estimates: readonly Estimate[];
  range: readonly [number, number] | null;
}): ReactElement {
  const on = range === null ? null : scale(range[0], range[1]);
  return (
    <table className="plot">
      <caption className="visually-hidden">{caption}</caption>
      <thead className="visually-hidden">
        <tr>
          <th scope="col">{PLOT.estimate}</th>
          <th scope="col">{PLOT.bar}</th>
          <th scope="col">{PLOT.valueWithBar}</th>
        </tr>
      </thead>
      <tbody>
        {estimates.map(({ name, value, low, high }) => (
          <tr key={name}>
            <th scope="row">{PLOT.estimates[name] ?? name}</th>
            <td className="plot-bar">
              {on !== null && value !== "" && name !== "patients" && (
                <IntervalDrawing on={on} value={Number(value)} low={Number(low)} high={Number(high)} />
              )}
            </td>
            <td className="plot-number numbers">
              {value === "" ? (
                <span className="muted">{asDecimal("")}</span>
              ) : (
                PLOT.interval(asDecimal(value), asDecimal(low), asDecimal(high))
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function IntervalDrawing({
  on,
  value,
  low,
  high,
}: {
  on: Scale;
  value: number;
  low: number;
  high: number;
}): ReactElement {
  const middle = ROW / 2;
  const width = 14;
  return (
    <svg viewBox={`0 0 ${WIDTH} ${ROW}`} preserveAspectRatio="none" aria-hidden="true" focusable="false">
      <line className="plot-track" x1="0" x2={WIDTH} y1={middle} y2={middle} />
      <line className="plot-error" x1={on.at(low)} x2={on.at(high)} y1={middle} y2={middle} />
      <rect className="plot-value" x={on.at(value) - width / 2} y="5" width={width} height={ROW - 10} />
    </svg>
  );
}

interface GaugeProps {
  label: string;
  total: number;
  spent: number;
  /** What would be taken next, drawn behind what is spent. */
  next?: number;
  children?: ReactNode;
}

/** How much of a budget is spent, and what the next thing would take of it. All in rho, which adds up. */
export function Gauge({ label, total, spent, next = 0, children }: GaugeProps): ReactElement {
  const id = useId();
  const [used, wanted] = segments(total, [spent, next]);
  return (
    <div className="gauge" role="group" aria-labelledby={id}>
      <div className="row spread">
        <strong id={id}>{label}</strong>
        <span className="numbers muted small">
          {texts.gauge.share(asShare(total > 0 ? Math.min(1, spent / total) : 0))}
        </span>
      </div>
      <svg
        viewBox={`0 0 ${WIDTH} 12`}
        preserveAspectRatio="none"
        role="img"
        aria-label={texts.gauge.sentence(asLoss(spent), asLoss(total), next > 0 ? asLoss(next) : null)}
      >
        <rect className="gauge-track" width={WIDTH} height="12" />
        <rect className="gauge-spent" x={used?.start} width={used?.width} height="12" />
        <rect className="gauge-next" x={wanted?.start} width={wanted?.width} height="12" />
      </svg>
      {children}
    </div>
  );
}
