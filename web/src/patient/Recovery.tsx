/** Who can bring the account back if it is lost: guardians, and how many of them must agree. */
import { useState, type ReactElement } from "react";
import { useQuery } from "@tanstack/react-query";
import { api, body } from "../api/client";
import { useConsents } from "../api/queries";
import { asDay, asDays, asMoment, shortId } from "../format/time";
import { requirePolicy, type PolicyWish } from "../recovery/commands";
import { lookAgain as lookAtRecovery, useRecovery, type Recovery as State } from "../recovery/queries";
import { texts } from "../texts";
import { Button, Card, Empty, Failure, Fetching, Form, Heading, Notice, Switch } from "../ui/parts";
import type { TypedData } from "../wallet/types";
import { useSigning } from "../wallet/useSigning";
import { AccountField } from "./AccountField";
import { useActing } from "./acting";
import { isStanding, lookAgain, powersIn, type Held } from "./delegation";
import { DelegationSheet } from "./DelegationSheet";
import { NameField } from "./NameField";
import { PowerLines } from "./PowerLines";
import { SigningSheet } from "./SigningSheet";
import { useNaming } from "./useNaming";

const PAGE = texts.recovery;
const TEN_YEARS_MS = 3650 * 86_400_000;
const STOP = {
  label: PAGE.guardians.stop,
  title: PAGE.guardians.stopTitle,
  lead: PAGE.guardians.stopLead,
};

export default function Recovery(): ReactElement {
  const { subject, isSelf } = useActing();
  const recovery = useRecovery(subject);
  const consents = useConsents(subject, lookAgain);
  const guardians = powersIn(consents.data ?? []).filter((one) => one.isGuardian && isStanding(one));
  const live = guardians.filter((one) => one.consent.state === "live");
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      <Card title={PAGE.policy.title}>
        <Fetching of={recovery} />
        {recovery.data !== undefined && <Now state={recovery.data} />}
      </Card>
      <Card title={PAGE.guardians.title}>
        <p className="muted">{PAGE.guardians.lead}</p>
        <Fetching of={consents} />
        {consents.data !== undefined && guardians.length === 0 && <Empty>{PAGE.guardians.none}</Empty>}
        <PowerLines powers={guardians} about={untilWhen} stop={STOP} canStop={() => isSelf} />
      </Card>
      {isSelf ? (
        <>
          <Add subject={subject} />
          {recovery.data !== undefined && <Choose subject={subject} live={live} state={recovery.data} />}
        </>
      ) : (
        <Notice>{texts.powers.onlySelf}</Notice>
      )}
    </>
  );
}

function untilWhen({ consent }: Held): string {
  return consent.not_after === null ? "" : PAGE.guardians.until(asDay(consent.not_after));
}

function Now({ state }: { state: State }): ReactElement {
  const { policy, waiting, waiting_until } = state;
  return (
    <>
      {policy === null ? <Notice tone="warn">{PAGE.policy.nobody}</Notice> : <Policy policy={policy} />}
      {waiting !== null && waiting_until !== null && (
        <>
          <p>{PAGE.policy.waiting(asMoment(waiting_until))}</p>
          <Policy policy={waiting} />
          <p className="muted small">{PAGE.policy.why}</p>
        </>
      )}
      {!state.can_stop && <Notice>{PAGE.policy.vetoSpent}</Notice>}
    </>
  );
}

function Policy({ policy }: { policy: NonNullable<State["policy"]> }): ReactElement {
  const gone = policy.named - policy.guardians.length;
  return (
    <>
      <p>{PAGE.policy.any(policy.threshold, policy.named)}</p>
      <ul className="lines">
        {policy.guardians.map((one) => (
          <li key={one.guardianship} className="power">
            <span className="stack">
              <strong>{one.relationship}</strong>
              <span className="muted small">
                <code>{shortId(one.account)}</code>
              </span>
            </span>
          </li>
        ))}
      </ul>
      {gone > 0 && <p className="muted small">{PAGE.policy.gone(gone)}</p>}
    </>
  );
}

function Add({ subject }: { subject: string }): ReactElement {
  const naming = useNaming();
  const next = (): void =>
    naming.propose(({ name, delegate }) => ({
      subject,
      delegate,
      relationship: name,
      // The ledger takes no power of attorney without a power; this one, with no step to pass it on, is empty.
      powers: ["delegate"],
      purposes: [],
      categories: [],
      sensitivities: [],
      notAfter: new Date(Date.now() + TEN_YEARS_MS).toISOString(),
      isGuardian: true,
    }));
  return (
    <Card title={PAGE.guardians.add}>
      <p className="muted">{PAGE.guardians.addLead}</p>
      <Form send={next}>
        <NameField
          naming={naming}
          label={PAGE.guardians.name}
          hint={PAGE.guardians.nameHint}
          maxLength={200}
        />
        <AccountField
          value={naming.account}
          change={naming.setAccount}
          told={naming.told}
          hint={texts.powers.accountHint}
        />
        <div className="row">
          <Button look="primary" submits>
            {PAGE.guardians.next}
          </Button>
        </div>
      </Form>
      {naming.wish !== null && (
        <DelegationSheet
          wish={naming.wish}
          title={PAGE.guardians.add}
          note={PAGE.guardians.note}
          done={{ title: PAGE.guardians.named, next: PAGE.guardians.namedNext }}
          close={naming.close}
        />
      )}
    </Card>
  );
}

