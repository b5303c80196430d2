/** Stands on every page of the present account while somebody moves its records to another one. */
import { useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { asMoment, shortId } from "../format/time";
import { useActing } from "../patient/acting";
import { SigningSheet } from "../patient/SigningSheet";
import { texts } from "../texts";
import { Button, Notice } from "../ui/parts";
import type { TypedData } from "../wallet/types";
import { useSigning } from "../wallet/useSigning";
import { requireVeto } from "./commands";
import { lookAgain, useRecovery } from "./queries";

const BANNER = texts.recovery.banner;

export function Banner(): ReactElement | null {
  const { subject, isSelf } = useActing();
  const recovery = useRecovery(subject, isSelf);
  const [stopping, setStopping] = useState(false);
  const { pending, begun = [] } = recovery.data ?? {};
  return (
    <>
      {pending !== undefined && pending !== null && (
        <Notice tone="bad" title={BANNER.pending}>
          <div className="stack">
            <p>{BANNER.until(shortId(pending.account), asMoment(pending.ready_at))}</p>
            {pending.can_be_stopped ? (
              <>
                <p>{BANNER.notYou}</p>
                <div className="row">
                  <Button look="danger" onClick={() => setStopping(true)}>
                    {BANNER.stop}
                  </Button>
                </div>
              </>
            ) : (
              <p>{BANNER.final}</p>
            )}
          </div>
        </Notice>
      )}
      {(pending === undefined || pending === null) &&
        begun.map((one) => (
          <Notice
            key={one.account}
            tone="warn"
            title={BANNER.begun(one.agreed, one.needed, shortId(one.account))}
          >
            {BANNER.begunNext}
          </Notice>
        ))}
      {stopping && <Stop subject={subject} close={() => setStopping(false)} />}
    </>
  );
}

function Stop({ subject, close }: { subject: string; close: () => void }): ReactElement {
  const signing = useSigning<unknown>();
  const stop = async (): Promise<void> => {
    await signing.run(async () => {
      const draft = await body(api.POST("/v1/recovery/vetoes/draft", { body: { subject } }));
      const typed = draft.typed_data as unknown as TypedData;
      requireVeto(typed, subject);
      return {
        typed,
        signed: (signature) => ({
          path: "/v1/recovery/vetoes",
          body: { message: typed.message, signature },
        }),
      };
    });
    await lookAgain();
  };
  return (
    <SigningSheet
      title={BANNER.title}
      signing={signing}
      done={signing.result === null ? null : { title: BANNER.stopped, next: BANNER.stoppedNext }}
      sign={stop}
      label={BANNER.confirm}
      look="danger"
      close={close}
    >
      <p>{BANNER.sure}</p>
    </SigningSheet>
  );
}
