/** The words of a delegation as drafted, and the signature under exactly these. */
import { useQuery } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { api, body, type Schemas } from "../api/client";
import { bitsOfTables, queries } from "../api/queries";
import { language, texts } from "../texts";
import { Failure, Loading } from "../ui/parts";
import { requireDraft } from "../wallet/typed";
import type { TypedData } from "../wallet/types";
import { useSigning } from "../wallet/useSigning";
import { kindOf, shownIn, type Wish } from "./delegation";
import { SigningSheet } from "./SigningSheet";

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
  const sign = async (): Promise<void> => {
    const drafted = draft.data;
    if (drafted === undefined) {
      return;
    }
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
  return (
    <SigningSheet
      title={title}
      signing={signing}
      done={signing.result === null ? null : done}
      sign={sign}
      label={texts.powers.sign}
      ready={draft.data !== undefined}
      close={() => close(signing.result !== null)}
    >
      {draft.isPending && <Loading what={texts.wallet.stages.drafting} />}
      {draft.error !== null && <Failure error={draft.error} retry={() => void draft.refetch()} />}
      {draft.data !== undefined && (
        <>
          <h3>{texts.powers.signed}</h3>
          <p className="signed-text">{draft.data.summary}</p>
          {note !== undefined && <p className="muted small">{note}</p>}
        </>
      )}
    </SigningSheet>
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
