import type { ReactElement } from "react";
import { useCodes, useWords } from "../../api/queries";
import { researcher as texts } from "../../texts/researcher";
import { Button, Notice, Switch, TextField } from "../../ui/parts";
import { emptyOutput, hasTable, type Draft, type OutputDraft, type OutputKind } from "./draft";
import { isNumeric } from "./levels";
import { Select } from "./Select";
import type { StepProps } from "./Wizard";

const STEP = texts.wizard.outputs;
const ANSWERS: readonly OutputKind[] = [
  "count",
  "histogram",
  "contingency",
  "mean",
  "quantile",
  "regression",
  "survival",
];
const EXACT: readonly OutputKind[] = ["threshold_count", "threshold_histogram", "threshold_contingency"];

/** What the study gives: protected answers, a dataset with its privacy model, records of single patients. */
export function OutputsStep({ draft, change }: StepProps): ReactElement {
  const add = (kind: OutputKind): void =>
    change((before) => ({
      ...before,
      outputs: [
        ...before.outputs,
        emptyOutput(
          kind,
          before.outputs.map(({ name }) => name),
        ),
      ],
    }));
  const has = (kind: OutputKind): boolean => draft.outputs.some((output) => output.kind === kind);
  return (
    <>
      {draft.outputs.map((output, place) => (
        <fieldset key={place} className="part plain">
          <legend>{STEP.kinds[output.kind]}</legend>
          <p className="small muted">{STEP.hints[output.kind]}</p>
          <Fields
            draft={draft}
            output={output}
            set={(changes) =>
              change((before) => ({
                ...before,
                outputs: before.outputs.map((one, at) => (at === place ? { ...one, ...changes } : one)),
              }))
            }
          />
          {output.kind === "table" && <Model draft={draft} change={change} />}
          {EXACT.includes(output.kind) && <Notice tone="warn">{STEP.outside}</Notice>}
          {output.kind === "fhir" && <Notice tone="warn">{STEP.records}</Notice>}
          <div className="row">
            <Button
              look="quiet"
              onClick={() =>
                change((before) => ({ ...before, outputs: before.outputs.filter((_, at) => at !== place) }))
              }
            >
              {STEP.remove}
              <span className="visually-hidden"> {output.name}</span>
            </Button>
          </div>
        </fieldset>
      ))}
      <div className="part">
        <h3>{STEP.answers}</h3>
        <Adding kinds={ANSWERS} add={add} />
        <h3>{STEP.exact}</h3>
        <Adding kinds={EXACT} add={add} />
        {!has("table") && !has("fhir") && (
          <>
            <h3>{STEP.patients}</h3>
            <Adding kinds={["table", "fhir"]} add={add} />
            <p className="small muted">{STEP.patientsHint}</p>
          </>
        )}
      </div>
    </>
  );
}

function Adding({
  kinds,
  add,
}: {
  kinds: readonly OutputKind[];
  add: (kind: OutputKind) => void;
}): ReactElement {
  return (
    <div className="row chips">
      {kinds.map((kind) => (
        <Button key={kind} onClick={() => add(kind)}>
          + {STEP.kinds[kind]}
        </Button>
      ))}
    </div>
  );
}

interface FieldsProps {
  draft: Draft;
  output: OutputDraft;
  set: (changes: Partial<OutputDraft>) => void;
}

