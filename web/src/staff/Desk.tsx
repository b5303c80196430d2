/** The desk that checks who somebody is, and gives out codes. */
import { useState, type ReactElement } from "react";
import { api, body, type Schemas } from "../api/client";
import { asMoment } from "../format/time";
import { texts } from "../texts";
import { Button, Card, Failure, Heading, Notice } from "../ui/parts";

const PAGE = texts.staff.desk;

export default function Desk(): ReactElement {
  const [number, setNumber] = useState("");
  const [name, setName] = useState("");
  const [birth, setBirth] = useState("");
  const [issued, setIssued] = useState<Schemas["CodeView"] | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const issue = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    setIssued(null);
    try {
      setIssued(
        await body(
          api.POST("/v1/enrolments", {
            body: { record_number: number, name, birth_date: birth === "" ? null : birth, guardians: [] },
          }),
        ),
      );
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="stack narrow">
      <Heading title={PAGE.title} lead={PAGE.lead} />
      <Card>
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            void issue();
          }}
        >
          <Field id="desk-number" label={PAGE.number} value={number} change={setNumber} />
          <Field id="desk-name" label={PAGE.name} value={name} change={setName} />
          <Field id="desk-birth" label={PAGE.birth} value={birth} change={setBirth} type="date" />
          <div className="row">
            <Button look="primary" submits busy={busy} disabled={number.trim() === "" || name.trim() === ""}>
              {PAGE.issue}
            </Button>
          </div>
        </form>
        {error !== null && <Failure error={error} />}
        {issued !== null && (
          <Notice tone="good" title={PAGE.code}>
            <p className="code">
              <code>{issued.code}</code>
            </p>
            {issued.expires_at !== null && <p>{PAGE.until(asMoment(issued.expires_at))}</p>}
          </Notice>
        )}
      </Card>
    </div>
  );
}

interface FieldProps {
  id: string;
  label: string;
  value: string;
  change: (value: string) => void;
  type?: string;
}

function Field({ id, label, value, change, type = "text" }: FieldProps): ReactElement {
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type={type}
        className="input"
        autoComplete="off"
        value={value}
        onChange={(event) => change(event.target.value)}
      />
    </div>
  );
}
