/** The signed receipt (ISO/IEC TS 27560) as a file. */
import type { ReactElement } from "react";
import { api, body } from "../api/client";
import { saveJson } from "../ui/download";
import { texts } from "../texts";
import { Icon } from "../ui/Icon";
import { Button, Failure } from "../ui/parts";
import { useActing } from "./acting";
import { useAttempt } from "../ui/useAttempt";

export function ReceiptButton({ consent }: { consent: string }): ReactElement {
  const { subject } = useActing();
  const { busy, error, run } = useAttempt();
  const save = (): Promise<void> =>
    run(async () => {
      const receipt: unknown = await body(
        api.GET("/v1/consents/{consent}/receipt", { params: { path: { consent }, query: { subject } } }),
      );
      saveJson(receipt, `consent-receipt-${consent.slice(2, 10)}.jsonld`);
    });
  return (
    <>
      <Button busy={busy} onClick={() => void save()}>
        <Icon name="down" size={18} />
        {texts.consents.receipt}
      </Button>
      {error !== null && <Failure error={error} />}
    </>
  );
}
