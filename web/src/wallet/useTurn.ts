/** One signing at a time: what is going on, what it failed with, and whether its page was left meanwhile. */
import { useCallback, useEffect, useRef, useState } from "react";

export type SigningStage = "idle" | "drafting" | "wallet" | "sending";

export interface Turn {
  stage: SigningStage;
  error: unknown;
  setStage: (stage: SigningStage) => void;
  /** Forget the failure. */
  forget: () => void;
  /** What a wallet signs after its page was left is not sent. */
  isGone: () => boolean;
  /** Do it; a second call while one is under way does nothing. A failure is kept, and thrown no further. */
  take: (work: () => Promise<void>) => Promise<void>;
}

export function useTurn(): Turn {
  const [stage, setStage] = useState<SigningStage>("idle");
  const [error, setError] = useState<unknown>(null);
  const busy = useRef(false);
  const gone = useRef(false);

  useEffect(() => {
    gone.current = false;
    return () => {
      gone.current = true;
    };
  }, []);

  const take = useCallback(async (work: () => Promise<void>) => {
    if (busy.current) {
      return;
    }
    busy.current = true;
    setError(null);
    try {
      await work();
    } catch (failure) {
      setError(failure);
    } finally {
      busy.current = false;
      setStage("idle");
    }
  }, []);

  const forget = useCallback(() => setError(null), []);
  const isGone = useCallback(() => gone.current, []);
  return { stage, error, setStage, forget, isGone, take };
}
