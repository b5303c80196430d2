/** For an account that controls nothing yet: another device of the same patient can let it in. */
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { queries } from "../api/queries";
import { inGroups } from "../format/accounts";
import { texts } from "../texts";
import { CopyButton } from "../ui/CopyButton";
import { Button, Card, Failure, Loading } from "../ui/parts";

const QrCode = lazy(() => import("../ui/QrCode"));
const PAGE = texts.powers.devices;
const LOOK_MS = 3_000;

export function AnotherDevice({ account }: { account: string }): ReactElement {
  const [shown, show] = useState(false);
  return (
    <Card title={PAGE.another}>
      <p className="muted">{PAGE.anotherLead}</p>
      {shown ? (
        <Shown account={account} />
      ) : (
        <div className="row">
          <Button onClick={() => show(true)}>{PAGE.show}</Button>
        </div>
      )}
    </Card>
  );
}

function Shown({ account }: { account: string }): ReactElement {
  const link = `${location.origin}/app/devices?account=${account}`;
  const powers = useQuery({
    queryKey: ["let-in", account],
    queryFn: () => body(api.GET("/v1/auth/session")),
    refetchInterval: LOOK_MS,
    gcTime: 0,
  });
  const isIn = (powers.data?.subjects.length ?? 0) > 0;
  useEffect(() => {
    if (isIn) {
      void queries.invalidateQueries({ queryKey: ["session"] });
    }
  }, [isIn]);
  return (
    <>
      <p>{PAGE.showNext}</p>
      <p className="account-groups">
        <code>{inGroups(account)}</code>
      </p>
      <p className="small muted">{PAGE.link}</p>
      <p className="small">
        <code>{link}</code>
      </p>
      <Suspense fallback={null}>
        <QrCode text={link} label={PAGE.code} />
      </Suspense>
      <div className="row">
        <CopyButton label={PAGE.copy} text={account} />
        <CopyButton label={PAGE.copyLink} text={link} />
      </div>
      {powers.error === null ? <Loading what={PAGE.waiting} /> : <Failure error={powers.error} />}
    </>
  );
}
