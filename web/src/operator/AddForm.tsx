/** Adds an account, of a person or a system: its name, whose it is, what it may do. */
import { useState, type ReactElement } from "react";
import { texts } from "../texts";
import { Button, Failure, Form, Notice, TextField } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";
import { MemberChoice } from "./MemberChoice";
import { RoleChoice } from "./RoleChoice";
import type { Role } from "./roles";
import { useTryKey, type TryHeader } from "./useTryKey";

const PAGE = texts.operator.accounts;

export interface Wanted {
  name: string;
  roles: Role[];
  /** Null: of nobody in particular. */
  member: string | null;
  /** One for all tries. */
  header: TryHeader;
}

interface AddFormProps {
  words: { add: string; name: string; of: string };
  longest: number;
  roles: readonly Role[];
  /** Another account may be added once this has ended. */
  add: (wanted: Wanted) => Promise<void>;
}

export function AddForm({ words, longest, roles: offered, add }: AddFormProps): ReactElement {
  const [name, setName] = useState("");
  const [roles, setRoles] = useState<Role[]>(["provider"]);
  const [member, setMember] = useState("");
  const [isMissing, setMissing] = useState(false);
  const { header, renew, changing } = useTryKey();
  const { busy, error, run } = useAttempt();
  const send = async (): Promise<void> => {
    const missing = name.trim() === "" || roles.length === 0;
    setMissing(missing);
    if (missing) {
      return;
    }
    await run(async () => {
      await add({ name: name.trim(), roles, member: member === "" ? null : member, header });
      setName("");
      renew();
    });
  };
  return (
    <details className="card">
      <summary>{words.add}</summary>
      <Form send={() => void send()}>
        <TextField
          label={words.name}
          autoComplete="off"
          maxLength={longest}
          value={name}
          change={changing(setName)}
        />
        <MemberChoice label={words.of} value={member} change={changing(setMember)} />
        <RoleChoice label={PAGE.roles} roles={offered} chosen={roles} change={changing(setRoles)} />
        {isMissing && <Notice tone="warn" title={PAGE.missing} />}
        {error !== null && <Failure error={error} />}
        <div className="row">
          <Button look="primary" submits busy={busy}>
            {PAGE.addNow}
          </Button>
        </div>
      </Form>
    </details>
  );
}
