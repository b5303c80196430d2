/** Accounts of staff: added, closed and opened, given a new password. */
import { useState, type ReactElement } from "react";
import { api, body, done } from "../api/client";
import { queries, useNames } from "../api/queries";
import { texts } from "../texts";
import { Button, Fetching } from "../ui/parts";
import { AccountLine } from "./AccountLine";
import { AddForm, type Wanted } from "./AddForm";
import { Confirm } from "./Confirm";
import { Once } from "./Once";
import { useUsers, type User } from "./queries";
import { roleWords, STAFF_ROLES } from "./roles";
import { drawPassword } from "./secrets";
import { StateQuestion } from "./StateQuestion";

const PAGE = texts.operator.accounts;

interface Asked {
  user: User;
  act: "state" | "password";
}

interface Told {
  title: string;
  password: string;
}

export function People(): ReactElement {
  const users = useUsers();
  const names = useNames();
  const [asked, ask] = useState<Asked | null>(null);
  const [told, tell] = useState<Told | null>(null);
  const close = (): void => ask(null);
  return (
    <>
      {told !== null && (
        <Once
          title={told.title}
          next={PAGE.person.addedNext}
          secrets={[[texts.staff.signIn.password, told.password]]}
          hide={() => tell(null)}
        />
      )}
      <Fetching of={users} />
      {users.data !== undefined && (
        <ul className="card card-list">
          {users.data.map((user) => (
            <li key={user.staff_id}>
              <AccountLine
                name={user.username}
                facts={[
                  roleWords(user.roles),
                  ...(user.member_id === null ? [] : [names(user.member_id)]),
                  ...(user.account === null ? [] : [PAGE.wallet]),
                  ...(user.by_provider ? [texts.openid.managed] : []),
                ]}
                disabled={user.disabled}
                change={() => ask({ user, act: "state" })}
              >
                {!user.by_provider && (
                  <Button onClick={() => ask({ user, act: "password" })}>{PAGE.person.password}</Button>
                )}
              </AccountLine>
            </li>
          ))}
        </ul>
      )}
      <Add tell={tell} />
      {asked !== null &&
        (asked.act === "state" ? (
          <StateQuestion
            name={asked.user.username}
            disabled={asked.user.disabled}
            close={close}
            run={() => changeState(asked.user)}
          />
        ) : (
          <PasswordQuestion user={asked.user} close={close} tell={tell} />
        ))}
    </>
  );
}

async function changeState(user: User): Promise<void> {
  const path = { user: user.staff_id };
  await body(api.PUT("/v1/users/{user}/state", { params: { path }, body: { disabled: !user.disabled } }));
  await queries.invalidateQueries({ queryKey: ["users"] });
}

interface PasswordQuestionProps {
  user: User;
  close: () => void;
  tell: (told: Told) => void;
}

function PasswordQuestion({ user, close, tell }: PasswordQuestionProps): ReactElement {
  // One password for all tries: a lost answer leaves the one that is told.
  const [password] = useState(() => drawPassword());
  const run = async (): Promise<void> => {
    const path = { user: user.staff_id };
    await done(api.PUT("/v1/users/{user}/password", { params: { path }, body: { password } }));
    tell({ title: PAGE.person.passwordSet(user.username), password });
  };
  return (
    <Confirm
      title={PAGE.person.passwordTitle(user.username)}
      text={PAGE.person.passwordText}
      act={PAGE.person.password}
      close={close}
      run={run}
    />
  );
}

function Add({ tell }: { tell: (told: Told) => void }): ReactElement {
  // One password for all tries, as one key: whichever of them made the account, this is what opens it.
  const [password, setPassword] = useState(() => drawPassword());
  const add = async ({ name, roles, member, header }: Wanted): Promise<void> => {
    await body(
      api.POST("/v1/users", {
        params: { header },
        body: { username: name, password, roles, member_id: member },
      }),
    );
    tell({ title: PAGE.person.added(name), password });
    setPassword(drawPassword());
    await queries.invalidateQueries({ queryKey: ["users"] });
  };
  return <AddForm words={PAGE.person} longest={64} roles={STAFF_ROLES} add={add} />;
}
