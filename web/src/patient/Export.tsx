/** The whole record with its evidence as one file, which `assent archive verify` checks offline. */
import type { ReactElement } from "react";
import { api, body } from "../api/client";
import { texts } from "../texts";
import { save } from "../ui/download";
import { Icon } from "../ui/Icon";
import { Button, Card, Failure } from "../ui/parts";
import { useActing } from "./acting";
import { useAttempt } from "../ui/useAttempt";

const PAGE = texts.more;

export function Export(): ReactElement {
  const { subject } = useActing();
  const { busy, error, run } = useAttempt();
  const fetchArchive = (): Promise<void> =>
    run(async () => {
      const archive = await body(
        api.GET("/v1/portability/archive", { params: { query: { subject } }, parseAs: "blob" }),
      );
      save(archive, "my-records.zip");
    });
  return (
    <Card title={PAGE.export}>
      <p className="muted">{PAGE.exportLead}</p>
      <div className="row">
        <Button busy={busy} onClick={() => void fetchArchive()}>
          <Icon name="down" size={18} />
          {PAGE.exportNow}
        </Button>
      </div>
      {error !== null && <Failure error={error} />}
    </Card>
  );
}
