/** A question before something that others feel at once. */
import { useState, type ReactElement } from "react";
import { texts } from "../texts";
import { Button, Failure, Form, Sheet, TextField } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";

interface ConfirmProps {
  title: string;
  text: string;
  act: string;
  look?: "primary" | "danger";
  /** Has to be typed for what cannot be undone. */
  word?: { label: string; text: string };
  close: () => void;
  run: () => Promise<void>;
}

export function Confirm({ title, text, act, look = "danger", word, close, run }: ConfirmProps): ReactElement {
  const [typed, setTyped] = useState("");
  const attempt = useAttempt();
  const isTyped = word === undefined || typed.trim() === word.text.trim();
  const go = (): Promise<void> =>
    attempt.run(async () => {
      if (isTyped) {
        await run();
        close();
      }
    });
  return (
    <Sheet title={title} close={close}>
      <Form send={() => void go()}>
        <p>{text}</p>
        {word !== undefined && (
          <TextField label={word.label} autoComplete="off" value={typed} change={setTyped} />
        )}
        {attempt.error !== null && <Failure error={attempt.error} />}
        <div className="row">
          <Button look={look} submits busy={attempt.busy} disabled={!isTyped}>
            {act}
          </Button>
          <Button onClick={close}>{texts.cancel}</Button>
        </div>
      </Form>
    </Sheet>
  );
}
