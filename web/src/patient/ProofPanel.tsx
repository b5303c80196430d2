/** Proves one entry in the page: nothing is taken on the service's word but the bytes that are checked. */
import { useState, type ReactElement } from "react";
import { body, openApi } from "../api/client";
import { askNode } from "../api/node";
import type { Access } from "../api/queries";
import { texts } from "../texts";
import { checkEntry, checkOnChain, type Bundle, type Checked } from "../proof/bundle";
import { ProofError, refuse } from "../proof/bytes";
import { saveJson } from "../ui/download";
import { Icon } from "../ui/Icon";
import { Button, Failure, Notice, Steps } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";

const PAGE = texts.accesses;

interface ProofPanelProps {
  entry: Pick<Access, "index" | "leaf_hash">;
  /** Fetches the proof, with what the entry says or without. */
  fetchBundle: () => Promise<unknown>;
  opened?: boolean;
}

interface Found {
  bundle: Bundle;
  opened: boolean;
  checked: Checked | null;
  onChain: boolean;
  wrong: string | null;
}

export function ProofPanel({ entry, fetchBundle, opened = true }: ProofPanelProps): ReactElement {
  const [found, setFound] = useState<Found | null>(null);
  const { busy, error, run } = useAttempt();
  const check = (): Promise<void> =>
    run(async () => {
      setFound(await prove((await fetchBundle()) as Bundle, entry, opened));
    });
  return (
    <div className="proof stack">
      <p className="muted small numbers">
        #{entry.index} <code>{entry.leaf_hash}</code>
      </p>
      <div className="row">
        <Button busy={busy} onClick={() => void check()}>
          <Icon name="shield" size={18} />
          {busy ? PAGE.checking : PAGE.check}
        </Button>
        {found !== null && (
          <Button look="quiet" onClick={() => saveJson(found.bundle, `entry-${entry.index}.json`)}>
            {PAGE.download}
          </Button>
        )}
      </div>
      {error !== null && <Failure error={error} />}
      {found !== null && <Verdict found={found} />}
    </div>
  );
}

function Verdict({ found }: { found: Found }): ReactElement {
  const { checked, onChain, opened, wrong } = found;
  if (checked === null || wrong !== null) {
    return (
      <Notice tone="bad" title={PAGE.failed}>
        <p>{wrong}</p>
        <p>{PAGE.failedNext}</p>
      </Notice>
    );
  }
  const anchored = checked.anchor !== null && onChain;
  return (
    <Notice tone="good" title={PAGE.checked}>
      <Steps
        steps={[
          opened
            ? { text: PAGE.steps.content, state: "done" }
            : { text: PAGE.steps.closed, state: "waiting" },
          { text: PAGE.steps.included(checked.size), state: "done" },
          anchored && checked.anchor !== null
            ? { text: PAGE.steps.anchored(checked.anchor.block), state: "done" }
            : { text: PAGE.steps.notAnchored, state: "waiting" },
        ]}
      />
    </Notice>
  );
}

async function prove(bundle: Bundle, entry: ProofPanelProps["entry"], opened: boolean): Promise<Found> {
  const keys = (await body(openApi.GET("/v1/log/keys"))).flatMap((one) => one.keys);
  try {
    const checked = checkEntry(bundle, entry.index, keys, { opened });
    refuse(`0x${checked.leafHash}` !== entry.leaf_hash, "the list shows another entry than the proof");
    return { bundle, opened, checked, onChain: await checkOnChain(bundle, rpc), wrong: null };
  } catch (failure) {
    if (failure instanceof ProofError) {
      return { bundle, opened, checked: null, onChain: false, wrong: failure.message };
    }
    throw failure;
  }
}

async function rpc(method: string, params: unknown[]): Promise<unknown> {
  const answer = await askNode(method, params);
  if (answer === undefined) {
    throw new ProofError("the chain's node refused to answer");
  }
  return answer;
}
