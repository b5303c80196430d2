/** Admit an organisation. The same try again admits it once. */
import { useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { queries } from "../api/queries";
import { texts } from "../texts";
import { Button, Failure, Form, Notice, TextField } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";
import type { Member } from "./queries";
import { RoleChoice } from "./RoleChoice";
import { MEMBER_ROLES, type Role } from "./roles";
import { useTryKey } from "./useTryKey";

const PAGE = texts.operator.members;
const USUAL_DAYS = "365";

export function Admit(): ReactElement {
  const [name, setName] = useState("");
  const [roles, setRoles] = useState<Role[]>(["provider"]);
  const [account, setAccount] = useState("");
  const [days, setDays] = useState(USUAL_DAYS);
  const [admitted, setAdmitted] = useState<Member | null>(null);
  const [isMissing, setMissing] = useState(false);
  const { header, renew, changing } = useTryKey();
  const { busy, error, run } = useAttempt();
  const admit = async (): Promise<void> => {
    setAdmitted(null);
    const missing = name.trim() === "" || roles.length === 0;
    setMissing(missing);
    if (missing) {
      return;
    }
    await run(async () => {
      const made = await body(
        api.POST("/v1/members", {
          params: { header },
          body: {
            name: name.trim(),
            roles,
            credential_days: Number(days),
            account: account.trim() === "" ? null : account.trim(),
          },
        }),
      );
      setAdmitted(made);
      setName("");
      setAccount("");
      renew();
      await queries.invalidateQueries({ queryKey: ["members"] });
    });
  };
  return (
    <details className="card">
      <summary>{PAGE.admit}</summary>
      <Form send={() => void admit()}>
        <p className="muted">{PAGE.admitLead}</p>
        <TextField
          label={PAGE.name}
          autoComplete="off"
          maxLength={200}
          value={name}
          change={changing(setName)}
        />
        <RoleChoice label={PAGE.rolesLabel} roles={MEMBER_ROLES} chosen={roles} change={changing(setRoles)} />
        <TextField
          label={PAGE.account}
          hint={PAGE.accountHint}
          autoComplete="off"
          spellCheck={false}
          value={account}
          change={changing(setAccount)}
        />
        <TextField
          label={PAGE.days}
          type="number"
          min={1}
          max={3650}
          value={days}
          change={changing(setDays)}
        />
        {isMissing && <Notice tone="warn" title={PAGE.missing} />}
        {error !== null && <Failure error={error} />}
        {admitted !== null && (
          <Notice
            tone="good"
            title={
              admitted.standing === "scheduled"
                ? PAGE.admittedLater(admitted.name ?? "")
                : PAGE.admitted(admitted.name ?? "")
            }
          />
        )}
        <div className="row">
          <Button look="primary" submits busy={busy}>
            {PAGE.admitNow}
          </Button>
        </div>
      </Form>
    </details>
  );
}
