/** The pages of staff, by what their account may do. */
import { lazy, Suspense, type ReactElement } from "react";
import { Redirect, Route, Switch } from "wouter";
import type { SessionInfo } from "../api/queries";
import { Layout, type PageLink } from "../app/Layout";
import { Lost } from "../app/Lost";
import type { Who } from "../session/tokens";
import { texts } from "../texts";
import { Empty, Heading, Loading } from "../ui/parts";

const Patients = lazy(() => import("./Patients"));
const Asked = lazy(() => import("./Asked"));
const Obligations = lazy(() => import("./Obligations"));
const Desk = lazy(() => import("./Desk"));
const ResearcherArea = lazy(() => import("../researcher/ResearcherArea"));
const System = lazy(() => import("../operator/System"));
const Messages = lazy(() => import("../operator/Messages"));
const Members = lazy(() => import("../operator/Members"));
const Accounts = lazy(() => import("../operator/Accounts"));
const BoardArea = lazy(() => import("../board/BoardArea"));
const AuditArea = lazy(() => import("../audit/AuditArea"));

const NAV = texts.staff.nav;

export default function StaffArea({ who, info }: { who: Who; info: SessionInfo }): ReactElement {
  const may = new Set(info.scopes);
  const cares = may.has("patients:search") && may.has("consents:request") && info.organisation !== null;
  const enrols = may.has("enrolment:issue");
  const operates = may.has("system:read") && may.has("participants:manage") && may.has("accounts:manage");
  const researches = may.has("studies:propose") && info.organisation !== null;
  const decides = may.has("studies:approve");
  const reviews = decides || may.has("studies:prepare");
  const audits = may.has("audit:read");
  const pages: PageLink[] = [
    ...(cares
      ? ([
          { path: "/patients", label: NAV.patients, icon: "eye" },
          { path: "/asked", label: NAV.asked, icon: "inbox" },
          { path: "/obligations", label: NAV.obligations, icon: "clock" },
        ] as const)
      : []),
    ...(enrols ? ([{ path: "/desk", label: NAV.desk, icon: "key" }] as const) : []),
    ...(operates
      ? ([
          { path: "/system", label: texts.operator.nav.system, icon: "pulse" },
          { path: "/messages", label: texts.operator.nav.messages, icon: "send" },
          { path: "/members", label: texts.operator.nav.members, icon: "people" },
          { path: "/accounts", label: texts.operator.nav.accounts, icon: "key" },
        ] as const)
      : []),
    ...(researches
      ? ([
          { path: "/research/catalogue", label: NAV.catalogue, icon: "chart" },
          { path: "/research/proposal", label: NAV.proposal, icon: "pen" },
          { path: "/research/studies", label: NAV.studies, icon: "file" },
          { path: "/research/budget", label: NAV.budget, icon: "gauge" },
        ] as const)
      : []),
    ...(reviews ? ([{ path: "/board/studies", label: NAV.board, icon: "inbox" }] as const) : []),
    ...(decides ? ([{ path: "/board/seat", label: NAV.seat, icon: "wallet" }] as const) : []),
    ...(audits
      ? ([
          { path: "/audit/log", label: NAV.log, icon: "eye" },
          { path: "/audit/checkpoints", label: NAV.checkpoints, icon: "shield" },
          { path: "/audit/export", label: NAV.export, icon: "down" },
        ] as const)
      : []),
  ];
  const [first] = pages;
  const organisation = info.organisation?.name;
  return (
    <Layout
      who={who}
      pages={pages}
      aside={
        organisation != null && (
          <p className="muted account">
            {texts.staff.actingFor}
            <br />
            <strong>{organisation}</strong>
          </p>
        )
      }
    >
      <Suspense fallback={<Loading what={texts.loading} />}>
        <Switch>
          <Route path="/">{first === undefined ? <NoPages /> : <Redirect to={first.path} replace />}</Route>
          {cares && <Route path="/patients" component={Patients} />}
          {cares && <Route path="/asked" component={Asked} />}
          {cares && <Route path="/obligations" component={Obligations} />}
          {enrols && <Route path="/desk" component={Desk} />}
          {operates && <Route path="/system" component={System} />}
          {operates && <Route path="/messages" component={Messages} />}
          {operates && <Route path="/members" component={Members} />}
          {operates && <Route path="/accounts" component={Accounts} />}
          {researches && <Route path="/research/*?" component={ResearcherArea} />}
          {reviews && <Route path="/board/*?" component={BoardArea} />}
          {audits && <Route path="/audit/*?" component={AuditArea} />}
          <Route>
            <Lost />
          </Route>
        </Switch>
      </Suspense>
    </Layout>
  );
}

function NoPages(): ReactElement {
  return (
    <>
      <Heading title={texts.staff.noPages} />
      <Empty>
        <p>{texts.staff.noPagesNext}</p>
        <p>
          <a href="/docs">/docs</a>
        </p>
      </Empty>
    </>
  );
}
