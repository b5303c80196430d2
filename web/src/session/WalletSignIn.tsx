/** Choose a wallet, connect, sign the sign-in message (EIP-4361). */
import { useState, type ReactElement } from "react";
import { texts } from "../texts";
import { Button, Failure, Notice } from "../ui/parts";
import { Icon } from "../ui/Icon";
import { useAttempt } from "../ui/useAttempt";
import { useWallets } from "../wallet/discovery";
import type { Wallet } from "../wallet/types";
import { signIn } from "./signIn";

export function WalletSignIn(): ReactElement {
  const wallets = useWallets();
  const [asked, setAsked] = useState<string | null>(null);
  const { busy, error, run } = useAttempt();
  const asking = busy ? asked : null;

  const start = (wallet: Wallet): Promise<void> => {
    setAsked(wallet.info.uuid);
    return run(() => signIn(wallet));
  };

  if (wallets.length === 0) {
    return <Notice title={texts.wallet.none}>{texts.wallet.noneNext}</Notice>;
  }
  return (
    <div className="stack">
      <h2>{texts.wallet.choose}</h2>
      <ul className="stack">
        {wallets.map((wallet) => (
          <li key={wallet.info.uuid}>
            <Button
              look={wallets.length === 1 ? "primary" : "plain"}
              busy={asking === wallet.info.uuid}
              disabled={asking !== null && asking !== wallet.info.uuid}
              onClick={() => void start(wallet)}
            >
              <WalletIcon icon={wallet.info.icon} />
              {texts.wallet.open(wallet.info.name)}
            </Button>
          </li>
        ))}
      </ul>
      {asking !== null && <Notice>{texts.wallet.waiting}</Notice>}
      {error !== null && <Failure error={error} />}
    </div>
  );
}

/** Announced icons are data URIs by EIP-6963; anything else is not loaded. */
function WalletIcon({ icon }: { icon: string }): ReactElement {
  return icon.startsWith("data:image/") ? (
    <img src={icon} alt="" width={22} height={22} />
  ) : (
    <Icon name="wallet" size={22} />
  );
}
