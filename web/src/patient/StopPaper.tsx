/**
 * A stop of everything, signed beforehand and kept on paper: whoever holds it can hand it in, at any time, with
 * no wallet and no session. It names the epoch, so it stops what stands now and nothing given after it was used.
 * It names chain and contract too: `assent ledger stop` takes its text to any node, where no service will.
 */
import { useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { asMoment } from "../format/time";
import { currentAccount } from "../session/tokens";
import { texts } from "../texts";
import { saveJson } from "../ui/download";
import { Button, Card } from "../ui/parts";
import type { TypedData } from "../wallet/types";
import { signWithSession } from "../wallet/useSigning";
import { useActing } from "./acting";
import { SigningStatus } from "./SigningStatus";
import { useAttempt } from "../ui/useAttempt";

const PAGE = texts.more;

interface Paper {
  subject: string;
  epoch: number;
  signature: string;
}

interface Place {
  chain: string;
  contract: string;
}

export function StopPaper(): ReactElement {
  const { subject } = useActing();
  const [paper, setPaper] = useState<Paper | null>(null);
  const [place, setPlace] = useState<Place | null>(null);
  const { busy, error, run } = useAttempt();
  const make = (): Promise<void> =>
    run(async () => {
      const draft = await body(api.POST("/v1/revocations/draft", { body: { subject, via: [] } }));
      const typed = draft.typed_data as unknown as TypedData;
      setPlace({ chain: String(typed.domain.chainId), contract: String(typed.domain.verifyingContract) });
      setPaper({ subject, epoch: Number(typed.message.epoch), signature: await signWithSession(typed) });
    });
  return (
    <Card title={PAGE.paper}>
      <p className="muted">{PAGE.paperLead}</p>
      {paper === null || place === null ? (
        <>
          <SigningStatus of={{ stage: busy ? "wallet" : "idle", error }} />
          <div className="row">
            <Button busy={busy} onClick={() => void make()}>
              {PAGE.paperMake}
            </Button>
          </div>
        </>
      ) : (
        <>
          <Sheet paper={paper} place={place} />
          <div className="row no-print">
            <Button look="primary" onClick={() => print()}>
              {PAGE.paperPrint}
            </Button>
            <Button onClick={() => saveJson(paper, "stop-everything.json")}>{PAGE.paperSave}</Button>
          </div>
        </>
      )}
    </Card>
  );
}

function Sheet({ paper, place }: { paper: Paper; place: Place }): ReactElement {
  return (
    <article className="paper stack">
      <h3>{PAGE.paperTitle}</h3>
      <p>{PAGE.paperText}</p>
      <dl className="facts small">
        <dt>{PAGE.paperFields.account}</dt>
        <dd>
          <code>{currentAccount()}</code>
        </dd>
        <dt>subject</dt>
        <dd>
          <code>{paper.subject}</code>
        </dd>
        <dt>epoch</dt>
        <dd>
          <code>{paper.epoch}</code>
        </dd>
        <dt>signature</dt>
        <dd>
          <code>{paper.signature}</code>
        </dd>
        <dt>chain</dt>
        <dd>
          <code>{place.chain}</code>
        </dd>
        <dt>contract</dt>
        <dd>
          <code>{place.contract}</code>
        </dd>
        <dt>{PAGE.paperFields.send}</dt>
        <dd>
          <code>POST {location.origin}/v1/revocations</code>
        </dd>
        <dt>{PAGE.paperFields.node}</dt>
        <dd>
          <code>assent ledger stop - --rpc URL</code>
        </dd>
        <dt>{PAGE.paperFields.made}</dt>
        <dd>{asMoment(new Date().toISOString())}</dd>
      </dl>
    </article>
  );
}
