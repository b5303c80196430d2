import type { ReactElement } from "react";
import { useWords } from "../../api/queries";
import { researcher as texts } from "../../texts/researcher";
import { TextField } from "../../ui/parts";
import type { StepProps } from "./Wizard";

const STEP = texts.wizard.purpose;
// HL7 v3 PurposeOfUse: research, and what lies below it. A consent must name exactly this one.
const PURPOSES = [
  "HRESCH",
  "BIORCH",
  "CLINTRCH",
  "CLINTRCHNPC",
  "CLINTRCHPC",
  "PRECLINTRCH",
  "DSRCH",
  "POARCH",
  "TRANSRCH",
];

export function PurposeStep({ draft, change }: StepProps): ReactElement {
  const words = useWords();
  return (
    <>
      <TextField
        label={STEP.title}
        hint={STEP.titleHint}
        maxLength={200}
        value={draft.title}
        change={(title) => change((before) => ({ ...before, title }))}
      />
      <div className="field">
        <label htmlFor="proposal-purpose">{STEP.purpose}</label>
        <select
          id="proposal-purpose"
          className="input"
          value={draft.purpose}
          onChange={({ target }) => change((before) => ({ ...before, purpose: target.value }))}
        >
          {PURPOSES.map((code) => (
            <option key={code} value={code}>
              {words("purposes", [code])[0]}
            </option>
          ))}
        </select>
        <p className="small muted">{STEP.purposeHint}</p>
      </div>
    </>
  );
}
