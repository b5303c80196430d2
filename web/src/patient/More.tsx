/** What is needed seldom: studies, a stop on paper, taking everything along, erasure. */
import type { ReactElement } from "react";
import { Link } from "wouter";
import { useUses } from "../api/queries";
import { asDay } from "../format/time";
import { texts } from "../texts";
import { Icon } from "../ui/Icon";
import { Card, Empty, Failure, Heading, Loading } from "../ui/parts";
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
  const { subject } = useActing();
  const uses = useUses(subject);
  return (
    <Card title={PAGE.studies}>
      <p className="muted">{PAGE.studiesLead}</p>
      {uses.isPending && <Loading what={texts.loading} />}
      {uses.error !== null && <Failure error={uses.error} retry={() => void uses.refetch()} />}
      {uses.data?.length === 0 && <Empty>{PAGE.noStudies}</Empty>}
      <ul className="lines">
        {uses.data?.map((one) => (
          <li key={`${one.study_id} ${one.used_at}`} className="access">
            <strong>{one.title}</strong>
            <span className="muted small numbers">{asDay(new Date(one.used_at * 1000).toISOString())}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
