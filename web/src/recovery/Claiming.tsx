/** For an account that controls nothing yet: its owner lost another one, and guardians bring the records here. */
import { lazy, Suspense, useEffect, useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { queries } from "../api/queries";
import { inGroups } from "../format/accounts";
import { asMoment } from "../format/time";
import { SigningStatus } from "../patient/SigningStatus";
import { texts } from "../texts";
import { CopyButton } from "../ui/CopyButton";
import { Button, Card, Failure, Loading, Notice, Steps, type StepState } from "../ui/parts";
import type { TypedData } from "../wallet/types";
import { useSigning } from "../wallet/useSigning";
import { requireAccount } from "./commands";
import { lookAgain, useClaims, type Claim } from "./queries";

const QrCode = lazy(() => import("../ui/QrCode"));
const PAGE = texts.recovery.claim;

export function Claiming({ account }: { account: string }): ReactElement {
  const claims = useClaims(account);
  const [shown, show] = useState(false);
  const found = claims.data ?? [];
  const isDone = found.some((one) => one.state === "completed");
  useEffect(() => {
    if (isDone) {
      void queries.invalidateQueries({ queryKey: ["session"] });
    }
  }, [isDone, claims.dataUpdatedAt]); // until the session knows the patient
  return (
    <Card title={found.length > 0 ? PAGE.progress : PAGE.title}>
      {found.length === 0 && <p className="muted">{PAGE.lead}</p>}
      {found.map((claim) => (
        <Progress key={claim.subject} claim={claim} account={account} />
      ))}
      {shown || found.length > 0 ? (
        <>
          <LinkOf account={account} />
          {found.length === 0 && claims.error === null && <Loading what={PAGE.waiting} />}
        </>
      ) : (
        <div className="row">
          <Button onClick={() => show(true)}>{PAGE.open}</Button>
        </div>
      )}
      {claims.error !== null && <Failure error={claims.error} retry={() => void claims.refetch()} />}
    </Card>
  );
}

function LinkOf({ account }: { account: string }): ReactElement {
  const link = `${location.origin}/app/guard/${account}`;
  return (
    <>
      <p>{PAGE.show}</p>
      <p className="small account-groups">
        <code>{link}</code>
      </p>
      <Suspense fallback={null}>
        <QrCode text={link} label={PAGE.code} />
      </Suspense>
      <p>{PAGE.account}</p>
      <p className="account-groups">
        <code>{inGroups(account)}</code>
      </p>
      <div className="row">
        <CopyButton label={PAGE.copyLink} text={link} />
      </div>
      <p className="small muted">{PAGE.keep}</p>
    </>
  );
}

function Progress({ claim, account }: { claim: Claim; account: string }): ReactElement {
  const { state, agreed, needed, accepted, desk } = claim;
  if (state === "over") {
    return <Notice tone="warn">{PAGE.over}</Notice>;
  }
  const isAgreed = state !== "collecting" || agreed >= needed;
  const after = (done: boolean, before: boolean): StepState => (done ? "done" : before ? "now" : "waiting");
  const isReady = state === "completed";
  return (
    <>
      <Steps
        steps={[
          { text: PAGE.agreed(agreed, needed), state: after(isAgreed, true) },
          { text: accepted ? PAGE.accepted : PAGE.accept, state: after(accepted, true) },
          ...(desk === "not_needed"
            ? []
            : [
                {
                  text: desk === "confirmed" ? PAGE.deskDone : PAGE.desk,
                  state: after(desk === "confirmed", true),
                },
              ]),
          {
            text: delayOf(claim),
            state: after(isReady, state === "waiting"),
          },
          { text: PAGE.done, state: after(false, isReady) },
        ]}
      />
      {state === "collecting" && !accepted && <Accept subject={claim.subject} account={account} />}
      <p className="small muted">{PAGE.after}</p>
    </>
  );
}

/** After the desk has confirmed, nobody can stop it. */
function delayOf({ desk, pending }: Claim): string {
  if (desk === "not_needed") {
    return pending === null ? PAGE.delayLater : PAGE.delay(asMoment(pending.ready_at));
  }
  return pending === null ? PAGE.delayDeskLater : PAGE.delayDesk(asMoment(pending.ready_at));
}

function Accept({ subject, account }: { subject: string; account: string }): ReactElement {
  const signing = useSigning<Claim>();
  const sign = async (): Promise<void> => {
    await signing.run(async () => {
      const draft = await body(api.POST("/v1/recovery/acceptances/draft", { body: { subject } }));
      const typed = draft.typed_data as unknown as TypedData;
      requireAccount(typed, "AcceptRecovery", { subject, account });
      return {
        typed,
        signed: (signature) => ({
          path: "/v1/recovery/acceptances",
          body: { message: typed.message, signature },
        }),
      };
    });
    await lookAgain();
  };
  return (
    <>
      <SigningStatus of={signing} />
      <div className="row">
        <Button look="primary" busy={signing.stage !== "idle"} onClick={() => void sign()}>
          {PAGE.sign}
        </Button>
      </div>
    </>
  );
}
