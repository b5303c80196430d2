/** One account or system, with what may be done to it. */
import type { ReactElement, ReactNode } from "react";
import { texts } from "../texts";
import { Button, Tag } from "../ui/parts";

const PAGE = texts.operator.accounts;

interface AccountLineProps {
  name: string;
  facts: readonly string[];
  disabled: boolean;
  change: () => void;
  children?: ReactNode;
}

export function AccountLine({ name, facts, disabled, change, children }: AccountLineProps): ReactElement {
  return (
    <div className="line line-tall">
      <span className="stack">
        <strong className="account-name">{name}</strong>
        <span className="muted">{facts.join(" · ")}</span>
      </span>
      <span className="row">
        <Tag tone={disabled ? "warn" : "good"}>{disabled ? PAGE.closed : PAGE.open}</Tag>
        {children}
        <Button look={disabled ? "plain" : "danger"} onClick={change}>
          {disabled ? PAGE.reopen : PAGE.close}
        </Button>
      </span>
    </div>
  );
}
