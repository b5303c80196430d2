/** What becomes of a signed answer: recorded, final; and its receipt. */
import type { ReactElement } from "react";
import { Link } from "wouter";
import { useConsent } from "../api/queries";
import { texts } from "../texts";
import { Card, Failure, Notice, Steps, type StepState } from "../ui/parts";
import { useActing } from "./acting";
import { ReceiptButton } from "./ReceiptButton";

const DONE = texts.requests.done;
const WATCH_MS = 1_000;
const SETTLED = new Set(["live", "refused", "revoked", "expired", "superseded", "lapsed"]);

interface AnsweredProps {
  consent: string;
  answer: "grant" | "refuse";
}

export function Answered({ consent, answer }: AnsweredProps): ReactElement {
  const { subject } = useActing();
  const { data, error } = useConsent(subject, consent, (found) =>
    found !== undefined && SETTLED.has(found.state) ? false : WATCH_MS,
  );
  if (answer === "refuse") {
    return <Notice title={DONE.refuse}>{DONE.refusedNext}</Notice>;
  }
  const recorded = data?.block ?? null;
  const isFinal = data?.state === "live" && recorded !== null;
  const steps: { text: string; state: StepState }[] = [
    { text: DONE.signed, state: "done" },
    recorded === null
      ? { text: DONE.recording, state: "now" }
      : { text: DONE.recorded(recorded), state: "done" },
    {
      text: isFinal ? DONE.final : DONE.becoming,
      state: isFinal ? "done" : recorded === null ? "waiting" : "now",
    },
  ];
  return (
    <Card title={DONE.grant}>
      <div aria-live="polite">
        <Steps steps={steps} />
      </div>
      {error !== null && <Failure error={error} />}
      <div className="row">
        <ReceiptButton consent={consent} />
        <Link href={`/consents/${consent}`} className="button button-quiet">
          {DONE.details}
        </Link>
      </div>
    </Card>
  );
}
