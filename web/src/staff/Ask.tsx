/** Ask a patient for consent. */
import { useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { queries, useCodes, useWords } from "../api/queries";
import { dateOf, endOfDay } from "../format/time";
import { texts } from "../texts";
import { Button, Card, Failure, Notice, Switch, TextArea, TextField } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";

const PAGE = texts.staff.ask;
const DAY_MS = 86_400_000;
const USUAL_DAYS = 90;

export function Ask({ patientRef, purpose }: { patientRef: string; purpose: string }): ReactElement {
  const words = useWords();
  const codes = useCodes("categories");
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const [until, setUntil] = useState(() => dateOf(new Date(Date.now() + USUAL_DAYS * DAY_MS).toISOString()));
  const [message, setMessage] = useState("");
  const [sent, setSent] = useState(false);
  const { busy, error, run } = useAttempt();
  const [missing, setMissing] = useState(false);

  const send = async (): Promise<void> => {
    setMissing(chosen.size === 0);
    if (chosen.size === 0) {
      return;
    }
    await run(async () => {
      await body(
        api.POST("/v1/consent-requests", {
          body: {
            patient_ref: patientRef,
            purposes: [purpose],
            categories: codes.filter((code) => chosen.has(code)),
            sensitivities: [],
            actions: ["access"],
            not_after: endOfDay(until),
            message,
          },
        }),
      );
      setSent(true);
      await queries.invalidateQueries({ queryKey: ["requests"] });
    });
  };

  if (sent) {
    return (
      <Notice tone="good" title={PAGE.sent}>
        {PAGE.sentNext}
      </Notice>
    );
  }
  const toggle = (code: string, on: boolean): void => {
    const next = new Set(chosen);
    if (on) {
      next.add(code);
    } else {
      next.delete(code);
    }
    setMissing(false);
    choose(next);
  };
  return (
    <Card>
      <p className="muted">{PAGE.lead}</p>
      <fieldset className="field plain">
        <legend>{PAGE.what}</legend>
        <div className="switch-grid">
          {codes.map((code) => (
            <Switch
              key={code}
              label={words("categories", [code])[0]}
              on={chosen.has(code)}
              change={(on) => toggle(code, on)}
            />
          ))}
        </div>
      </fieldset>
      <TextField
        label={PAGE.until}
        type="date"
        min={dateOf(new Date().toISOString())}
        value={until}
        change={setUntil}
      />
      <TextArea label={PAGE.message} maxLength={1000} value={message} change={setMessage} />
      {missing && <Notice tone="warn">{PAGE.missing}</Notice>}
      {error !== null && <Failure error={error} />}
      <div className="row">
        <Button look="primary" busy={busy} disabled={until === ""} onClick={() => void send()}>
          {PAGE.send}
        </Button>
      </div>
    </Card>
  );
}
