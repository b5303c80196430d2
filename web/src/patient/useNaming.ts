/** Somebody to be named with an account: what was typed, what misses, and the wish that a sheet has signed. */
import { useState } from "react";
import { otherAccount } from "./AccountField";
import type { Wish } from "./delegation";

interface Named {
  name: string;
  delegate: string;
}

export interface Naming {
  name: string;
  setName: (name: string) => void;
  account: string;
  setAccount: (account: string) => void;
  /** Of somebody else; null while it is none. */
  delegate: string | null;
  /** Somebody tried to go on: what misses is said. */
  told: boolean;
  wish: Wish | null;
  /** Go on to the sheet, unless something misses. */
  propose: (make: (named: Named) => Wish | null) => void;
  /** The sheet is closed; once the power was given, the form is for the next one. */
  close: (given: boolean) => void;
}

export function useNaming(first = ""): Naming {
  const [name, setName] = useState("");
  const [account, setAccount] = useState(first);
  const [told, setTold] = useState(false);
  const [wish, setWish] = useState<Wish | null>(null);
  const delegate = otherAccount(account);
  const propose = (make: (named: Named) => Wish | null): void => {
    setTold(true);
    if (name.trim() !== "" && delegate !== null) {
      setWish(make({ name: name.trim(), delegate }));
    }
  };
  const close = (given: boolean): void => {
    setWish(null);
    if (given) {
      setTold(false);
      setName("");
      setAccount("");
    }
  };
  return { name, setName, account, setAccount, delegate, told, wish, propose, close };
}
