/** Who may act for the patient: delegates and guardians; giving a power, and taking it back. */
import { useState, type ReactElement } from "react";
import { useCodes, useConsents, useWords } from "../api/queries";
import { dateOf, endOfDay } from "../format/time";
import { currentAccount } from "../session/tokens";
import { texts } from "../texts";
import { Button, Card, Empty, Form, Heading, Notice, Switch, TextField, Fetching } from "../ui/parts";
import { isSame } from "../wallet/accounts";
import { AccountField } from "./AccountField";
import { useActing } from "./acting";
import { isStanding, lookAgain, powersIn, type Held, type Power } from "./delegation";
import { DelegationSheet } from "./DelegationSheet";
import { NameField } from "./NameField";
import { mayDo, PowerLines } from "./PowerLines";
import { codesOf, type Group } from "./purposes";
import { useNaming } from "./useNaming";

const PAGE = texts.powers.people;
const STOP = { label: texts.stop.one, title: PAGE.stopTitle, lead: PAGE.stopLead };
const POWERS: readonly Power[] = ["grant", "revoke", "read"];
const GROUPS: readonly Group[] = ["own", "care", "payment", "research", "other"];
const YEAR_MS = 365 * 86_400_000;

export default function People(): ReactElement {
  const { subject, isSelf } = useActing();
  const consents = useConsents(subject, lookAgain);
  const people = powersIn(consents.data ?? []).filter((one) => !one.isDevice && !one.isForRecovery);
  const standing = people.filter(isStanding);
  const ended = people.filter((one) => !isStanding(one));
  const isOwn = (held: Held): boolean => isSame(held.account, currentAccount() ?? "");
  const isGuardian = standing.some((one) => one.isGuardian && isOwn(one));
  // As the ledger's contract has it: guardians end delegations, delegates lay down their own, desks end guardianships.
  const canStop = (held: Held): boolean => isSelf || (!held.isGuardian && (isGuardian || isOwn(held)));
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      <Card title={PAGE.now}>
        <Fetching of={consents} />
        {consents.data !== undefined && standing.length === 0 && <Empty>{PAGE.nobody}</Empty>}
        <PowerLines
          powers={standing}
          about={(held) => `${held.isGuardian ? PAGE.guardian : PAGE.delegate}: ${mayDo(held)}`}
          stop={STOP}
          canStop={canStop}
        />
        {standing.some((one) => one.isGuardian) && <p className="muted small">{PAGE.guardians}</p>}
      </Card>
      {isSelf ? <Give subject={subject} /> : <Notice>{texts.powers.onlySelf}</Notice>}
      {ended.length > 0 && (
        <Card title={PAGE.before}>
          <PowerLines powers={ended} about={mayDo} stop={STOP} canStop={canStop} />
        </Card>
      )}
    </>
  );
}

function Give({ subject }: { subject: string }): ReactElement {
  const purposes = useCodes("purposes");
  const allCategories = useCodes("categories");
  const allSensitivities = useCodes("sensitivities");
  const naming = useNaming();
  const [powers, setPowers] = useState<readonly Power[]>(["read"]);
  const [groups, setGroups] = useState<readonly Group[]>(["own", "care"]);
  const [left, setLeft] = useState<readonly string[]>([]); // kinds that were switched off
  const [sensitivities, setSensitivities] = useState<readonly string[]>([]);
  const [end, setEnd] = useState(() => dateOf(new Date(Date.now() + YEAR_MS).toISOString()));

  const categories = allCategories.filter((code) => !left.includes(code));
  const isNothing = powers.length === 0 || groups.length === 0 || categories.length === 0;

  const next = (): void =>
    naming.propose(({ name, delegate }) =>
      isNothing
        ? null
        : {
            subject,
            delegate,
            relationship: name,
            powers,
            purposes: codesOf(groups, purposes),
            categories,
            sensitivities: allSensitivities.filter((code) => sensitivities.includes(code)),
            notAfter: endOfDay(end),
          },
    );
  return (
    <Card title={PAGE.give}>
      <p className="muted">{PAGE.giveLead}</p>
      <Form send={next}>
        <NameField naming={naming} label={PAGE.name} hint={PAGE.nameHint} maxLength={200} />
        <AccountField
          value={naming.account}
          change={naming.setAccount}
          told={naming.told}
          hint={texts.powers.accountHint}
        />
        <fieldset className="plain">
          <legend>{PAGE.mayDo}</legend>
          <div className="switch-grid">
            {POWERS.map((power) => (
              <Switch
                key={power}
                label={texts.powers.names[power]}
                on={powers.includes(power)}
                change={(on) =>
                  setPowers(POWERS.filter((one) => (one === power ? on : powers.includes(one))))
                }
              />
            ))}
          </div>
        </fieldset>
        <fieldset className="plain">
          <legend>{PAGE.purposes}</legend>
          <div className="switch-grid">
            {GROUPS.map((group) => (
              <Switch
                key={group}
                label={PAGE.groups[group]}
                on={groups.includes(group)}
                change={(on) =>
                  setGroups(GROUPS.filter((one) => (one === group ? on : groups.includes(one))))
                }
              />
            ))}
          </div>
        </fieldset>
        <Choice
          table="categories"
          label={PAGE.categories}
          all={allCategories}
          chosen={categories}
          choose={(chosen) => setLeft(allCategories.filter((code) => !chosen.includes(code)))}
        />
        <Choice
          table="sensitivities"
          label={PAGE.sensitivities}
          all={allSensitivities}
          chosen={sensitivities}
          choose={setSensitivities}
        />
        <TextField
          label={texts.powers.end}
          type="date"
          required
          min={dateOf(new Date().toISOString())}
          value={end}
          change={(day) => day !== "" && setEnd(day)}
        />
        {naming.told && isNothing && <Notice tone="warn">{PAGE.nothing}</Notice>}
        <div className="row">
          <Button look="primary" submits>
            {PAGE.next}
          </Button>
        </div>
      </Form>
      {naming.wish !== null && (
        <DelegationSheet
          wish={naming.wish}
          title={PAGE.give}
          done={{ title: PAGE.given, next: PAGE.givenNext }}
          close={naming.close}
        />
      )}
    </Card>
  );
}

interface ChoiceProps {
  table: "categories" | "sensitivities";
  label: string;
  all: readonly string[];
  chosen: readonly string[];
  choose: (chosen: readonly string[]) => void;
}

/** Many codes, closed until somebody wants to choose among them. */
function Choice({ table, label, all, chosen, choose }: ChoiceProps): ReactElement {
  const words = useWords();
  return (
    <details>
      <summary>
        {label}: {PAGE.chosen(chosen.length, all.length)}
      </summary>
      <div className="row choice">
        <Button onClick={() => choose(all)}>{PAGE.all}</Button>
        <Button onClick={() => choose([])}>{PAGE.none}</Button>
      </div>
      <div className="switch-grid">
        {all.map((code) => (
          <Switch
            key={code}
            label={words(table, [code])[0]}
            on={chosen.includes(code)}
            change={(on) => choose(all.filter((one) => (one === code ? on : chosen.includes(one))))}
          />
        ))}
      </div>
    </details>
  );
}
