/** Name and password of a staff account. */
import { useState, type ReactElement } from "react";
import { body, openApi } from "../api/client";
import { texts } from "../texts";
import { Button, Failure } from "../ui/parts";
import { signedIn } from "./tokens";

const PAGE = texts.staff.signIn;

export function StaffSignIn(): ReactElement {
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const submit = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      const tokens = await body(openApi.POST("/v1/auth/staff", { body: { username, password } }));
      signedIn({ kind: "staff", username }, tokens);
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <div className="field">
        <label htmlFor="username">{PAGE.username}</label>
        <input
          id="username"
          className="input"
          autoComplete="username"
          value={username}
          onChange={(event) => setUsername(event.target.value)}
        />
      </div>
      <div className="field">
        <label htmlFor="password">{PAGE.password}</label>
        <input
          id="password"
          type="password"
          className="input"
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
      </div>
      {error !== null && <Failure error={error} />}
      <div className="row">
        <Button look="primary" submits busy={busy} disabled={username === "" || password === ""}>
          {texts.welcome.signIn}
        </Button>
      </div>
    </form>
  );
}