interface ChooseProps {
  subject: string;
  live: readonly Held[];
  state: State;
}

function Choose({ subject, live, state }: ChooseProps): ReactElement {
  const [left, setLeft] = useState<readonly string[]>([]); // who was switched off
  const [wanted, setWanted] = useState(2);
  const [wish, setWish] = useState<PolicyWish | null>(null);
  const chosen = live.filter((one) => !left.includes(one.consent.consent_id));
  const least = Math.min(2, chosen.length);
  const threshold = Math.max(least, Math.min(wanted, chosen.length));
  const counts = Array.from({ length: chosen.length - least + 1 }, (_, more) => least + more);
  if (live.length === 0) {
    return (
      <Card title={PAGE.choose.title}>
        <Empty>{PAGE.choose.tooFew}</Empty>
      </Card>
    );
  }
  return (
    <Card title={PAGE.choose.title}>
      <p className="muted">{PAGE.choose.lead}</p>
      <fieldset className="plain">
        <legend>{PAGE.choose.who}</legend>
        <div className="switch-grid">
          {live.map(({ consent: { consent_id }, name }) => (
            <Switch
              key={consent_id}
              label={name}
              on={!left.includes(consent_id)}
              change={(on) => setLeft(on ? left.filter((one) => one !== consent_id) : [...left, consent_id])}
            />
          ))}
        </div>
      </fieldset>
      {chosen.length > 1 && (
        <label className="field">
          <span>{PAGE.choose.threshold}</span>
          <select
            className="input"
            value={threshold}
            onChange={(event) => setWanted(Number(event.target.value))}
          >
            {counts.map((count) => (
              <option key={count} value={count}>
                {PAGE.choose.of(count, chosen.length)}
              </option>
            ))}
          </select>
        </label>
      )}
      {chosen.length === 1 && <Notice tone="warn">{PAGE.choose.alone}</Notice>}
      <div className="row">
        <Button
          look="primary"
          disabled={chosen.length === 0 || state.pending !== null}
          onClick={() =>
            chosen.length > 0 &&
            state.pending === null &&
            setWish({ subject, guardianships: chosen.map((one) => one.consent.consent_id), threshold })
          }
        >
          {PAGE.choose.next}
        </Button>
      </div>
      {wish !== null && (
        <PolicySheet
          wish={wish}
          names={chosen.map((one) => one.name)}
          state={state}
          close={() => setWish(null)}
        />
      )}
    </Card>
  );
}

interface PolicySheetProps {
  wish: PolicyWish;
  names: readonly string[];
  state: State;
  close: () => void;
}

function PolicySheet({ wish, names, state, close }: PolicySheetProps): ReactElement {
  const draft = useQuery({
    queryKey: ["recovery-draft", wish],
    queryFn: () =>
      body(
        api.POST("/v1/recovery/policies/draft", {
          body: { ...wish, guardianships: [...wish.guardianships] },
        }),
      ),
    staleTime: Infinity, // what is shown is what is signed
    gcTime: 0,
  });
  const [isFirst] = useState(state.policy === null);
  const signing = useSigning<unknown>();
  const sign = async (): Promise<void> => {
    const typed = draft.data?.typed_data as unknown as TypedData;
    await signing.run(() => {
      requirePolicy(typed, wish);
      return Promise.resolve({
        typed,
        signed: (signature: string) => ({
          path: "/v1/recovery/policies" as const,
          body: { message: typed.message, signature },
        }),
      });
    });
    await lookAtRecovery();
  };
  const done = {
    title: isFirst ? PAGE.choose.done : PAGE.choose.doneLater,
    next: isFirst ? PAGE.choose.doneNext : PAGE.policy.why,
  };
  return (
    <SigningSheet
      title={PAGE.choose.sheet}
      signing={signing}
      done={signing.result === null ? null : done}
      sign={sign}
      label={PAGE.choose.sign}
      ready={draft.data !== undefined}
      close={close}
    >
      <p>{PAGE.choose.says(wish.threshold, names.length)}</p>
      <ul className="told stack">
        {names.map((name, place) => (
          <li key={wish.guardianships[place]}>
            <strong>{name}</strong>
          </li>
        ))}
      </ul>
      <p>{PAGE.choose.delay(asDays(state.delay_seconds))}</p>
      <p className="muted small">{PAGE.choose.ids}</p>
      <ul className="lines small">
        {wish.guardianships.map((name) => (
          <li key={name}>
            <code>{shortId(name)}</code>
          </li>
        ))}
      </ul>
      {draft.error !== null && <Failure error={draft.error} retry={() => void draft.refetch()} />}
    </SigningSheet>
  );
}
