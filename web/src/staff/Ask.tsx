/** Ask a patient for consent. */
import { useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { queries, useCodes, useWords } from "../api/queries";
import { dateOf, endOfDay } from "../format/time";
import { texts } from "../texts";
import { Button, Card, Failure, Notice, Switch } from "../ui/parts";

const PAGE = texts.staff.ask;
const DAY_MS = 86_400_000;
const USUAL_DAYS = 90;

export function Ask({ patientRef, purpose }: { patientRef: string; purpose: string }): ReactElement {
  const words = useWords();
  const codes = useCodes("categories");
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const [until, setUntil] = useState(() => dateOf(new Date(Date.now() + USUAL_DAYS * DAY_MS).toISOString()));
  const [message, setMessage] = useState("");
  const [state, setState] = useState<"open" | "sending" | "sent">("open");
  const [error, setError] = useState<unknown>(null);
  const [missing, setMissing] = useState(false);

  const send = async (): Promise<void> => {
    setMissing(chosen.size === 0);
    if (chosen.size === 0) {
      return;
    }
    setState("sending");
    setError(null);
    try {
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
      setState("sent");
      await queries.invalidateQueries({ queryKey: ["requests"] });
    } catch (failure) {
      setError(failure);
      setState("open");
    }
  };

  if (state === "sent") {
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
      <div className="field">
        <label htmlFor="ask-until">{PAGE.until}</label>
        <input
          id="ask-until"
          type="date"
          className="input"
          min={dateOf(new Date().toISOString())}
          value={until}
          onChange={(event) => setUntil(event.target.value)}
        />
      </div>
      <div className="field">
        <label htmlFor="ask-message">{PAGE.message}</label>
        <textarea
          id="ask-message"
          className="input"
          rows={3}
          maxLength={1000}
          value={message}
          onChange={(event) => setMessage(event.target.value)}
        />
      </div>
      {missing && <Notice tone="warn">{PAGE.missing}</Notice>}
      {error !== null && <Failure error={error} />}
      <div className="row">
        <Button look="primary" busy={state === "sending"} disabled={until === ""} onClick={() => void send()}>
          {PAGE.send}
        </Button>
      </div>
    </Card>
  );
}
