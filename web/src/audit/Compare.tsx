/** Whether two checkpoints are of one history, computed in this page from the log's tiles. */
import { useQuery } from "@tanstack/react-query";
import { useState, type ReactElement } from "react";
import { Problem } from "../api/problem";
import { ProofError } from "../proof/bytes";
import { compare, type Compared } from "../proof/history";
import { audit } from "../texts/audit";
import { saveJson } from "../ui/download";
import { Icon } from "../ui/Icon";
import { Button, Card, Failure, Form, Loading, Notice, TextArea } from "../ui/parts";
import { tidied } from "./kept";
import { fetchTile } from "./queries";

const PAGE = audit.checkpoints;

/** Lines that are pasted as they are: a checkpoint with its signatures, keys. */
const PASTED = {
  className: "input audit-note",
  rows: 4,
  maxLength: 1_000_000,
  spellCheck: false,
  autoComplete: "off",
} as const;

interface Asked {
  notes: readonly [string, string];
  keys: readonly string[];
}

export function Compare({ now, keys }: { now: string; keys: readonly string[] }): ReactElement {
  const [first, setFirst] = useState("");
  const [second, setSecond] = useState("");
  const [own, setOwn] = useState("");
  const [asked, setAsked] = useState<(Asked & { run: number }) | null>(null);
  const ask = (): void =>
    setAsked({
      notes: [tidied(first), second.trim() === "" ? now : tidied(second)],
      keys: own.trim() === "" ? keys : own.split("\n").filter((line) => line.trim() !== ""),
      run: (asked?.run ?? 0) + 1,
    });
  return (
    <Card title={PAGE.pasteTitle}>
      <p className="muted">{PAGE.pasteLead}</p>
      <Form send={ask}>
        <TextArea {...PASTED} label={PAGE.first} value={first} change={setFirst} />
        <TextArea {...PASTED} label={PAGE.second} value={second} change={setSecond} />
        <TextArea {...PASTED} label={PAGE.key} hint={PAGE.keyHint} value={own} change={setOwn} />
        <div className="row">
          <Button look="primary" submits disabled={first.trim() === ""}>
            {PAGE.run}
          </Button>
        </div>
      </Form>
      {asked !== null && <Comparison key={asked.run} notes={asked.notes} keys={asked.keys} />}
    </Card>
  );
}

/** Made once it is shown; another key makes it anew. */
export function Comparison({ notes, keys }: Asked): ReactElement {
  const made = useQuery({
    queryKey: ["audit", "comparison", notes, keys],
    queryFn: () => compare(notes, keys, fetchTile),
    staleTime: 0,
    gcTime: 0,
    retry: (count, error) => count < 2 && error instanceof Problem && error.isOutage,
    refetchOnWindowFocus: false,
  });
  if (made.data !== undefined) {
    return <Verdict found={made.data} />;
  }
  if (made.error === null) {
    return <Loading what={PAGE.comparing} />;
  }
  return <Broken error={made.error} retry={() => void made.refetch()} />;
}

function Verdict({ found }: { found: Compared }): ReactElement {
  const { older, newer, split, hashes } = found;
  if (split !== null) {
    return (
      <Notice tone="bad" title={PAGE.split}>
        <p>{PAGE.splitText(older.size, newer.size)}</p>
        <p>{PAGE.splitNext}</p>
        <Button onClick={() => saveJson(split, `split-view-${older.size}-${newer.size}.json`)}>
          <Icon name="down" size={18} />
          {PAGE.evidence}
        </Button>
      </Notice>
    );
  }
  return (
    <Notice tone="good" title={PAGE.same}>
      <p>{older.size === newer.size ? PAGE.identical(newer.size) : PAGE.sameText(older.size, newer.size)}</p>
      <p className="muted small">{PAGE.computed(hashes)}</p>
    </Notice>
  );
}

/** A service that cannot show it is no proof of a changed log, and no reason to rely on it either. */
function Broken({ error, retry }: { error: unknown; retry: () => void }): ReactElement {
  const isMissing = error instanceof Problem && error.code === "audit_tile_unknown";
  if (!isMissing && !(error instanceof ProofError)) {
    return <Failure error={error} retry={retry} />;
  }
  return (
    <Notice tone="bad" title={PAGE.broken}>
      <p>{isMissing ? PAGE.behind : error.message}</p>
      <p>{PAGE.brokenNext}</p>
      <Button look="quiet" onClick={retry}>
        {PAGE.run}
      </Button>
    </Notice>
  );
}
