/**
 * One Idempotency-Key for all tries of the same form, so that a lost answer makes nothing twice. Another body is
 * another request: what changes a field renews the key.
 */
import { useState } from "react";

export interface TryHeader {
  "Idempotency-Key": string;
}

export interface TryKey {
  header: TryHeader;
  renew: () => void;
  /** Wraps a field's setter. */
  changing: <T>(set: (value: T) => void) => (value: T) => void;
}

export function useTryKey(): TryKey {
  const [key, setKey] = useState(() => crypto.randomUUID());
  const renew = (): void => setKey(crypto.randomUUID());
  return {
    header: { "Idempotency-Key": key },
    renew,
    changing: (set) => (value) => {
      renew();
      set(value);
    },
  };
}
