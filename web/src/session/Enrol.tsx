/** The code from the desk gives this wallet control of its patient's records. */
import { useState, type ReactElement } from "react";
import { body, openApi } from "../api/client";
import { queries } from "../api/queries";
import { texts } from "../texts";
import { Button, Card, Failure, Heading, Notice } from "../ui/parts";
import type { TypedData } from "../wallet/types";
import { useSigning } from "../wallet/useSigning";
import { current, renew } from "./tokens";

export function Enrol({ account }: { account: string }): ReactElement {
  const [code, setCode] = useState("");
  const [missing, setMissing] = useState(false);
  const signing = useSigning<{ subject: string }>();

  const submit = async (): Promise<void> => {
    setMissing(code.trim() === "");
    if (code.trim() === "") {
      return;
    }
    await signing.run(async () => {
      const draft = await body(openApi.POST("/v1/enrolments/claims/draft", { body: { code, account } }));
      const typed = draft.typed_data as unknown as TypedData;
      return {
        typed,
        signed: (signature) => ({
          path: "/v1/enrolments/claims",
          body: { code, account, message: typed.message, signature },
        }),
      };
    });
    const session = current();
    if (session !== null) {
      await renew(session.access); // the token of before has no scopes of a patient
    }
    await queries.invalidateQueries({ queryKey: ["session"] });
  };

  return (
    <div className="stack narrow">
      <Heading title={texts.enrol.title} lead={texts.enrol.lead} />
      <Card>
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            void submit();
          }}
        >
          <div className="field">
            <label htmlFor="code">{texts.enrol.code}</label>
            <input
              id="code"
              className="input"
              autoComplete="one-time-code"
              autoCapitalize="characters"
              spellCheck={false}
              value={code}
              aria-describedby="code-hint"
              aria-invalid={missing}
              onChange={(event) => setCode(event.target.value)}
            />
            <p id="code-hint" className="small muted">
              {missing ? texts.enrol.missing : texts.enrol.hint}
            </p>
          </div>
          <div className="row">
            <Button look="primary" busy={signing.stage !== "idle"} onClick={() => void submit()}>
              {texts.enrol.submit}
            </Button>
          </div>
        </form>
        {signing.stage === "wallet" && <Notice>{texts.wallet.waiting}</Notice>}
        {signing.error !== null && <Failure error={signing.error} />}
        <p className="small muted">
          {texts.enrol.signedInAs} <code>{account}</code>
        </p>
      </Card>
    </div>
  );
}
