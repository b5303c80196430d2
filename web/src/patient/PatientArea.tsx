/** The pages of a patient, or of whoever acts for one; for whom is always in sight. */
import { lazy, Suspense, useState, type ReactElement } from "react";
import { Route, Switch } from "wouter";
import { useRequests, type SessionInfo } from "../api/queries";
import { Layout, type PageLink } from "../app/Layout";
import { Lost } from "../app/Lost";
import { Unsent } from "../app/Unsent";
import { shortId } from "../format/time";
import { Banner } from "../recovery/Banner";
import type { Who } from "../session/tokens";
import { texts } from "../texts";
import { Loading } from "../ui/parts";
import { ActingContext, useActing, useOwnDevice } from "./acting";

const Home = lazy(() => import("./Home"));
const Requests = lazy(() => import("./Requests"));
const Request = lazy(() => import("./Request"));
const Consents = lazy(() => import("./Consents"));
const Consent = lazy(() => import("./Consent"));
const Records = lazy(() => import("./Records"));
const Record = lazy(() => import("./Record"));
const More = lazy(() => import("./More"));
const Accesses = lazy(() => import("./Accesses"));
const People = lazy(() => import("./People"));
const Devices = lazy(() => import("./Devices"));
const Recovery = lazy(() => import("./Recovery"));
const Studies = lazy(() => import("./payments/Studies"));

const ACTING = "assent.acting";

interface PatientAreaProps {
  who: Who;
  subjects: SessionInfo["subjects"];
}

export default function PatientArea({ who, subjects }: PatientAreaProps): ReactElement {
  const [chosen, choose] = useState<string | null>(() => sessionStorage.getItem(ACTING));
  const requests = useRequests();
  const acting =
    subjects.find((one) => one.subject === chosen) ??
    subjects.find((one) => one.relation === "self") ??
    subjects[0];
  if (acting === undefined) {
    throw new Error("a patient's pages without a patient");
  }
  const { subject } = acting;
  const open = requests.data?.filter((one) => one.state === "requested" && one.subject === subject).length;
  const act = (next: string): void => {
    sessionStorage.setItem(ACTING, next);
    choose(next);
  };
  return (
    <ActingContext value={{ subject, isSelf: acting.relation === "self" }}>
      <Layout who={who} pages={pagesWith(open ?? 0)} aside={<ActingFor subjects={subjects} choose={act} />}>
        <Unsent />
        <Banner />
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
            <Route path="/records">
              <Records key={subject} />
            </Route>
            <Route path="/records/:id">{({ id }) => <Record key={id} id={id} />}</Route>
            <Route path="/accesses">
              <Accesses key={subject} />
            </Route>
            <Route path="/more">
              <More key={subject} />
            </Route>
            <Route path="/studies">
              <Studies key={subject} />
            </Route>
            <Route path="/people">
              <People key={subject} />
            </Route>
            <Route path="/recovery">
              <Recovery key={subject} />
            </Route>
            <Route path="/devices">
              <Devices key={subject} />
            </Route>
            <Route>
              <Lost />
            </Route>
          </Switch>
        </Suspense>
      </Layout>
    </ActingContext>
  );
}

function pagesWith(open: number): readonly PageLink[] {
  return [
    { path: "/", label: texts.nav.home, icon: "home" },
    { path: "/requests", label: texts.nav.requests, icon: "inbox", count: open },
    { path: "/consents", label: texts.nav.consents, icon: "key", seldom: true },
    { path: "/records", label: texts.nav.records, icon: "file" },
    { path: "/accesses", label: texts.nav.accesses, icon: "eye" },
    { path: "/more", label: texts.nav.more, icon: "more" },
  ];
}

interface ActingForProps {
  subjects: SessionInfo["subjects"];
  choose: (subject: string) => void;
}

/** Always in sight for whoever acts for somebody; nothing for patients who act for themselves alone. */
function ActingFor({ subjects, choose }: ActingForProps): ReactElement | null {
  const { subject, isSelf } = useActing();
  const device = useOwnDevice();
  const nameOf = (one: SessionInfo["subjects"][number]): string => {
    if (one.relation === "self") {
      return texts.nav.myself;
    }
    return device !== null && one.subject === subject
      ? texts.powers.devices.you(device.name)
      : texts.nav.other(shortId(one.subject));
  };
  if (subjects.length === 1) {
    return isSelf ? null : (
      <p className="acting">
        <span className="muted">{texts.nav.acting}</span> <strong>{subjects.map(nameOf)}</strong>
      </p>
    );
  }
  return (
    <label className="field">
      <span className="muted">{texts.nav.acting}</span>
      <select className="input" value={subject} onChange={(event) => choose(event.target.value)}>
        {subjects.map((one) => (
          <option key={one.subject} value={one.subject}>
            {nameOf(one)}
          </option>
        ))}
      </select>
    </label>
  );
}
