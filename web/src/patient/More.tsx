/** What is needed seldom: studies and what they pay, a stop on paper, taking everything along, erasure. */
import type { ReactElement } from "react";
import { Link } from "wouter";
import { texts } from "../texts";
import { Icon } from "../ui/Icon";
import { Heading } from "../ui/parts";
import { useActing } from "./acting";
import { Erasures } from "./Erasures";
import { Export } from "./Export";
import { StopPaper } from "./StopPaper";

const PAGE = texts.more;

export default function More(): ReactElement {
  const { isSelf } = useActing();
  return (
    <>
      <Heading title={PAGE.title} />
      <ul className="card card-list only-phone">
        <li>
          <Link href="/consents" className="line">
            <strong>{texts.nav.consents}</strong>
            <Icon name="chevron" size={18} />
          </Link>
        </li>
      </ul>
      <ul className="card card-list">
        {[
          { href: "/people", label: texts.powers.people.title },
          { href: "/devices", label: texts.powers.devices.title },
          { href: "/recovery", label: texts.recovery.title },
          { href: "/guard", label: texts.recovery.guard.people },
        ].map(({ href, label }) => (
          <li key={href}>
            <Link href={href} className="line">
              <strong>{label}</strong>
              <Icon name="chevron" size={18} />
            </Link>
          </li>
        ))}
      </ul>
      <Studies />
      {isSelf && <StopPaper />}
      <Export />
      <Erasures />
    </>
  );
}

function Studies(): ReactElement {
  return (
    <ul className="card card-list">
      <li>
        <Link href="/studies" className="line">
          <span className="stack">
            <strong>{texts.payments.title}</strong>
            <span className="muted">{texts.payments.open}</span>
          </span>
          <Icon name="chevron" size={18} />
        </Link>
      </li>
    </ul>
  );
}
