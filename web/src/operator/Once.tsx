/** Something secret that is shown this once. */
import type { ReactElement } from "react";
import { texts } from "../texts";
import { Button, Notice } from "../ui/parts";

interface OnceProps {
  title: string;
  next?: string;
  secrets: readonly (readonly [label: string, value: string])[];
  hide: () => void;
}

export function Once({ title, next, secrets, hide }: OnceProps): ReactElement {
  return (
    <Notice tone="good" title={title}>
      <dl className="secret">
        {secrets.map(([label, value]) => (
          <div key={label}>
            <dt className="muted small">{label}</dt>
            <dd>
              <code>{value}</code>
            </dd>
          </div>
        ))}
      </dl>
      {next !== undefined && <p>{next}</p>}
      <p>
        <Button look="quiet" onClick={hide}>
          {texts.operator.accounts.hide}
        </Button>
      </p>
    </Notice>
  );
}
