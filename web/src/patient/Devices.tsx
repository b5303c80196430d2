/** The devices of one patient: each has an account of its own, which the first device lets in and puts out. */
import { useState, type ReactElement } from "react";
import { useSearchParams } from "wouter";
import { useCodes, useConsents } from "../api/queries";
import { accountIn, inGroups } from "../format/accounts";
import { asDay, dateOf, endOfDay } from "../format/time";
import { currentAccount } from "../session/tokens";
import { texts } from "../texts";
import { Button, Card, Empty, Form, Heading, Notice, Switch, TextField, Fetching } from "../ui/parts";
import { isSame } from "../wallet/accounts";
import { AccountField } from "./AccountField";
import { useActing, useOwnDevice } from "./acting";
import { asDevice, DEVICE_POWERS, isStanding, lookAgain, powersIn, type Held } from "./delegation";
import { DelegationSheet } from "./DelegationSheet";
import { NameField } from "./NameField";
import { PowerLines } from "./PowerLines";
import { useNaming } from "./useNaming";

const PAGE = texts.powers.devices;
const STOP = { label: PAGE.remove, title: PAGE.removeTitle, lead: PAGE.removeLead };
const TWO_YEARS_MS = 2 * 365 * 86_400_000;

export default function Devices(): ReactElement {
  const { subject, isSelf } = useActing();
  const consents = useConsents(subject, lookAgain);
  const devices = powersIn(consents.data ?? []).filter((one) => one.isDevice);
  const account = currentAccount() ?? "";
  const own = useOwnDevice();
  const others = devices.filter((one) => isStanding(one) && !isSame(one.account, account));
  const removed = devices.filter((one) => !isStanding(one));
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      {(isSelf || own !== null) && (
        <Card title={PAGE.here}>
          <p>{own === null ? PAGE.isFirst : PAGE.isFurther(own.name)}</p>
          <p className="account-groups">
            <code>{inGroups(account)}</code>
          </p>
          {own !== null && <PowerLines powers={[own]} about={untilWhen} stop={STOP} canStop={() => true} />}
        </Card>
      )}
      <Card title={PAGE.others}>
        <Fetching of={consents} />
        {consents.data !== undefined && others.length === 0 && (
          <Empty>{isSelf ? PAGE.none : PAGE.noFurther}</Empty>
        )}
        <PowerLines powers={others} about={untilWhen} stop={STOP} canStop={() => isSelf} />
      </Card>
      {isSelf ? <Add subject={subject} /> : <Notice>{texts.powers.onlySelf}</Notice>}
      {removed.length > 0 && (
        <Card title={PAGE.before}>
          <PowerLines powers={removed} about={untilWhen} stop={STOP} canStop={() => isSelf} />
        </Card>
      )}
      <Card title={PAGE.lost}>
        <ul className="told stack">
          {PAGE.lostPoints.map((point) => (
            <li key={point}>{point}</li>
          ))}
        </ul>
      </Card>
    </>
  );
}

function untilWhen({ consent }: Held): string {
  return consent.not_after === null ? "" : texts.powers.until(asDay(consent.not_after));
}

function Add({ subject }: { subject: string }): ReactElement {
  const [search] = useSearchParams();
  const purposes = useCodes("purposes");
  const categories = useCodes("categories");
  const sensitivities = useCodes("sensitivities");
  const naming = useNaming(accountIn(search.get("account") ?? "") ?? "");
  const { delegate } = naming;
  const [compared, setCompared] = useState(false);
  const [end, setEnd] = useState(() => dateOf(new Date(Date.now() + TWO_YEARS_MS).toISOString()));

  const next = (): void =>
    naming.propose((named) =>
      compared
        ? {
            subject,
            delegate: named.delegate,
            relationship: asDevice(named.name),
            powers: DEVICE_POWERS,
            purposes,
            categories,
            sensitivities,
            notAfter: endOfDay(end),
          }
        : null,
    );
  return (
    <Card title={PAGE.add}>
      <p className="muted">{PAGE.addLead}</p>
      <Form send={next}>
        <NameField naming={naming} label={PAGE.name} hint={PAGE.nameHint} maxLength={100} />
        <AccountField
          value={naming.account}
          told={naming.told}
          change={(text) => {
            naming.setAccount(text);
            setCompared(false);
          }}
        />
        {delegate !== null && (
          <>
            <p className="account-groups">
              <code>{inGroups(delegate)}</code>
            </p>
            <Notice tone="warn">{PAGE.compare}</Notice>
            <Switch label={PAGE.same} on={compared} change={setCompared} />
          </>
        )}
        <TextField
          label={texts.powers.end}
          type="date"
          required
          min={dateOf(new Date().toISOString())}
          value={end}
          change={(day) => day !== "" && setEnd(day)}
        />
        <div className="row">
          <Button look="primary" submits disabled={purposes.length === 0 || (delegate !== null && !compared)}>
            {texts.powers.people.next}
          </Button>
        </div>
      </Form>
      {naming.wish !== null && (
        <DelegationSheet
          wish={naming.wish}
          title={PAGE.add}
          done={{ title: PAGE.added, next: PAGE.addedNext }}
          close={(given) => {
            naming.close(given);
            if (given) {
              setCompared(false);
            }
          }}
        />
      )}
    </Card>
  );
}
