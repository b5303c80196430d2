/** Some lines to write, with their label. */
import { useId, type ReactElement } from "react";

const MOST_CHARACTERS = 2000;

interface TextAreaProps {
  label: string;
  hint?: string;
  value: string;
  change: (value: string) => void;
}

export function TextArea({ label, hint, value, change }: TextAreaProps): ReactElement {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <textarea
        id={id}
        className="input"
        rows={3}
        maxLength={MOST_CHARACTERS}
        value={value}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        onChange={(event) => change(event.target.value)}
      />
      {hint !== undefined && (
        <p id={`${id}-hint`} className="small muted">
          {hint}
        </p>
      )}
    </div>
  );
}
