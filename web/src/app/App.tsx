import { QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense, useSyncExternalStore, type ReactElement } from "react";
import { Route, Router, Switch, useRoute } from "wouter";
import { lagsBehind, queries, useSessionInfo } from "../api/queries";
import { Enrol } from "../session/Enrol";
import { current, subscribe, type Session } from "../session/tokens";
import { texts } from "../texts";
import { Failure, Loading } from "../ui/parts";
import { useQuestion } from "../wallet/passkey/asking";
import { Boundary } from "./Boundary";
import { Unsent } from "./Unsent";
import { Welcome } from "./Welcome";

const PatientArea = lazy(() => import("../patient/PatientArea"));
const StaffArea = lazy(() => import("../staff/StaffArea"));
const OpenIdReturn = lazy(() => import("../session/OpenIdReturn"));
const Guarding = lazy(() => import("../recovery/Guarding"));
const Confirm = lazy(() => import("../wallet/passkey/Confirm"));

export function App(): ReactElement {
  const session = useSyncExternalStore(subscribe, current);
  return (
    <QueryClientProvider client={queries}>
      <Router base="/app">
        <Boundary at={nameOf(session)}>
          <Switch>
            <Route path="/openid">
              <Suspense fallback={<Loading what={texts.loading} />}>
                <OpenIdReturn />
              </Suspense>
            </Route>
            <Route>
              {session === null ? <Outside /> : <Inside key={nameOf(session)} session={session} />}
            </Route>
          </Switch>
        </Boundary>
      </Router>
      <Confirming />
    </QueryClientProvider>
  );
}

/** What a passkey account is asked to sign, above whatever page asks. */
function Confirming(): ReactElement | null {
  const question = useQuestion();
  return question === null ? null : (
    <Suspense fallback={null}>
      <Confirm question={question} />
    </Suspense>
  );
}

function nameOf(session: Session | null): string {
  if (session === null) {
    return "";
  }
  return session.who.kind === "wallet" ? session.who.account : session.who.username;
}

function Outside(): ReactElement {
  return (
    <main className="outside">
      <Unsent />
      <Welcome />
    </main>
  );
}

/** Whose pages: known once the service has said what the session may do. */
function Inside({ session }: { session: Session }): ReactElement {
  const info = useSessionInfo();
  const { who } = session;
  const [isGuarding, asked] = useRoute("/guard/:account?");
  if (info.data === undefined || lagsBehind(info.data)) {
    return (
      <main className="outside">
        {info.error === null ? (
          <Loading what={texts.loading} />
        ) : (
          <Failure error={info.error} retry={() => void info.refetch()} />
        )}
      </main>
    );
  }
  if (who.kind === "wallet" && isGuarding) {
    return (
      <main className="outside">
        <Unsent />
        <Suspense fallback={<Loading what={texts.loading} />}>
          <Guarding account={who.account} asked={asked.account ?? ""} />
        </Suspense>
      </main>
    );
  }
  if (who.kind === "wallet" && info.data.subjects.length === 0) {
    return (
      <main className="outside">
        <Unsent />
        <Enrol account={who.account} />
      </main>
    );
  }
  return (
    <Suspense fallback={<Loading what={texts.loading} />}>
      {who.kind === "wallet" ? (
        <PatientArea who={who} subjects={info.data.subjects} />
      ) : (
        <StaffArea who={who} info={info.data} />
      )}
    </Suspense>
  );
}
