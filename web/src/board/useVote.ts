/** A member's signature of a decision: asked of the wallet once, kept until the service has it. */
import { useState } from "react";
import { api, body } from "../api/client";
import { Problem, Unreachable } from "../api/problem";
import { board } from "../texts/board";
import { WalletError } from "../wallet/errors";
import { signTyped } from "../wallet/signing";
import type { TypedData, Wallet } from "../wallet/types";
import { useTurn, type SigningStage } from "../wallet/useTurn";
import type { File, Kind } from "./commands";
import { changed } from "./queries";

export interface Vote {
  study: string;
  kind: Kind;
  typed: TypedData;
  reason: string;
}

type Signed = Vote & { signature: string };

export interface Voting {
  stage: SigningStage;
  error: unknown;
  /** Signed, and not known to have arrived: to be sent again, without the wallet. */
  held: Signed | null;
  sign: (vote: Vote, wallet: Wallet, account: string) => Promise<void>;
  sendAgain: () => Promise<void>;
}

/** The wallet's account is another one than the staff account is linked to. */
class OtherAccount extends Error {
  override readonly name = "OtherAccount";
  readonly next: string;

  constructor(account: string) {
    const told = board.decide.otherAccount(account);
    super(told.what);
    this.next = told.next;
  }
}

export function useVote(): Voting {
  const { stage, error, setStage, isGone, take } = useTurn();
  const [held, setHeld] = useState<Signed | null>(null);

  const deliver = async (signed: Signed): Promise<void> => {
    setHeld(signed);
    setStage("sending");
    try {
      await changed(await send(signed));
      setHeld(null);
    } catch (failure) {
      if (!(failure instanceof Unreachable || (failure instanceof Problem && failure.isOutage))) {
        setHeld(null); // the service has answered: the same signature would be answered alike
      }
      throw failure;
    }
  };
  const sign = (vote: Vote, wallet: Wallet, account: string): Promise<void> =>
    take(async () => {
      setStage("wallet");
      const signature = await signatureOf(vote.typed, wallet, account);
      if (!isGone()) {
        await deliver({ ...vote, signature });
      }
    });
  const sendAgain = (): Promise<void> => (held === null ? Promise.resolve() : take(() => deliver(held)));

  return { stage, error, held, sign, sendAgain };
}

async function signatureOf(typed: TypedData, wallet: Wallet, account: string): Promise<string> {
  try {
    return await signTyped(wallet.provider, account, typed);
  } catch (failure) {
    if (failure instanceof WalletError && failure.kind === "otherAccount") {
      throw new OtherAccount(account);
    }
    throw failure;
  }
}

function send({ study, kind, typed, reason, signature }: Signed): Promise<File> {
  if (kind === "suspend") {
    const round = Number(typed.message.round);
    return body(
      api.POST("/v1/board/studies/{study}/suspension", {
        params: { path: { study } },
        body: { signature, round, reason },
      }),
    );
  }
  const submitBy = kind === "permit" ? { submit_by: Number(typed.message.submitBy) } : {};
  return body(
    api.POST("/v1/board/studies/{study}/motions/{kind}", {
      params: { path: { study, kind } },
      body: { signature, reason, ...submitBy },
    }),
  );
}
