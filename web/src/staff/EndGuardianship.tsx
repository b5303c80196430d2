/** The desk that saw the papers ends a guardianship, by its id. In force at once, like every stop. */
import { useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { texts } from "../texts";
import { Button, Card, Failure, Form, Notice, TextField } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";

const PAGE = texts.powers.guardianship;
const ID = /^0x[0-9a-fA-F]{64}$/;

export function EndGuardianship(): ReactElement {
  const [id, setId] = useState("");
  const [ended, setEnded] = useState(false);
  const { busy, error, run } = useAttempt();
  const consent = id.trim();
  const end = (): Promise<void> =>
    run(async () => {
      setEnded(false);
      await body(api.POST("/v1/revocations/guardianships", { body: { consent_id: consent } }));
      setEnded(true);
      setId("");
    });
  return (
    <Card title={PAGE.title}>
      <p className="muted">{PAGE.lead}</p>
      <Form send={() => void end()}>
        <TextField
          label={PAGE.id}
          hint={PAGE.hint}
          autoComplete="off"
          spellCheck={false}
          value={id}
          change={setId}
        />
        <div className="row">
          <Button look="danger" submits busy={busy} disabled={!ID.test(consent)}>
            {PAGE.end}
          </Button>
        </div>
      </Form>
      {error !== null && <Failure error={error} />}
      {ended && (
        <Notice tone="good" title={PAGE.ended}>
          {PAGE.endedNext}
        </Notice>
      )}
    </Card>
  );
}
