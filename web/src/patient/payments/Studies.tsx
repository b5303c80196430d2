/** What each study used, what it owes and has paid, and where that goes. */
import type { ReactElement } from "react";
import { Problem } from "../../api/problem";
import { useUses } from "../../api/queries";
import { texts } from "../../texts";
import { Empty, Failure, Heading, Loading, Notice } from "../../ui/parts";
import { useActing } from "../acting";
import { asAmount, byStudy, collectable } from "./money";
import { usePayments, useTerms, useUnit } from "./queries";
import "./payments.css";
import { StudyCard } from "./StudyCard";

const PAGE = texts.payments;

export default function Studies(): ReactElement {
  const { subject } = useActing();
  const uses = useUses(subject);
  const payments = usePayments(subject);
  const unit = useUnit();
  const isTest = useTerms().data?.is_test_token === true;
  // A delegate sees what was used; money is the patient's own business.
  const isHidden = payments.error instanceof Problem && payments.error.status === 404;
  const studies = byStudy(uses.data ?? [], payments.data ?? []);
  const ready = collectable(payments.data ?? []);
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      {uses.error !== null && <Failure error={uses.error} retry={() => void uses.refetch()} />}
      {payments.error !== null && !isHidden && (
        <Failure error={payments.error} retry={() => void payments.refetch()} />
      )}
      {isHidden && <Notice>{PAGE.notYours}</Notice>}
      {(uses.isPending || payments.isPending) && <Loading what={texts.loading} />}
      {ready > 0n && (
        <Notice tone="good" title={PAGE.collectable(asAmount(ready, unit))}>
          {PAGE.collectableNext}
        </Notice>
      )}
      {isTest && studies.length > 0 && <Notice>{PAGE.testMoney}</Notice>}
      {uses.data !== undefined && !payments.isPending && studies.length === 0 && (
        <section className="card">
          <Empty>
            <p>{PAGE.none}</p>
            <p>{PAGE.noneNext}</p>
          </Empty>
        </section>
      )}
      {studies.map((study) => (
        <StudyCard key={study.study} study={study} unit={unit} />
      ))}
    </>
  );
}
