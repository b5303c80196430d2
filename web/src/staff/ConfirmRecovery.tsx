/** The desk that saw a patient stands beside the guardians, where a recovery was stopped once. */
import { useState, type ReactElement } from "react";
import { api, body, type Schemas } from "../api/client";
import { accountIn, inGroups } from "../format/accounts";
import { texts } from "../texts";
import { Button, Card, Empty, Failure, Form, Notice, Switch, TextField } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";

const PAGE = texts.recovery.desk;
type Case = Schemas["DeskCaseView"];

export function ConfirmRecovery(): ReactElement {
  const [text, setText] = useState("");
  const [found, setFound] = useState<readonly Case[] | null>(null);
  const { busy, error, run } = useAttempt();
  const account = accountIn(text.slice(text.lastIndexOf("/") + 1));
  const look = (): Promise<void> =>
    run(async () => {
      if (account !== null) {
        const query = { new_account: account };
        setFound(await body(api.GET("/v1/recovery/desk", { params: { query } })));
      }
    });
  return (
    <Card title={PAGE.title}>
      <p className="muted">{PAGE.lead}</p>
      <Form send={() => void look()}>
        <TextField
          label={PAGE.account}
          hint={PAGE.hint}
          autoComplete="off"
          spellCheck={false}
          value={text}
          change={(value) => {
            setText(value);
            setFound(null);
          }}
        />
        <div className="row">
          <Button submits busy={busy} disabled={account === null}>
            {PAGE.look}
          </Button>
        </div>
      </Form>
      {error !== null && <Failure error={error} />}
      {found?.length === 0 && <Empty>{PAGE.none}</Empty>}
      {found?.map((one) => (
        <One key={one.subject} first={one} />
      ))}
    </Card>
  );
}

function One({ first }: { first: Case }): ReactElement {
  const [one, setOne] = useState(first);
  const [checked, setChecked] = useState(false);
  const { busy, error, run } = useAttempt();
  const confirm = (): Promise<void> =>
    run(async () => {
      const { subject, account } = one;
      setOne(await body(api.POST("/v1/recovery/confirmations", { body: { subject, account } })));
    });
  return (
    <section className="stack" aria-label={one.name}>
      <p>
        <strong>{one.name}</strong>
        <br />
        <span className="muted">
          {[one.record_number, one.birth_date].filter((each) => each !== null).join(", ")}
        </span>
      </p>
      <p className="account-groups">
        <code>{inGroups(one.account)}</code>
      </p>
      <p className="muted">{texts.recovery.claim.agreed(one.agreed, one.needed)}</p>
      {one.confirmed ? (
        <Notice tone="good" title={PAGE.done}>
          {one.pending ? PAGE.donePending : PAGE.doneNext}
        </Notice>
      ) : (
        <>
          <Switch label={PAGE.checked} on={checked} change={setChecked} />
          <div className="row">
            <Button look="danger" busy={busy} disabled={!checked} onClick={() => checked && void confirm()}>
              {PAGE.confirm}
            </Button>
          </div>
        </>
      )}
      {error !== null && <Failure error={error} />}
    </section>
  );
}
