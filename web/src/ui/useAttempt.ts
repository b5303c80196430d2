/** One thing that is tried at a time: whether it is under way, and what it failed with. */
import { useCallback, useState } from "react";

export interface Attempt {
  busy: boolean;
  error: unknown;
  /** Try; a failure is kept for the page to show, and thrown no further. */
  run: (work: () => Promise<void>) => Promise<void>;
}

export function useAttempt(): Attempt {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const run = useCallback(async (work: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    try {
      await work();
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  }, []);
  return { busy, error, run };
}
