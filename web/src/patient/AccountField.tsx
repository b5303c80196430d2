/** The account of somebody else, who is to be let in. */
import type { ReactElement } from "react";
import { accountIn } from "../format/accounts";
import { currentAccount } from "../session/tokens";
import { texts } from "../texts";
import { TextField } from "../ui/parts";
import { isSame } from "../wallet/accounts";

interface AccountFieldProps {
  value: string;
  change: (value: string) => void;
  /** Whether to say that it is missing. */
  told: boolean;
  hint?: string;
}

/** The account that a text names, if it is not the one that signs, which needs no letting in. */
export function otherAccount(text: string): string | null {
  const found = accountIn(text);
  return found === null || isSame(found, currentAccount() ?? "") ? null : found;
}

export function AccountField({ value, change, told, hint }: AccountFieldProps): ReactElement {
  const account = accountIn(value);
  const isMissing = told && account === null;
  const isOwn = account !== null && otherAccount(value) === null;
  const says = isMissing ? texts.powers.accountMissing : isOwn ? texts.powers.accountOwn : hint;
  return (
    <TextField
      label={texts.powers.account}
      {...(says === undefined ? {} : { hint: says })}
      spellCheck={false}
      autoCapitalize="none"
      autoComplete="off"
      value={value}
      aria-invalid={isOwn || isMissing}
      change={change}
    />
  );
}
