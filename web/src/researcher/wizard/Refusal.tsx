import type { ReactElement } from "react";
import { Problem } from "../../api/problem";
import { researcher as texts } from "../../texts/researcher";
import { Button, Failure } from "../../ui/parts";
import { stepOf, type Step } from "./draft";

const PAGE = texts.wizard;

/** What the service refused, and the step that it is about. */
export function Refusal({ error, show }: { error: unknown; show: (step: Step) => void }): ReactElement {
  const field = error instanceof Problem ? error.field : "";
  return (
    <>
      <Failure error={error} />
      {field !== "" && (
        <div className="row">
          <span className="muted small">
            {PAGE.field} <code>{field}</code>
          </span>
          <Button look="quiet" onClick={() => show(stepOf(field))}>
            {PAGE.goTo(PAGE.steps[stepOf(field)])}
          </Button>
        </div>
      )}
    </>
  );
}
