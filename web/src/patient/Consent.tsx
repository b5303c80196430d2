/** One decision: the words that were signed, what became of it, its receipt, and the way to stop it. */
import { useState, type ReactElement } from "react";
import { useConsent, useNames } from "../api/queries";
import { asMoment } from "../format/time";
import { texts } from "../texts";
import { Button, Card, Failure, Heading, Loading } from "../ui/parts";
import { useActing } from "./acting";
import { granteeOf, StateTag } from "./Consents";
import { ReceiptButton } from "./ReceiptButton";
import { StopSheet } from "./StopSheet";

const PAGE = texts.consents;
const STOPPABLE = new Set(["pending", "not_yet_valid", "live", "suspended"]);
const RECEIPTED = new Set(["permit", "deny", "refusal"]);

export default function Consent({ id }: { id: string }): ReactElement {
  const { subject } = useActing();
  const consent = useConsent(subject, id);
  const names = useNames();
  const [asking, setAsking] = useState(false);
  if (consent.data === undefined) {
    return consent.error === null ? (
      <Loading what={texts.loading} />
    ) : (
      <Failure error={consent.error} retry={() => void consent.refetch()} />
    );
  }
  const found = consent.data;
  const name = names(granteeOf(found));
  return (
    <>
      <Heading
        title={`${PAGE.kinds[found.kind] ?? found.kind}: ${name}`}
        aside={<StateTag state={found.state} />}
      />
      <Card title={PAGE.text}>
        <p className="signed-text">{found.summary}</p>
        <div className="row">
          {RECEIPTED.has(found.kind) && <ReceiptButton consent={id} />}
          {STOPPABLE.has(found.state) && (
            <Button look="danger" onClick={() => setAsking(true)}>
              {texts.stop.one}
            </Button>
          )}
        </div>
      </Card>
      <Card title={PAGE.history}>
        <ol className="lines">
          {found.history.map((step, number) => (
            <li key={number} className="access">
              <span>
                {PAGE.changes[step.change] ?? step.change}
                {step.block !== null && <span className="muted"> · {PAGE.block(step.block)}</span>}
              </span>
              {step.at !== null && (
                <time className="muted small numbers" dateTime={step.at}>
                  {asMoment(step.at)}
                </time>
              )}
            </li>
          ))}
        </ol>
        <p className="muted small">
          {PAGE.id} <code>{found.consent_id}</code>
        </p>
      </Card>
      {asking && (
        <StopSheet
          what={{ consent_id: id }}
          title={texts.stop.oneTitle(name)}
          lead={texts.stop.oneLead}
          close={() => setAsking(false)}
        />
      )}
    </>
  );
}
