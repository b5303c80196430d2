/** For guardians: whom they guard, and agreeing to the new account of one of them. */
import { useState, type ReactElement } from "react";
import { Link, useLocation } from "wouter";
import { api, body } from "../api/client";
import { accountIn, inGroups } from "../format/accounts";
import { asMoment, shortId } from "../format/time";
import { SigningSheet } from "../patient/SigningSheet";
import { signOut } from "../session/signOut";
import { texts } from "../texts";
import { CopyButton } from "../ui/CopyButton";
import { Button, Card, Empty, Fetching, Form, Heading, Notice, Switch, TextField } from "../ui/parts";
import type { TypedData } from "../wallet/types";
import { useSigning } from "../wallet/useSigning";
import { requireAccount } from "./commands";
import { lookAgain, useGuarded, type Claim, type Guarded } from "./queries";

const PAGE = texts.recovery.guard;

interface GuardingProps {
  /** The guardian's own. */
  account: string;
  /** What stands in the link; empty where there is none. */
  asked: string;
}

export default function Guarding({ account, asked }: GuardingProps): ReactElement {
  const guarded = useGuarded();
  const found = guarded.data ?? [];
  const wanted = accountIn(asked);
  return (
    <div className="stack narrow">
      <Heading title={wanted === null ? PAGE.people : PAGE.title} />
      {asked !== "" && wanted === null && <Notice tone="warn">{PAGE.bad}</Notice>}
      <Fetching of={guarded} />
      {wanted !== null && found.length > 0 && (
        <Agree key={wanted} guarded={found} account={wanted} own={account} />
      )}
      {guarded.data !== undefined && <People guarded={found} own={account} />}
      {found.length > 0 && wanted === null && <OpenLink />}
      <div className="row">
        <Link href="/" className="button button-quiet">
          {PAGE.own}
        </Link>
        <Button look="quiet" onClick={() => void signOut()}>
          {texts.nav.signOut}
        </Button>
      </div>
    </div>
  );
}

function People({ guarded, own }: { guarded: readonly Guarded[]; own: string }): ReactElement {
  return (
    <Card title={PAGE.list}>
      {guarded.length === 0 ? (
        <Empty>
          <p>{PAGE.nobody}</p>
          <p>{PAGE.nobodyNext}</p>
        </Empty>
      ) : (
        <p className="muted">{PAGE.listLead}</p>
      )}
      <ul className="lines">
        {guarded.map((one) => (
          <li key={one.guardianship} className="stack">
            <strong>{one.relationship}</strong>
            {!one.named && <span className="muted small">{PAGE.notNamed}</span>}
            {one.pending !== null && (
              <span className="small">
                {PAGE.pending(shortId(one.pending.account), asMoment(one.pending.ready_at))}
              </span>
            )}
            {one.begun.map((each) => (
              <span key={each.account} className="small">
                {PAGE.begun(each.agreed, each.needed, shortId(each.account))}
              </span>
            ))}
          </li>
        ))}
      </ul>
      <p className="muted small">{PAGE.mine}</p>
      <p className="account-groups">
        <code>{inGroups(own)}</code>
      </p>
      <div className="row">
        <CopyButton label={PAGE.copy} text={own} />
      </div>
    </Card>
  );
}

function OpenLink(): ReactElement {
  const [, go] = useLocation();
  const [text, setText] = useState("");
  const [told, setTold] = useState(false);
  const account = accountIn(text.slice(text.lastIndexOf("/") + 1));
  return (
    <Card title={PAGE.title}>
      <Form
        send={() => {
          setTold(true);
          if (account !== null) {
            go(`/guard/${account}`);
          }
        }}
      >
        <TextField
          label={PAGE.link}
          value={text}
          change={setText}
          spellCheck={false}
          autoCapitalize="none"
          autoComplete="off"
          aria-invalid={told && account === null}
          {...(told && account === null ? { hint: PAGE.bad } : {})}
        />
        <div className="row">
          <Button submits>{PAGE.open}</Button>
        </div>
      </Form>
    </Card>
  );
}

interface AgreeProps {
  guarded: readonly Guarded[];
  account: string;
  own: string;
}

function Agree({ guarded, account, own }: AgreeProps): ReactElement {
  const named = guarded.filter((one) => one.named);
  const [chosen, choose] = useState("");
  const [compared, setCompared] = useState(false);
  const [signing, setSigning] = useState(false);
  const whom = named.find((one) => one.subject === chosen) ?? named[0];
  return (
    <Card title={PAGE.account}>
      <p className="account-groups">
        <code>{inGroups(account)}</code>
      </p>
      <Notice tone="warn" title={PAGE.warning}>
        {PAGE.warningNext}
      </Notice>
      {whom === undefined ? (
        <Notice>{PAGE.notNamed}</Notice>
      ) : (
        <>
          <label className="field">
            <span>{PAGE.forWhom}</span>
            <select className="input" value={whom.subject} onChange={(event) => choose(event.target.value)}>
              {named.map((one) => (
                <option key={one.subject} value={one.subject}>
                  {one.relationship}
                </option>
              ))}
            </select>
          </label>
          <Switch label={PAGE.same} on={compared} change={setCompared} />
          <div className="row">
            <Button look="primary" disabled={!compared} onClick={() => compared && setSigning(true)}>
              {PAGE.agree}
            </Button>
          </div>
          {signing && <AgreeSheet whom={whom} account={account} own={own} close={() => setSigning(false)} />}
        </>
      )}
    </Card>
  );
}

interface AgreeSheetProps {
  whom: Guarded;
  account: string;
  own: string;
  close: () => void;
}

function AgreeSheet({ whom, account, own, close }: AgreeSheetProps): ReactElement {
  const signing = useSigning<Claim>();
  const { subject } = whom;
  const sign = async (): Promise<void> => {
    await signing.run(async () => {
      const draft = await body(api.POST("/v1/recovery/agreements/draft", { body: { subject, account } }));
      const typed = draft.typed_data as unknown as TypedData;
      requireAccount(typed, "ProposeRecovery", { subject, account });
      return {
        typed,
        signed: (signature) => ({
          path: "/v1/recovery/agreements",
          body: { message: typed.message, signature, account: own },
        }),
      };
    });
    await lookAgain();
  };
  return (
    <SigningSheet
      title={PAGE.sheet}
      signing={signing}
      done={signing.result === null ? null : { title: PAGE.done, next: nextOf(signing.result) }}
      sign={sign}
      label={PAGE.sign}
      close={close}
    >
      <p>{PAGE.says}</p>
      <p>
        <strong>{whom.relationship}</strong>
        <br />
        <code className="small">{subject}</code>
      </p>
      <p className="account-groups">
        <code>{inGroups(account)}</code>
      </p>
    </SigningSheet>
  );
}

function nextOf({ agreed, needed, desk, accepted, pending }: Claim): string {
  if (pending !== null) {
    return PAGE.doneWaiting(asMoment(pending.ready_at));
  }
  if (agreed < needed) {
    return PAGE.doneMore(needed - agreed);
  }
  return accepted && desk === "needed" ? PAGE.doneDesk : PAGE.doneAccept;
}
