/** The code from the desk gives this wallet control of its patient's records. */
import { useState, type ReactElement } from "react";
import { Link } from "wouter";
import { body, openApi } from "../api/client";
import { queries } from "../api/queries";
import { Claiming } from "../recovery/Claiming";
import { useClaims } from "../recovery/queries";
import { texts } from "../texts";
import { Button, Card, Failure, Form, Heading, Notice, TextField } from "../ui/parts";
import type { TypedData } from "../wallet/types";
import { useSigning } from "../wallet/useSigning";
import { waitingWords } from "../wallet/waiting";
import { AnotherDevice } from "./AnotherDevice";
import { signOut } from "./signOut";

export function Enrol({ account }: { account: string }): ReactElement {
  const [code, setCode] = useState("");
  const [missing, setMissing] = useState(false);
  const signing = useSigning<{ subject: string }>();
  const claims = useClaims(account);
  const isClaiming = claims.data?.some((one) => one.state !== "over") === true; // then this comes first

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
    await queries.invalidateQueries({ queryKey: ["session"] });
  };

  return (
    <div className="stack narrow">
      {isClaiming && <Claiming account={account} />}
      <Heading title={texts.enrol.title} lead={texts.enrol.lead} />
      <Card>
        <Form send={() => void submit()}>
          <TextField
            label={texts.enrol.code}
            hint={missing ? texts.enrol.missing : texts.enrol.hint}
            autoComplete="one-time-code"
            autoCapitalize="characters"
            spellCheck={false}
            value={code}
            aria-invalid={missing}
            change={setCode}
          />
          <div className="row">
            <Button look="primary" submits busy={signing.stage !== "idle"}>
              {texts.enrol.submit}
            </Button>
          </div>
        </Form>
        {signing.stage === "wallet" && <Notice>{waitingWords()}</Notice>}
        {signing.error !== null && <Failure error={signing.error} />}
        <p className="small muted">
          {texts.enrol.signedInAs} <code>{account}</code>
        </p>
        <div className="row">
          <Button look="quiet" onClick={() => void signOut()}>
            {texts.nav.signOut}
          </Button>
        </div>
      </Card>
      <AnotherDevice account={account} />
      {!isClaiming && <Claiming account={account} />}
      <p>
        <Link href="/guard">{texts.recovery.guard.people}</Link>
      </p>
    </div>
  );
}
