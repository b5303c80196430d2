/** The words of a delegation as drafted, and the signature under exactly these. */
import { useQuery } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { api, body, type Schemas } from "../api/client";
import { bitsOfTables, queries } from "../api/queries";
import { language, texts } from "../texts";
import { Button, Failure, Loading, Notice, Sheet } from "../ui/parts";
import { requireDraft } from "../wallet/typed";
import type { TypedData } from "../wallet/types";
import { useSigning } from "../wallet/useSigning";
import { kindOf, shownIn, type Wish } from "./delegation";
import { SigningStatus } from "./SigningStatus";

interface DelegationSheetProps {
  wish: Wish;
  title: string;
  /** Stands below the words, where these need explaining. */
  note?: string;
  done: { title: string; next: string };
  close: (given: boolean) => void;
}

export function DelegationSheet({ wish, title, note, done, close }: DelegationSheetProps): ReactElement {
  const draft = useQuery({
    queryKey: ["delegation-draft", wish],
    queryFn: () => draftDelegation(wish),
    staleTime: Infinity, // what is shown is what is signed
    gcTime: 0,
  });
  const signing = useSigning<Schemas["RecordedView"]>();
  const sign = async (drafted: Schemas["Draft"]): Promise<void> => {
    await signing.run(async () => {
      const typed = drafted.typed_data as unknown as TypedData;
      requireDraft(typed, drafted, shownIn(wish, await bitsOfTables()));
      return {
        typed,
        signed: (signature) => ({
          path: "/v1/delegations",
          body: { message: drafted.message, signature, via: [] },
        }),
      };
    });
    await queries.invalidateQueries({ queryKey: ["consents"] });
  };
  if (signing.result !== null) {
    return (
      <Sheet title={title} close={() => close(true)}>
        <Notice tone="good" title={done.title}>
          {done.next}
        </Notice>
        <Button look="primary" onClick={() => close(true)}>
          {texts.back}
        </Button>
      </Sheet>
    );
  }
  return (
    <Sheet title={title} close={() => close(false)}>
      {draft.isPending && <Loading what={texts.wallet.stages.drafting} />}
      {draft.error !== null && <Failure error={draft.error} retry={() => void draft.refetch()} />}
      {draft.data !== undefined && (
        <>
          <h3>{texts.powers.signed}</h3>
          <p className="signed-text">{draft.data.summary}</p>
          {note !== undefined && <p className="muted small">{note}</p>}
        </>
      )}
      <SigningStatus stage={signing.stage} />
      {signing.error !== null && <Failure error={signing.error} />}
      <div className="row">
        <Button
          look="primary"
          busy={signing.stage !== "idle"}
          disabled={draft.data === undefined}
          onClick={() => draft.data !== undefined && void sign(draft.data)}
        >
          {texts.powers.sign}
        </Button>
        <Button onClick={() => close(false)}>{texts.cancel}</Button>
      </div>
    </Sheet>
  );
}

function draftDelegation(wish: Wish): Promise<Schemas["Draft"]> {
  const { subject, delegate, relationship, notAfter } = wish;
  return body(
    api.POST("/v1/delegations/draft", {
      body: {
        subject,
        delegate,
        relationship,
        not_after: notAfter,
        powers: [...wish.powers],
        purposes: [...wish.purposes],
        categories: [...wish.categories],
        sensitivities: [...wish.sensitivities],
        depth: 0,
        kind: kindOf(wish),
        via: [],
        language,
      },
    }),
  );
}
