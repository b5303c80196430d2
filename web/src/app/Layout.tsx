/** What stands around every page of somebody who is signed in: where one can go, and who one is. */
import type { ReactElement, ReactNode } from "react";
import { Link, useLocation, useRoute } from "wouter";
import { shortId } from "../format/time";
import { signOut } from "../session/signOut";
import type { Who } from "../session/tokens";
import { texts } from "../texts";
import { Icon, type IconName } from "../ui/Icon";
import { Button } from "../ui/parts";
import { Boundary } from "./Boundary";

export interface PageLink {
  path: string;
  label: string;
  icon: IconName;
  /** Not in the bar of a phone: the page "More" links it. */
  seldom?: boolean;
  /** How many things wait there. */
  count?: number;
}

interface LayoutProps {
  who: Who;
  pages: readonly PageLink[];
  /** Stands above the name: for whom one acts, or for which organisation. */
  aside?: ReactNode;
  children: ReactNode;
}

export function Layout({ who, pages, aside, children }: LayoutProps): ReactElement {
  const [at] = useLocation();
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
            {pages.map((page) => (
              <li key={page.path} className={page.seldom === true ? "not-phone" : undefined}>
                <NavLink {...page} />
              </li>
            ))}
          </ul>
        </nav>
        <div className="who small">
          {aside}
          <p className="muted account">
            {texts.nav.signedInAs}
            <br />
            {who.kind === "wallet" ? <code>{shortId(who.account)}</code> : who.username}
          </p>
          <Button look="quiet" onClick={() => void signOut()}>
            <Icon name="out" size={18} />
            {texts.nav.signOut}
          </Button>
        </div>
      </header>
      <main id="content" tabIndex={-1}>
        <Boundary at={at}>{children}</Boundary>
      </main>
    </div>
  );
}

function NavLink({ path, label, icon, count = 0 }: PageLink): ReactElement {
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
