/** Something to sign: what it says, a button, what is going on; then, in its place, that it was taken. */
import type { ReactElement, ReactNode } from "react";
import { texts } from "../texts";
import { Button, Notice, Sheet } from "../ui/parts";
import { SigningStatus, type Going } from "./SigningStatus";

interface SigningSheetProps {
  title: string;
  signing: Going;
  /** Null until it was signed and taken. */
  done: { title: string; next: string | undefined } | null;
  sign: () => Promise<void>;
  label: string;
  look?: "primary" | "danger";
  /** What is to be signed is there. */
  ready?: boolean;
  /** The way out without signing. */
  leave?: string;
  close: () => void;
  children: ReactNode;
}

export function SigningSheet({
  title,
  signing,
  done,
  sign,
  label,
  look = "primary",
  ready = true,
  leave = texts.cancel,
  close,
  children,
}: SigningSheetProps): ReactElement {
  if (done !== null) {
    return (
      <Sheet title={title} close={close}>
        <Notice tone="good" title={done.title}>
          {done.next}
        </Notice>
        <Button look="primary" onClick={close}>
          {texts.back}
        </Button>
      </Sheet>
    );
  }
  return (
    <Sheet title={title} close={close}>
      {children}
      <SigningStatus of={signing} />
      <div className="row">
        <Button
          look={look}
          busy={signing.stage !== "idle"}
          disabled={!ready}
          onClick={() => ready && void sign()}
        >
          {label}
        </Button>
        <Button onClick={close}>{leave}</Button>
      </div>
    </Sheet>
  );
}
