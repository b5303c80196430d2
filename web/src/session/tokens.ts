/**
 * The session of this browser: one for all tabs, renewed by one of them at a time.
 *
 * A refresh token is good once, and using one twice ends the session, so tabs take turns (Web Locks) and read
 * what another one left before they ask.
 */

const KEY = "assent.session";
const EARLY_MS = 15_000; // a token this close to its end is renewed before it is used

/**
 * Who signed in: a wallet's account (as the wallet spells it; `rdns` finds the wallet again), or staff.
 * `provider`: an identity provider vouches for them, and they are signed in there too.
 */
export type Who =
  { kind: "wallet"; account: string; rdns: string } | { kind: "staff"; username: string; provider?: true };

export interface Session {
  who: Who;
  access: string;
  refresh: string | null;
  expiresAt: number;
}

interface TokenAnswer {
  access_token: string;
  refresh_token: string | null;
  expires_in: number;
}

type Listener = () => void;
const listeners = new Set<Listener>();
let shown: Session | null = read();

function read(): Session | null {
  try {
    const text = localStorage.getItem(KEY);
    return text === null ? null : (JSON.parse(text) as Session);
  } catch {
    return null; // no storage, or something else wrote there
  }
}

function write(session: Session | null): void {
  if (session === null) {
    localStorage.removeItem(KEY);
  } else {
    localStorage.setItem(KEY, JSON.stringify(session));
  }
  shown = session;
  listeners.forEach((listener) => listener());
}

addEventListener("storage", (event) => {
  if (event.key === KEY || event.key === null) {
    shown = read();
    listeners.forEach((listener) => listener());
  }
});

export function subscribe(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function current(): Session | null {
  return shown;
}

/** The account that signs, where a wallet is signed in. */
export function currentAccount(): string | null {
  return shown?.who.kind === "wallet" ? shown.who.account : null;
}

export function signedIn(who: Who, tokens: TokenAnswer): void {
  write(sessionOf(who, tokens));
}

export function signedOut(): void {
  write(null);
}

/** A token that is good for the next call, or null when nobody is signed in. */
export async function accessToken(): Promise<string | null> {
  const session = read();
  if (session === null) {
    return null;
  }
  return session.expiresAt - EARLY_MS > Date.now() ? session.access : renew(session.access);
}

/** Replace the token `spent`; null when the session is over. Another tab may have done it already. */
export async function renew(spent: string): Promise<string | null> {
  return navigator.locks.request(KEY, async (): Promise<string | null> => {
    const session = read();
    if (session === null || session.access !== spent) {
      return session?.access ?? null;
    }
    if (session.refresh === null) {
      return null;
    }
    const response = await fetch("/v1/auth/refresh", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ refresh_token: session.refresh }),
    }).catch(() => null);
    if (response === null || response.status >= 500) {
      return session.access; // away, which is not the same as over
    }
    if (!response.ok) {
      return null;
    }
    const renewed = sessionOf(session.who, (await response.json()) as TokenAnswer);
    write(renewed);
    return renewed.access;
  });
}

function sessionOf(who: Who, tokens: TokenAnswer): Session {
  return {
    who,
    access: tokens.access_token,
    refresh: tokens.refresh_token,
    expiresAt: Date.now() + tokens.expires_in * 1000,
  };
}
