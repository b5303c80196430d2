/** The account of somebody else, who is to be let in. */
import type { ReactElement } from "react";
import { texts } from "../texts";
import { TextField } from "../ui/parts";

interface AccountFieldProps {
  value: string;
  change: (value: string) => void;
  /** What the text says; null: no account. */
  account: string | null;
  /** It is the one that signs, which needs no letting in. */
  isOwn: boolean;
  /** Whether to say that it is missing. */
  told: boolean;
  hint?: string;
}

export function AccountField({ value, change, account, isOwn, told, hint }: AccountFieldProps): ReactElement {
  const isMissing = told && account === null;
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
