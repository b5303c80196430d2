/** Choose where a study pays: an account made for it, somebody else's, or a donation. Signed as a text. */
import { useId, useState, type ReactElement } from "react";
import { api, body, type Schemas } from "../../api/client";
import { Problem } from "../../api/problem";
import { queries } from "../../api/queries";
import { currentAccount } from "../../session/tokens";
import { texts } from "../../texts";
import { Button, Form, Notice, Sheet, TextField } from "../../ui/parts";
import { useAttempt } from "../../ui/useAttempt";
import { isSame } from "../../wallet/accounts";
import { signTextWithSession } from "../../wallet/useSigning";
import type { SigningStage } from "../../wallet/useTurn";
import { useActing } from "../acting";
import { SigningStatus } from "../SigningStatus";
import type { PaidStudy } from "./money";
import { requirePayeeText, type Wish } from "./payeeText";

const PAGE = texts.payments.naming;
const KINDS = ["own", "other", "donation"] as const;
const ADDRESS = /^0x[0-9a-fA-F]{40}$/;

export function NamePayee({ study, close }: { study: PaidStudy; close: () => void }): ReactElement {
  const { subject } = useActing();
  const [kind, setKind] = useState<Wish["kind"]>("own");
  const [typed, setTyped] = useState("");
  const [stage, setStage] = useState<SigningStage>("idle");
  // Signed, and not known to have arrived: sent again as it is, so that a lost answer costs no second signature.
  const [signed, setSigned] = useState<Schemas["PayeeBody"] | null>(null);
  const [isDone, setDone] = useState(false);
  const [wrong, setWrong] = useState<string | null>(null);
  const { busy, error, run } = useAttempt();
  const name = useId();

  const send = (): Promise<void> => {
    const account = typed.trim();
    const fault = faultOf(account, kind);
    setWrong(fault);
    if (fault !== null) {
      return Promise.resolve();
    }
    return run(async () => {
      try {
        const wish = { subject, study: study.study, account, kind };
        const choice = signed ?? (await sign(wish, setStage));
        setSigned(choice);
        setStage("sending");
        await keep(choice);
        setDone(true);
        await queries.invalidateQueries({ queryKey: ["payments", subject] });
      } catch (failure) {
        if (failure instanceof Problem && !failure.isOutage) {
          setSigned(null); // refused: the next try is another choice
        }
        throw failure;
      } finally {
        setStage("idle");
      }
    });
  };

  if (isDone) {
    return (
      <Sheet title={PAGE.title(study.title)} close={close}>
        <Notice tone="good" title={PAGE.done} />
        <div className="row">
          <Button onClick={close}>{texts.back}</Button>
        </div>
      </Sheet>
    );
  }
  return (
    <Sheet title={PAGE.title(study.title)} close={close}>
      <Form send={() => void send()}>
        <fieldset className="field plain">
          <legend className="visually-hidden">{PAGE.title(study.title)}</legend>
          {KINDS.map((one) => (
            <label key={one} className="choice">
              <input
                type="radio"
                name={name}
                checked={kind === one}
                disabled={signed !== null}
                onChange={() => setKind(one)}
              />
              <span>{PAGE.kinds[one]}</span>
            </label>
          ))}
        </fieldset>
        <HowTo kind={kind} />
        <TextField
          label={PAGE.account}
          hint={PAGE.accountHint}
          autoComplete="off"
          spellCheck={false}
          autoCapitalize="none"
          disabled={signed !== null}
          value={typed}
          change={(next) => {
            setTyped(next);
            setWrong(null);
          }}
        />
        {wrong !== null && <Notice tone="warn" title={wrong} />}
        <SigningStatus of={{ stage, error }} />
        <p className="muted small">{PAGE.free}</p>
        <div className="row">
          <Button look="primary" submits busy={busy} disabled={typed.trim() === ""}>
            {PAGE.sign}
          </Button>
          <Button onClick={close}>{texts.cancel}</Button>
        </div>
      </Form>
    </Sheet>
  );
}

function HowTo({ kind }: { kind: Wish["kind"] }): ReactElement {
  if (kind !== "own") {
    return <p className="muted">{PAGE[kind]}</p>;
  }
  return (
    <ol className="how-to muted">
      {PAGE.own.map((step) => (
        <li key={step}>{step}</li>
      ))}
    </ol>
  );
}

function faultOf(account: string, kind: Wish["kind"]): string | null {
  if (!ADDRESS.test(account)) {
    return PAGE.malformed;
  }
  return kind === "own" && isSame(account, currentAccount() ?? "") ? PAGE.same : null;
}

async function sign(wish: Wish, stage: (now: SigningStage) => void): Promise<Schemas["PayeeBody"]> {
  stage("drafting");
  const { text, number } = await body(api.POST("/v1/payments/payees/draft", { body: wish }));
  requirePayeeText(text, wish, number);
  stage("wallet");
  return { ...wish, number, signature: await signTextWithSession(text) };
}

async function keep(choice: Schemas["PayeeBody"]): Promise<void> {
  await body(api.POST("/v1/payments/payees", { body: choice }));
}
