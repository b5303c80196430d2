/** Lines that are pasted as they are: a checkpoint, keys. */
import { useId, type ReactElement } from "react";

interface NoteFieldProps {
  label: string;
  hint?: string;
  value: string;
  change: (value: string) => void;
}

export function NoteField({ label, hint, value, change }: NoteFieldProps): ReactElement {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <textarea
        id={id}
        className="input audit-note"
        rows={4}
        spellCheck={false}
        autoComplete="off"
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
