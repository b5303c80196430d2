/** What stands around every page of a signed-in patient: where one can go, and for whom one acts. */
import type { ReactElement, ReactNode } from "react";
import { Link, useRoute } from "wouter";
import { api, done } from "../api/client";
import { queries, useRequests, type SessionInfo } from "../api/queries";
import { shortId } from "../format/time";
import { useActing } from "../patient/acting";
import { signedOut, type Session } from "../session/tokens";
import { texts } from "../texts";
import { Icon, type IconName } from "../ui/Icon";
import { Button } from "../ui/parts";

interface PageLink {
  path: string;
  label: string;
  icon: IconName;
  /** Not in the bar of a phone: the page "More" links it. */
  seldom?: boolean;
}
const PAGES: readonly PageLink[] = [
  { path: "/", label: texts.nav.home, icon: "home" },
  { path: "/requests", label: texts.nav.requests, icon: "inbox" },
  { path: "/consents", label: texts.nav.consents, icon: "key", seldom: true },
  { path: "/records", label: texts.nav.records, icon: "file" },
  { path: "/accesses", label: texts.nav.accesses, icon: "eye" },
  { path: "/more", label: texts.nav.more, icon: "more" },
];

interface LayoutProps {
  session: Session;
  subjects: SessionInfo["subjects"];
  choose: (subject: string) => void;
  children: ReactNode;
}

export function Layout({ session, subjects, choose, children }: LayoutProps): ReactElement {
  const { subject } = useActing();
  const requests = useRequests();
  const open =
    requests.data?.filter((one) => one.state === "requested" && one.subject === subject).length ?? 0;
  return (
    <div className="shell">
      <a className="skip" href="#content">
        {texts.nav.skip}
      </a>
      <header className="side">
        <Link href="/" className="brand">
          <Icon name="shield" size={26} />
          {texts.product}
        </Link>
        <nav aria-label={texts.nav.label}>
          <ul>
            {PAGES.map((page) => (
              <li key={page.path} className={page.seldom === true ? "not-phone" : undefined}>
                <NavLink {...page} count={page.path === "/requests" ? open : 0} />
              </li>
            ))}
          </ul>
        </nav>
        <div className="who small">
          {subjects.length > 1 && (
            <label className="field">
              <span className="muted">{texts.nav.acting}</span>
              <select className="input" value={subject} onChange={(event) => choose(event.target.value)}>
                {subjects.map((one) => (
                  <option key={one.subject} value={one.subject}>
                    {one.relation === "self" ? texts.nav.myself : texts.nav.other(shortId(one.subject))}
                  </option>
                ))}
              </select>
            </label>
          )}
          <p className="muted account">
            {texts.nav.signedInAs}
            <br />
            <code>{shortId(session.account)}</code>
          </p>
          <Button look="quiet" onClick={() => void signOut()}>
            <Icon name="out" size={18} />
            {texts.nav.signOut}
          </Button>
        </div>
      </header>
      <main id="content" tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

function NavLink({
  path,
  label,
  icon,
  count,
}: {
  path: string;
  label: string;
  icon: IconName;
  count: number;
}): ReactElement {
  const [exact] = useRoute(path);
  const [below] = useRoute(`${path}/*?`);
  const here = path === "/" ? exact : below;
  return (
    <Link href={path} aria-current={here ? "page" : undefined}>
      <Icon name={icon} size={22} />
      <span>{label}</span>
      {count > 0 && <span className="count">{count}</span>}
    </Link>
  );
}

async function signOut(): Promise<void> {
  await done(api.POST("/v1/auth/sign-out")).catch(() => undefined); // gone here, whatever the service says
  signedOut();
  queries.clear();
}
