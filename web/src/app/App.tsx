import { QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense, useState, useSyncExternalStore, type ReactElement } from "react";
import { Link, Route, Router, Switch } from "wouter";
import { queries, useSessionInfo } from "../api/queries";
import { Enrol } from "../session/Enrol";
import { current, subscribe, type Session } from "../session/tokens";
import { texts } from "../texts";
import { ActingContext } from "../patient/acting";
import { Empty, Failure, Heading, Loading } from "../ui/parts";
import { Layout } from "./Layout";
import { Unsent } from "./Unsent";
import { Welcome } from "./Welcome";

const Home = lazy(() => import("../patient/Home"));
const Requests = lazy(() => import("../patient/Requests"));
const Request = lazy(() => import("../patient/Request"));
const Consents = lazy(() => import("../patient/Consents"));
const Consent = lazy(() => import("../patient/Consent"));
const Records = lazy(() => import("../patient/Records"));
const Record = lazy(() => import("../patient/Record"));
const More = lazy(() => import("../patient/More"));
const Accesses = lazy(() => import("../patient/Accesses"));

const ACTING = "assent.acting";

export function App(): ReactElement {
  const session = useSyncExternalStore(subscribe, current);
  return (
    <QueryClientProvider client={queries}>
      <Router base="/app">
        {session === null ? <Outside /> : <Inside key={session.account} session={session} />}
      </Router>
    </QueryClientProvider>
  );
}

function Outside(): ReactElement {
  return (
    <main className="outside">
      <Unsent />
      <Welcome />
    </main>
  );
}

function Inside({ session }: { session: Session }): ReactElement {
  const info = useSessionInfo(true);
  const [chosen, choose] = useState<string | null>(() => sessionStorage.getItem(ACTING));
  if (info.data === undefined) {
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
  const { subjects } = info.data;
  const acting =
    subjects.find((one) => one.subject === chosen) ??
    subjects.find((one) => one.relation === "self") ??
    subjects[0];
  if (acting === undefined) {
    return (
      <main className="outside">
        <Unsent />
        <Enrol account={session.account} />
      </main>
    );
  }
  const { subject } = acting;
  const act = (next: string): void => {
    sessionStorage.setItem(ACTING, next);
    choose(next);
  };
  return (
    <ActingContext value={{ subject, isSelf: acting.relation === "self" }}>
      <Layout session={session} subjects={subjects} choose={act}>
        <Unsent />
        <Suspense fallback={<Loading what={texts.loading} />}>
          <Switch>
            <Route path="/">
              <Home />
            </Route>
            <Route path="/requests">
              <Requests />
            </Route>
            <Route path="/requests/:id">{({ id }) => <Request key={id} id={id} />}</Route>
            <Route path="/consents">
              <Consents />
            </Route>
            <Route path="/consents/:id">{({ id }) => <Consent key={id} id={id} />}</Route>
            <Route path="/more">
              <More key={subject} />
            </Route>
            <Route path="/records">
              <Records key={subject} />
            </Route>
            <Route path="/records/:id">{({ id }) => <Record key={id} id={id} />}</Route>
            <Route path="/accesses">
              <Accesses key={subject} />
            </Route>
            <Route>
              <Heading title={texts.lost} />
              <Empty>
                <Link href="/">{texts.lostNext}</Link>
              </Empty>
            </Route>
          </Switch>
        </Suspense>
      </Layout>
    </ActingContext>
  );
}
