/** How far the backup reaches, and a new one on demand. */
import type { ReactElement } from "react";
import { api, body } from "../api/client";
import { queries } from "../api/queries";
import { asMoment } from "../format/time";
import { texts } from "../texts";
import { Button, Failure, Notice } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";
import { useBackup } from "./queries";

const PAGE = texts.operator.system;
const moment = (seconds: number): string => asMoment(new Date(seconds * 1000).toISOString());

export function Backup(): ReactElement | null {
  const backup = useBackup(true);
  const { busy, error, run } = useAttempt();
  const make = (): Promise<void> =>
    run(async () => {
      queries.setQueryData(["backup"], await body(api.POST("/v1/backups")));
    });
  if (backup.data === undefined) {
    return backup.error === null ? null : (
      <Failure error={backup.error} retry={() => void backup.refetch()} />
    );
  }
  const {
    running,
    shipped_at,
    verified_at,
    log_size,
    generation,
    parts,
    error: failure,
    refused,
  } = backup.data;
  return (
    <>
      <dl className="facts numbers">
        <dt>{PAGE.backup.reaches}</dt>
        <dd>{shipped_at === null ? PAGE.backup.never : moment(shipped_at)}</dd>
        <dt>{PAGE.backup.verified}</dt>
        <dd>{verified_at === null ? PAGE.backup.unverified : moment(verified_at)}</dd>
        <dt>{PAGE.backup.holds}</dt>
        <dd>{PAGE.entries(log_size)}</dd>
        {generation !== null && (
          <>
            <dt>{PAGE.backup.generation}</dt>
            <dd>
              <code>{generation}</code> <span className="muted">{PAGE.backup.parts(parts)}</span>
            </dd>
          </>
        )}
      </dl>
      {failure !== null && (
        <Notice tone="bad" title={PAGE.backup.failed}>
          <code>{failure}</code>
        </Notice>
      )}
      {refused !== null && (
        <Notice tone="bad" title={PAGE.backup.refused}>
          <code>{refused}</code>
        </Notice>
      )}
      {running && <Notice>{PAGE.backup.making}</Notice>}
      {error !== null && <Failure error={error} />}
      <div className="row">
        <Button busy={busy || running} onClick={() => void make()}>
          {PAGE.backup.make}
        </Button>
      </div>
    </>
  );
}
