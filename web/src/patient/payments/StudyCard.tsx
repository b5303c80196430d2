/** One study: its uses, a line for each share of what it pays, and where that is paid. */
import { useState, type ReactElement } from "react";
import { api, body } from "../../api/client";
import { queries } from "../../api/queries";
import { asDay, asList, asMoment } from "../../format/time";
import { texts } from "../../texts";
import { saveJson } from "../../ui/download";
import { Button, Card, Failure, Notice, Tag } from "../../ui/parts";
import { useAttempt } from "../../ui/useAttempt";
import { useActing } from "../acting";
import { asAmount, namedAccount, type PaidStudy, type Payment, type Unit } from "./money";
import { NamePayee } from "./NamePayee";

const PAGE = texts.payments;

export function StudyCard({ study, unit }: { study: PaidStudy; unit: Unit | null }): ReactElement {
  const [naming, setNaming] = useState(false);
  const named = namedAccount(study.shares);
  const isMissing = study.shares.some((share) => share.standing === "unnamed");
  const days = [...new Set(study.usedAt.map((at) => asDay(new Date(at * 1000).toISOString())))];
  return (
    <Card title={study.title}>
      {days.length > 0 && (
        <p className="muted">
          {PAGE.used}: {asList(days)}
        </p>
      )}
      {study.shares.length > 0 && (
        <ul className="lines">
          {study.shares.map((share) => (
            <li key={`${share.result} ${share.round ?? ""}`}>
              <ShareLine share={share} unit={unit} />
            </li>
          ))}
        </ul>
      )}
      {(isMissing || named !== null) && (
        <div className="row spread">
          <span className="account-named">
            {named !== null && (
              <>
                <span className="muted">{PAGE.goesTo} </span>
                <code>{named}</code>
              </>
            )}
          </span>
          <Button look={isMissing ? "primary" : "plain"} onClick={() => setNaming(true)}>
            {isMissing ? PAGE.choose : PAGE.change}
          </Button>
        </div>
      )}
      {named !== null && !isMissing && <p className="muted small">{PAGE.changeNote}</p>}
      {naming && <NamePayee study={study} close={() => setNaming(false)} />}
    </Card>
  );
}

const TONES = {
  unnamed: "warn",
  named: "plain",
  proposed: "plain",
  claimable: "good",
  claimed: "good",
  expired: "plain",
} as const;

function ShareLine({ share, unit }: { share: Payment; unit: Unit | null }): ReactElement {
  const { subject } = useActing();
  const claim = useAttempt();
  const proof = useAttempt();
  const [waits, setWaits] = useState(false);
  const { round, standing } = share;
  const collect = (): Promise<void> =>
    claim.run(async () => {
      if (round === null) {
        return;
      }
      const { done } = await body(api.POST("/v1/payments/claims", { body: { subject, round } }));
      setWaits(!done);
      await queries.invalidateQueries({ queryKey: ["payments", subject] });
    });
  const download = (): Promise<void> =>
    proof.run(async () => {
      const query = { subject, round: round ?? "" };
      saveJson(await body(api.GET("/v1/payments/proof", { params: { query } })), "payment-proof.json");
    });
  return (
    <div className="share stack">
      <div className="row spread">
        <span className="stack">
          <strong className="numbers">
            {share.amount === null
              ? PAGE.share(share.earned_at === null ? "" : asDay(share.earned_at))
              : asAmount(BigInt(share.amount), unit)}
          </strong>
          {share.amount !== null && share.earned_at !== null && (
            <span className="muted small">{PAGE.share(asDay(share.earned_at))}</span>
          )}
        </span>
        <Tag tone={TONES[standing]}>{PAGE.standings[standing]}</Tag>
      </div>
      <p className="muted small">{noteOf(share)}</p>
      {share.payee !== null && round !== null && (
        <p className="small">
          <span className="muted">{standing === "claimed" ? PAGE.account : PAGE.goesTo} </span>
          <code>{share.payee}</code>
        </p>
      )}
      {waits && standing === "claimable" && <Notice>{PAGE.collecting}</Notice>}
      {claim.error !== null && <Failure error={claim.error} />}
      {proof.error !== null && <Failure error={proof.error} />}
      {round !== null && standing !== "expired" && (
        <div className="row">
          {standing === "claimable" && (
            <Button look="primary" busy={claim.busy} onClick={() => void collect()}>
              {PAGE.collect}
            </Button>
          )}
          <Button busy={proof.busy} onClick={() => void download()}>
            {PAGE.proof}
          </Button>
        </div>
      )}
      {standing === "claimable" && <p className="muted small">{PAGE.proofNext}</p>}
    </div>
  );
}

function noteOf({ standing, opens_at, closes_at }: Payment): string {
  const from = opens_at === null ? "" : asMoment(opens_at);
  const until = closes_at === null ? "" : asMoment(closes_at);
  switch (standing) {
    case "proposed":
      return PAGE.notes.proposed(from);
    case "claimable":
      return PAGE.notes.claimable(until);
    case "expired":
      return PAGE.notes.expired(until);
    default:
      return PAGE.notes[standing];
  }
}
