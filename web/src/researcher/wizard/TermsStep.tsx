import type { ReactElement } from "react";
import { researcher as texts } from "../../texts/researcher";
import { TextField } from "../../ui/parts";
import { KINDS, STATEMENTS, type DuoTerm } from "./duo";
import type { StepProps } from "./Wizard";

const STEP = texts.wizard.terms;

/** GA4GH DUO terms: one kind of research, and what is stated or undertaken beside it. */
export function TermsStep({ draft, change }: StepProps): ReactElement {
  const state = (term: DuoTerm, argument: string | null): void =>
    change((before) => ({
      ...before,
      statements: Object.fromEntries([
        ...Object.entries(before.statements).filter(([shorthand]) => shorthand !== term.shorthand),
        ...(argument === null ? [] : [[term.shorthand, argument] as const]),
      ]),
    }));
  return (
    <>
      <fieldset className="field plain">
        <legend>{STEP.kind}</legend>
        <div className="choices">
          {KINDS.map((term) => (
            <label key={term.shorthand} className="choice">
              <input
                type="radio"
                name="duo-kind"
                checked={draft.kind === term.shorthand}
                onChange={() => change((before) => ({ ...before, kind: term.shorthand }))}
              />
              <TermWords term={term} />
            </label>
          ))}
        </div>
      </fieldset>
      {draft.kind === "DS" && (
        <TextField
          label={STEP.disease}
          hint={STEP.diseaseHint}
          placeholder="MONDO_0005148"
          spellCheck={false}
          maxLength={64}
          value={draft.disease}
          change={(disease) => change((before) => ({ ...before, disease }))}
        />
      )}
      <fieldset className="field plain">
        <legend>{STEP.statements}</legend>
        <p className="small muted">{STEP.statementsHint}</p>
        <div className="choices">
          {STATEMENTS.map((term) => {
            const argument = draft.statements[term.shorthand];
            return (
              <div key={term.shorthand} className="stack">
                <label className="choice">
                  <input
                    type="checkbox"
                    checked={argument !== undefined}
                    onChange={({ target }) => state(term, target.checked ? "" : null)}
                  />
                  <TermWords term={term} />
                </label>
                {argument !== undefined && term.argument !== "none" && (
                  <TextField
                    label={STEP.argument[term.argument](STEP.labels[term.shorthand] ?? term.shorthand)}
                    type={term.argument === "date" ? "date" : "text"}
                    inputMode={term.argument === "months" ? "numeric" : undefined}
                    spellCheck={false}
                    value={argument}
                    change={(value) => state(term, value)}
                  />
                )}
              </div>
            );
          })}
        </div>
      </fieldset>
    </>
  );
}

function TermWords({ term }: { term: DuoTerm }): ReactElement {
  return (
    <span>
      <strong>{STEP.labels[term.shorthand]}</strong>{" "}
      <span className="muted small">
        {term.shorthand} · {term.id}
      </span>
      <span className="muted small">
        <br />
        {STEP.hints[term.shorthand]}
      </span>
    </span>
  );
}
