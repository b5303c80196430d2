/** Proves one entry in the page: nothing is taken on the service's word but the bytes that are checked. */
import { useState, type ReactElement } from "react";
import { api, body, openApi } from "../api/client";
import { askNode } from "../api/node";
import type { Access } from "../api/queries";
import { texts } from "../texts";
import { checkEntry, checkOnChain, type Bundle, type Checked } from "../proof/bundle";
import { ProofError } from "../proof/bytes";
import { saveJson } from "../ui/download";
import { Icon } from "../ui/Icon";
import { Button, Failure, Notice, Steps } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";

const PAGE = texts.accesses;

interface Found {
  bundle: Bundle;
  checked: Checked | null;
  onChain: boolean;
  wrong: string | null;
}

export function ProofPanel({ entry, subject }: { entry: Access; subject: string }): ReactElement {
  const [found, setFound] = useState<Found | null>(null);
  const { busy, error, run } = useAttempt();
  const check = (): Promise<void> =>
    run(async () => {
      setFound(await prove(entry.index, subject));
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
  const { checked, onChain, wrong } = found;
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
          { text: PAGE.steps.content, state: "done" },
          { text: PAGE.steps.included(checked.size), state: "done" },
          anchored && checked.anchor !== null
            ? { text: PAGE.steps.anchored(checked.anchor.block), state: "done" }
            : { text: PAGE.steps.notAnchored, state: "waiting" },
        ]}
      />
    </Notice>
  );
}

async function prove(index: number, subject: string): Promise<Found> {
  const bundle = (await body(
    api.GET("/v1/accesses/{index}/proof", { params: { path: { index }, query: { subject } } }),
  )) as unknown as Bundle;
  const keys = (await body(openApi.GET("/v1/log/keys"))).flatMap((one) => one.keys);
  try {
    const checked = checkEntry(bundle, index, keys);
    return { bundle, checked, onChain: await checkOnChain(bundle, rpc), wrong: null };
  } catch (failure) {
    if (failure instanceof ProofError) {
      return { bundle, checked: null, onChain: false, wrong: failure.message };
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
