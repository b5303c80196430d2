import type { ReactElement } from "react";
import { researcher as texts } from "../../texts/researcher";
import { Button, Notice, TextField } from "../../ui/parts";
import { asLevel } from "../numbers";
import { hasRecords, hasTable } from "./draft";
import { MISSING } from "./levels";
import { Select } from "./Select";
import type { StepProps } from "./Wizard";

const STEP = texts.wizard.cohort;
const MANY = 60;

/** Who is counted: levels of the chosen variables, and how many there must be at least. */
export function CohortStep({ draft, change }: StepProps): ReactElement {
  const free = draft.variables.filter(
    ({ body }) => !draft.criteria.some((filter) => filter.variable === body.name),
  );
  return (
    <>
      <TextField
        label={STEP.minimum}
        hint={STEP.minimumHint}
        inputMode="numeric"
        value={draft.minimumCohort}
        change={(minimumCohort) => change((before) => ({ ...before, minimumCohort }))}
      />
      {draft.criteria.map((filter) => {
        const variable = draft.variables.find(({ body }) => body.name === filter.variable);
        const levels = variable?.levels.filter((level) => level !== MISSING) ?? [];
        const set = (wanted: string[]): void =>
          change((before) => ({
            ...before,
            criteria: before.criteria.map((one) =>
              one.variable === filter.variable
                ? { ...one, levels: levels.filter((level) => wanted.includes(level)) }
                : one,
            ),
          }));
        return (
          <fieldset key={filter.variable} className="part plain">
            <legend>{variable?.title ?? filter.variable}</legend>
            <div className="checks">
              {levels.slice(0, MANY).map((level) => (
                <label key={level} className="check">
                  <input
                    type="checkbox"
                    checked={filter.levels.includes(level)}
                    onChange={({ target }) =>
                      set(
                        target.checked
                          ? [...filter.levels, level]
                          : filter.levels.filter((one) => one !== level),
                      )
                    }
                  />
                  {asLevel(level)}
                </label>
              ))}
            </div>
            <div className="row">
              <Button
                look="quiet"
                onClick={() =>
                  change((before) => ({
                    ...before,
                    criteria: before.criteria.filter((one) => one.variable !== filter.variable),
                  }))
                }
              >
                {STEP.remove}
              </Button>
            </div>
          </fieldset>
        );
      })}
      <div className="part">
        {draft.variables.length === 0 ? (
          <p className="muted">{STEP.noVariables}</p>
        ) : (
          free.length > 0 && (
            <Select
              label={STEP.add}
              value=""
              change={(variable) =>
                change((before) => ({ ...before, criteria: [...before.criteria, { variable, levels: [] }] }))
              }
              options={[
                ["", STEP.choose],
                ...free.map(({ body, title }): [string, string] => [body.name, title]),
              ]}
            />
          )
        )}
        <p className="small muted">{STEP.explained}</p>
        {draft.criteria.length > 0 && (hasTable(draft) || hasRecords(draft)) && (
          <Notice tone="warn">{STEP.notTables}</Notice>
        )}
      </div>
    </>
  );
}
