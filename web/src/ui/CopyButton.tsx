import { useState, type ReactElement } from "react";
import { texts } from "../texts";
import { Icon } from "./Icon";
import { Button } from "./parts";

/** Puts a text into the clipboard, and says so. Where the browser does not let it, nothing is said. */
export function CopyButton({ label, text }: { label: string; text: string }): ReactElement {
  const [copied, setCopied] = useState(false);
  const copy = (): Promise<void> =>
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  return (
    <Button onClick={() => void copy()}>
      {copied && <Icon name="check" size={18} />}
      <span aria-live="polite">{copied ? texts.powers.devices.copied : label}</span>
    </Button>
  );
}