function Fields({ draft, output, set }: FieldsProps): ReactElement {
  const all = draft.variables.map(({ body, title }): [string, string] => [body.name, title]);
  const numeric = draft.variables
    .filter(({ body }) => isNumeric(body))
    .map(({ body, title }): [string, string] => [body.name, title]);
  const pick = (
    label: string,
    member: "variable" | "rows" | "columns" | "predictor" | "event",
    options: readonly [string, string][],
  ): ReactElement => (
    <Select
      label={label}
      value={output[member]}
      change={(value) => set({ [member]: value })}
      options={[["", STEP.choose], ...options]}
      hint={options.length === 0 ? STEP.noSuch : undefined}
    />
  );
  const type = (
    label: string,
    member: "lower" | "upper" | "predictorLower" | "predictorUpper" | "step" | "percent" | "grid" | "k",
    hint?: string,
  ): ReactElement => (
    <TextField
      label={label}
      value={output[member]}
      change={(value) => set({ [member]: value })}
      {...(hint === undefined ? {} : { hint })}
      inputMode={member === "grid" ? "text" : "decimal"}
    />
  );
  const decimals = (
    <Select
      label={STEP.decimals}
      value={output.decimals}
      change={(value) => set({ decimals: value })}
      options={["0", "1", "2", "3"].map((one) => [one, one])}
    />
  );
  const range = (
    <>
      {type(STEP.lower, "lower", STEP.rangeHint)}
      {type(STEP.upper, "upper")}
      {decimals}
    </>
  );
  return (
    <div className="fields">
      <TextField
        label={STEP.name}
        hint={STEP.nameHint}
        value={output.name}
        change={(name) => set({ name })}
      />
      {(() => {
        switch (output.kind) {
          case "count":
          case "threshold_count":
            return null;
          case "histogram":
          case "threshold_histogram":
            return pick(STEP.variable, "variable", all);
          case "contingency":
          case "threshold_contingency":
            return (
              <>
                {pick(STEP.rows, "rows", all)}
                {pick(STEP.columns, "columns", all)}
              </>
            );
          case "mean":
            return (
              <>
                {pick(STEP.variable, "variable", numeric)}
                {range}
              </>
            );
          case "quantile":
            return (
              <>
                {pick(STEP.variable, "variable", numeric)}
                {range}
                {type(STEP.percent, "percent", STEP.percentHint)}
                {type(STEP.step, "step", STEP.stepHint)}
              </>
            );
          case "regression":
            return (
              <>
                {pick(STEP.outcome, "variable", numeric)}
                {range}
                {pick(STEP.predictor, "predictor", numeric)}
                {type(STEP.lower, "predictorLower")}
                {type(STEP.upper, "predictorUpper")}
              </>
            );
          case "survival":
            return (
              <>
                {pick(
                  STEP.time,
                  "variable",
                  draft.variables
                    .filter(({ body }) => body.kind === "time_to_event")
                    .map(({ body, title }) => [body.name, title]),
                )}
                {pick(
                  STEP.event,
                  "event",
                  draft.variables
                    .filter(({ body }) => body.kind === "event_status")
                    .map(({ body, title }) => [body.name, title]),
                )}
                {type(STEP.grid, "grid", STEP.gridHint)}
              </>
            );
          case "table":
            return (
              <>
                {type(STEP.k, "k", STEP.kHint)}
                <Checks
                  label={STEP.columnsOfTable}
                  options={all}
                  chosen={output.variables}
                  set={(variables) => set({ variables })}
                />
              </>
            );
          case "fhir":
            return <Categories output={output} set={set} />;
        }
      })()}
    </div>
  );
}

function Categories({ output, set }: Omit<FieldsProps, "draft">): ReactElement {
  const codes = useCodes("categories");
  const words = useWords();
  return (
    <Checks
      label={STEP.categories}
      options={codes.map((code) => [code, words("categories", [code])[0] ?? code])}
      chosen={output.categories}
      set={(categories) => set({ categories })}
    />
  );
}

function Checks({
  label,
  options,
  chosen,
  set,
}: {
  label: string;
  options: readonly (readonly [string, string])[];
  chosen: readonly string[];
  set: (chosen: string[]) => void;
}): ReactElement {
  return (
    <fieldset className="field plain wide">
      <legend>{label}</legend>
      <div className="checks">
        {options.map(([value, words]) => (
          <label key={value} className="check">
            <input
              type="checkbox"
              checked={chosen.includes(value)}
              onChange={({ target }) =>
                set(target.checked ? [...chosen, value] : chosen.filter((one) => one !== value))
              }
            />
            {words}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** The privacy model of a dataset. */
function Model({ draft, change }: StepProps): ReactElement | null {
  if (!hasTable(draft)) {
    return null;
  }
  return (
    <>
      <Switch
        label={STEP.sealed}
        on={draft.sealed}
        change={(sealed) => change((before) => ({ ...before, sealed }))}
      />
      <p className="small muted">{draft.sealed ? STEP.sealedHint : STEP.openHint}</p>
      {draft.sealed && (
        <div className="fields">
          <Select
            label={STEP.mode}
            value={draft.mode}
            change={(mode) => change((before) => ({ ...before, mode: mode as Draft["mode"] }))}
            options={Object.entries(STEP.modes)}
          />
          <Select
            label={STEP.diversity}
            value={draft.diversity}
            change={(diversity) =>
              change((before) => ({
                ...before,
                diversity: diversity as Draft["diversity"],
                ...(diversity === "none" ? { l: "", c: "" } : {}),
                ...(diversity === "recursive" ? {} : { c: "" }),
              }))
            }
            options={Object.entries(STEP.diversities)}
          />
          {draft.diversity !== "none" && (
            <TextField
              label={STEP.l}
              inputMode="decimal"
              value={draft.l}
              change={(l) => change((before) => ({ ...before, l }))}
            />
          )}
          {draft.diversity === "recursive" && (
            <TextField
              label={STEP.c}
              inputMode="decimal"
              value={draft.c}
              change={(c) => change((before) => ({ ...before, c }))}
            />
          )}
          <TextField
            label={STEP.t}
            hint={STEP.tHint}
            inputMode="decimal"
            value={draft.t}
            change={(t) => change((before) => ({ ...before, t }))}
          />
        </div>
      )}
    </>
  );
}
