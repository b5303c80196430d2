/** An account that a passkey of this device holds: sign in with it, or make one. */
import { useEffect, useState, type ReactElement } from "react";
import { shortId } from "../format/time";
import { texts } from "../texts";
import { Icon } from "../ui/Icon";
import { Button, Failure, Loading, Notice } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";
import { PasskeyError } from "../wallet/passkey/errors";
import { storedAccounts } from "../wallet/passkey/store";
import { here, hindrance } from "../wallet/passkey/support";
import { challengeFor, signIn } from "./signIn";

const PAGE = texts.passkeys;

interface Found {
  accounts: readonly string[];
  hindrance: PasskeyError | null;
}

async function find(): Promise<Found> {
  const reason = hindrance(await here());
  if (reason !== null) {
    return { accounts: [], hindrance: new PasskeyError(reason) };
  }
  const accounts = await storedAccounts().catch(() => []); // told when one is made
  return { accounts: accounts.map((one) => one.account), hindrance: null };
}

export function PasskeySignIn(): ReactElement {
  const [found, setFound] = useState<Found | null>(null);
  const { busy, error, run } = useAttempt();
  useEffect(() => void find().then(setFound), []);

  const enter = (account: string): Promise<void> =>
    run(async () => {
      const { passkeyWallet } = await import("../wallet/passkey/wallet");
      await signIn(passkeyWallet(account));
    });
  const make = (): Promise<void> =>
    run(async () => {
      const { makeAccount, passkeyWallet, requireSite } = await import("../wallet/passkey/wallet");
      const made = await makeAccount(location.hostname, async (account) =>
        requireSite(await challengeFor(account), account, location),
      );
      setFound(await find());
      await signIn(passkeyWallet(made.account));
    });

  if (found === null) {
    return <Loading what={texts.loading} />;
  }
  const { accounts } = found;
  return (
    <div className="stack">
      <h2>{PAGE.title}</h2>
      <p className="muted">{PAGE.lead}</p>
      {found.hindrance !== null && <Notice title={found.hindrance.message}>{found.hindrance.next}</Notice>}
      {accounts.map((account) => (
        <Button key={account} look="primary" busy={busy} onClick={() => void enter(account)}>
          <Icon name="key" size={22} />
          {PAGE.signIn(shortId(account))}
        </Button>
      ))}
      {found.hindrance === null && (
        <Button look={accounts.length === 0 ? "plain" : "quiet"} busy={busy} onClick={() => void make()}>
          <Icon name="key" size={22} />
          {accounts.length === 0 ? PAGE.make : PAGE.another}
        </Button>
      )}
      {busy && <Notice>{accounts.length === 0 ? PAGE.making : PAGE.waiting}</Notice>}
      {error !== null && <Failure error={error} />}
      <details>
        <summary>{PAGE.about}</summary>
        <ul className="told stack small">
          {PAGE.points.map((point) => (
            <li key={point}>{point}</li>
          ))}
        </ul>
      </details>
    </div>
  );
}
