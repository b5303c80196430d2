/** The wallet that a member signs with, linked to the staff account, and who else sits on the board. */
import { useState, type ReactElement } from "react";
import { api, body, done } from "../api/client";
import { signedOut } from "../session/tokens";
import { texts } from "../texts";
import { board } from "../texts/board";
import { Icon } from "../ui/Icon";
import { Button, Card, Failure, Heading, Notice, Tag, Fetching } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";
import { useWallets } from "../wallet/discovery";
import { connect, signText } from "../wallet/signing";
import type { Wallet } from "../wallet/types";
import { useBoard, useMe } from "./queries";

const PAGE = board.seat;

export default function MySeat(): ReactElement {
  const members = useBoard();
  const me = useMe();
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      <Card title={PAGE.linked}>
        {me.account === null ? (
          <Notice tone="warn" title={PAGE.none}>
            {PAGE.noneNext}
          </Notice>
        ) : (
          <>
            <p>
              <code>{me.account}</code>
            </p>
            {members.data !== undefined &&
              (me.seat === null ? (
                <Notice tone="warn" title={PAGE.notSeated}>
                  {PAGE.notSeatedNext}
                </Notice>
              ) : (
                <p className="row board-checked">
                  <Icon name="check" />
                  {PAGE.seated(me.seat.name === "" ? PAGE.nameless : me.seat.name)}
                </p>
              ))}
          </>
        )}
        <Linking again={me.account !== null} />
      </Card>
      <Card title={PAGE.board}>
        <Fetching of={members} />
        {members.data !== undefined && (
          <>
            <p className="muted">{PAGE.threshold(members.data.threshold, members.data.members.length)}</p>
            <ul className="lines">
              {members.data.members.map((seat) => (
                <li key={seat.member_id} className="board-seat">
                  <strong>{seat.name === "" ? PAGE.nameless : seat.name}</strong>
                  {seat.member_id === me.seat?.member_id && <Tag tone="good">{board.decide.you}</Tag>}
                  <code className="muted">{seat.account}</code>
                </li>
              ))}
            </ul>
          </>
        )}
      </Card>
    </>
  );
}

function Linking({ again }: { again: boolean }): ReactElement {
  const wallets = useWallets();
  const [linked, setLinked] = useState(false);
  const { busy, error, run } = useAttempt();
  if (linked) {
    return (
      <Notice tone="good" title={PAGE.done}>
        <p>{PAGE.doneNext}</p>
        <Button look="primary" onClick={signedOut}>
          {PAGE.again}
        </Button>
      </Notice>
    );
  }
  const start = (wallet: Wallet): Promise<void> =>
    run(async () => {
      await link(wallet);
      setLinked(true);
    });
  const offers = (
    <>
      <p className="muted">{PAGE.linkLead}</p>
      {wallets.length === 0 ? (
        <Notice tone="warn" title={texts.wallet.none}>
          {texts.wallet.noneNext}
        </Notice>
      ) : (
        <div className="row">
          {wallets.map((wallet) => (
            <Button key={wallet.info.uuid} busy={busy} onClick={() => void start(wallet)}>
              <Icon name="wallet" size={18} />
              {PAGE.link(wallet.info.name)}
            </Button>
          ))}
        </div>
      )}
      {busy && <Notice>{texts.wallet.waiting}</Notice>}
      {error !== null && <Failure error={error} />}
    </>
  );
  return again ? (
    <details className="stack">
      <summary>{PAGE.another}</summary>
      {offers}
    </details>
  ) : (
    offers
  );
}

async function link({ provider }: Wallet): Promise<void> {
  const account = await connect(provider);
  const { message } = await body(api.POST("/v1/auth/staff/account/challenge", { body: { account } }));
  const signature = await signText(provider, account, message);
  await done(api.PUT("/v1/auth/staff/account", { body: { message, signature } }));
}
