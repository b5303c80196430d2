/** The desk that checks who somebody is, and gives out codes. */
import { useState, type ReactElement } from "react";
import { api, body, type Schemas } from "../api/client";
import { asMoment } from "../format/time";
import { texts } from "../texts";
import { Button, Card, Failure, Form, Heading, Notice, TextField } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";
import { ConfirmRecovery } from "./ConfirmRecovery";
import { EndGuardianship } from "./EndGuardianship";

const PAGE = texts.staff.desk;

export default function Desk(): ReactElement {
  const [number, setNumber] = useState("");
  const [name, setName] = useState("");
  const [birth, setBirth] = useState("");
  const [issued, setIssued] = useState<Schemas["CodeView"] | null>(null);
  const { busy, error, run } = useAttempt();
  const issue = (): Promise<void> =>
    run(async () => {
      setIssued(null);
      setIssued(
        await body(
          api.POST("/v1/enrolments", {
            body: { record_number: number, name, birth_date: birth === "" ? null : birth, guardians: [] },
          }),
        ),
      );
    });
  return (
    <div className="stack narrow">
      <Heading title={PAGE.title} lead={PAGE.lead} />
      <Card>
        <Form send={() => void issue()}>
          <TextField label={PAGE.number} autoComplete="off" value={number} change={setNumber} />
          <TextField label={PAGE.name} autoComplete="off" value={name} change={setName} />
          <TextField label={PAGE.birth} autoComplete="off" type="date" value={birth} change={setBirth} />
          <div className="row">
            <Button look="primary" submits busy={busy} disabled={number.trim() === "" || name.trim() === ""}>
              {PAGE.issue}
            </Button>
          </div>
        </Form>
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
      <ConfirmRecovery />
      <EndGuardianship />
    </div>
  );
}
