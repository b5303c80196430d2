/** Stopping: one consent or all. In force with the service's answer, before any block. */
import { api, body, type Schemas } from "../api/client";
import { queries } from "../api/queries";
import type { TypedData } from "../wallet/types";
import { useVia } from "./acting";
import type { Via } from "./chain";
import { useSigning, type Signing } from "../wallet/useSigning";

export type Stopped = Schemas["StopView"];
export type What = { consent_id: string } | { subject: string };

export interface Stop extends Omit<Signing<Stopped>, "run"> {
  stop: (what: What) => Promise<void>;
}

export function useStop(): Stop {
  const via = useVia();
  const { run, ...signing } = useSigning<Stopped>();
  const stop = async (what: What): Promise<void> => {
    await run(async () => {
      const draft = await body(
        api.POST("/v1/revocations/draft", { body: { via: "subject" in what ? [] : via, ...what } }),
      );
      const typed = draft.typed_data as unknown as TypedData;
      return {
        typed,
        signed: (signature) => ({ path: "/v1/revocations", body: stopBody(what, typed, signature, via) }),
      };
    });
    await queries.invalidateQueries();
  };
  return { ...signing, stop };
}

function stopBody(what: What, typed: TypedData, signature: string, via: Via): Record<string, unknown> {
  return "subject" in what
    ? { subject: what.subject, epoch: Number(typed.message.epoch), signature }
    : { consent_id: what.consent_id, signature, via };
}
