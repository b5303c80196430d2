/** Name and password of a staff account. */
import { useState, type ReactElement } from "react";
import { body, openApi } from "../api/client";
import { texts } from "../texts";
import { Button, Failure, Form, TextField } from "../ui/parts";
import { signedIn } from "./tokens";
import { useAttempt } from "../ui/useAttempt";

const PAGE = texts.staff.signIn;

export function StaffSignIn(): ReactElement {
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const { busy, error, run } = useAttempt();
  const submit = (): Promise<void> =>
    run(async () => {
      const tokens = await body(openApi.POST("/v1/auth/staff", { body: { username, password } }));
      signedIn({ kind: "staff", username }, tokens);
    });
  return (
    <Form send={() => void submit()}>
      <TextField label={PAGE.username} autoComplete="username" value={username} change={setUsername} />
      <TextField
        label={PAGE.password}
        type="password"
        autoComplete="current-password"
        value={password}
        change={setPassword}
      />
      {error !== null && <Failure error={error} />}
      <div className="row">
        <Button look="primary" submits busy={busy} disabled={username === "" || password === ""}>
          {texts.welcome.signIn}
        </Button>
      </div>
    </Form>
  );
}
