/** Systems that sign in by themselves: added, closed and opened, given a new secret. */
import { useState, type ReactElement } from "react";
import { api, body, type Schemas } from "../api/client";
import { queries, useNames } from "../api/queries";
import { asMoment } from "../format/time";
import { texts } from "../texts";
import { Button, Empty, Fetching } from "../ui/parts";
import { AccountLine } from "./AccountLine";
import { AddForm, type Wanted } from "./AddForm";
import { Confirm } from "./Confirm";
import { Once } from "./Once";
import { useClients, useTenant, type Client } from "./queries";
import { CLIENT_ROLES, roleWords } from "./roles";
import { StateQuestion } from "./StateQuestion";

const PAGE = texts.operator.accounts;

interface Asked {
  client: Client;
  act: "state" | "secret";
}

interface Told {
  name: string;
  registered: Schemas["RegisteredView"];
}

export function Systems(): ReactElement {
  const clients = useClients();
  const names = useNames();
  const [asked, ask] = useState<Asked | null>(null);
  const [told, tell] = useState<Told | null>(null);
  const close = (): void => ask(null);
  return (
    <>
      {told !== null && (
        <Once
          title={PAGE.system.added(told.name)}
          secrets={[
            [PAGE.system.id, told.registered.client_id],
            [PAGE.system.secret, told.registered.client_secret],
          ]}
          hide={() => tell(null)}
        />
      )}
      <Fetching of={clients} />
      {clients.data?.length === 0 && (
        <section className="card">
          <Empty>{PAGE.none}</Empty>
        </section>
      )}
      {clients.data !== undefined && clients.data.length > 0 && (
        <ul className="card card-list">
          {clients.data.map((client) => (
            <li key={client.client_id}>
              <AccountLine
                name={client.name}
                facts={[
                  roleWords(client.roles),
                  names(client.member_id),
                  ...(client.previous_secret_until === null
                    ? []
                    : [PAGE.overlap(asMoment(client.previous_secret_until))]),
                  ...(client.by_provider ? [texts.openid.managed] : []),
                ]}
                disabled={client.disabled}
                change={() => ask({ client, act: "state" })}
              >
                {!client.by_provider && (
                  <Button onClick={() => ask({ client, act: "secret" })}>{PAGE.system.renew}</Button>
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
            name={asked.client.name}
            disabled={asked.client.disabled}
            close={close}
            run={() => changeState(asked.client)}
          />
        ) : (
          <SecretQuestion client={asked.client} close={close} tell={tell} />
        ))}
    </>
  );
}

async function changeState(client: Client): Promise<void> {
  const path = { client: client.client_id };
  await body(
    api.PUT("/v1/clients/{client}/state", { params: { path }, body: { disabled: !client.disabled } }),
  );
  await queries.invalidateQueries({ queryKey: ["clients"] });
}

interface SecretQuestionProps {
  client: Client;
  close: () => void;
  tell: (told: Told) => void;
}

function SecretQuestion({ client, close, tell }: SecretQuestionProps): ReactElement {
  // One key for all tries of this sheet: a second secret would cut the time of the first one.
  const [key] = useState(() => crypto.randomUUID());
  const run = async (): Promise<void> => {
    const registered = await body(
      api.POST("/v1/clients/{client}/secret", {
        params: { path: { client: client.client_id }, header: { "Idempotency-Key": key } },
        body: { overlap_seconds: DAY_SECONDS },
      }),
    );
    tell({ name: client.name, registered });
    await queries.invalidateQueries({ queryKey: ["clients"] });
  };
  return (
    <Confirm
      title={PAGE.system.renewTitle(client.name)}
      text={PAGE.system.renewText}
      act={PAGE.system.renew}
      look="primary"
      close={close}
      run={run}
    />
  );
}

const DAY_SECONDS = 86_400;

/** Every system is of an organisation: of the custodian itself where none is chosen. */
function Add({ tell }: { tell: (told: Told) => void }): ReactElement | null {
  const tenant = useTenant();
  if (tenant === null) {
    return null;
  }
  const add = async ({ name, roles, member, header }: Wanted): Promise<void> => {
    const registered = await body(
      api.POST("/v1/clients", { params: { header }, body: { name, roles, member_id: member ?? tenant } }),
    );
    tell({ name, registered });
    await queries.invalidateQueries({ queryKey: ["clients"] });
  };
  return <AddForm words={PAGE.system} longest={200} roles={CLIENT_ROLES} add={add} />;
}
