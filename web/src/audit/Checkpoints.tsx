/** The whole log in one signed line: now, kept from before, compared, and what witnesses say of it. */
import { useState, type ReactElement } from "react";
import { asDay, asCount } from "../format/time";
import { ProofError, toHex } from "../proof/bytes";
import { openCheckpoint, type Checkpoint } from "../proof/checkpoint";
import { texts } from "../texts";
import { audit } from "../texts/audit";
import { save } from "../ui/download";
import { Icon } from "../ui/Icon";
import { Button, Card, Empty, Failure, Heading, Loading, Notice } from "../ui/parts";
import { Compare, Comparison } from "./Compare";
import { forget, keep, kept, type Kept } from "./kept";
import { useCheckpoint, useLogKeys } from "./queries";
import { Witnesses } from "./Witnesses";

const PAGE = audit.checkpoints;
const MOST_SHOWN = 200; // characters of a key that an eye can compare; ML-DSA-44 has more

export default function Checkpoints(): ReactElement {
  const now = useCheckpoint();
  const keys = useLogKeys();
  const [all, setAll] = useState(kept);
  const error = now.error ?? keys.error;
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      {error !== null && (
        <Failure
          error={error}
          retry={() => {
            void now.refetch();
            void keys.refetch();
          }}
        />
      )}
      {error === null && (now.isPending || keys.isPending) && <Loading what={texts.loading} />}
      {now.data !== undefined && keys.data !== undefined && (
        <>
          <Newest view={now.data} keys={keysIn(keys.data)} keepIt={(note) => setAll(keep(note))} />
          <Card title={PAGE.kept}>
            {all.length === 0 ? (
              <Empty>{PAGE.keptNone}</Empty>
            ) : (
              <ul className="lines audit-items">
                {all.map((one) => (
                  <li key={one.note}>
                    <KeptLine
                      one={one}
                      now={now.data.checkpoint}
                      keys={keysIn(keys.data)}
                      forgetIt={() => setAll(forget(one.note))}
                    />
                  </li>
                ))}
              </ul>
            )}
          </Card>
          <Compare now={now.data.checkpoint} keys={keysIn(keys.data)} />
          <Witnesses note={now.data.published} logKeys={keysIn(keys.data)} />
          <LogKeys keys={keys.data} />
        </>
      )}
    </>
  );
}

type LogKeyList = NonNullable<ReturnType<typeof useLogKeys>["data"]>;

function keysIn(list: LogKeyList): string[] {
  return list.flatMap(({ keys }) => keys);
}

/** What a note says, or null where no key of the log signed it. */
export function opened(note: string, keys: readonly string[]): Checkpoint | null {
  try {
    return openCheckpoint(note, keys);
  } catch (failure) {
    if (failure instanceof ProofError) {
      return null;
    }
    throw failure;
  }
}

interface NewestProps {
  view: NonNullable<ReturnType<typeof useCheckpoint>["data"]>;
  keys: readonly string[];
  keepIt: (note: string) => void;
}

function Newest({ view, keys, keepIt }: NewestProps): ReactElement {
  const found = opened(view.checkpoint, keys);
  if (found === null) {
    return (
      <Notice tone="bad" title={PAGE.unsigned}>
        {PAGE.unsignedNext}
      </Notice>
    );
  }
  return (
    <Card title={PAGE.now}>
      <dl className="facts">
        <dt>{PAGE.origin}</dt>
        <dd>{found.origin}</dd>
        <dt>{PAGE.size}</dt>
        <dd className="numbers">{asCount(found.size)}</dd>
        <dt>{PAGE.root}</dt>
        <dd>
          <code>{toHex(found.root)}</code>
        </dd>
      </dl>
      <p className="row audit-good">
        <Icon name="shield" size={18} />
        <span>{PAGE.signed}</span>
      </p>
      <p className="muted">{PAGE.anchored(view.anchored_size)}</p>
      {view.anchor_overdue && (
        <Notice tone="warn" title={PAGE.overdue}>
          {PAGE.overdueNext}
        </Notice>
      )}
      <div className="row">
        <Button look="primary" onClick={() => keepIt(view.checkpoint)}>
          {PAGE.keep}
        </Button>
        <Button onClick={() => saveNote(view.checkpoint, found.size)}>
          <Icon name="down" size={18} />
          {PAGE.file}
        </Button>
      </div>
    </Card>
  );
}

interface KeptLineProps {
  one: Kept;
  now: string;
  keys: readonly string[];
  forgetIt: () => void;
}

function KeptLine({ one, now, keys, forgetIt }: KeptLineProps): ReactElement {
  const [run, setRun] = useState(0);
  const found = opened(one.note, keys);
  return (
    <>
      <span className="row spread">
        <span>
          <strong className="numbers">
            {found === null ? PAGE.unsigned : `${PAGE.size}: ${asCount(found.size)}`}
          </strong>{" "}
          <span className="muted">{PAGE.keptAt(asDay(one.at))}</span>
        </span>
        <span className="row">
          <Button onClick={() => setRun(run + 1)}>{PAGE.compare}</Button>
          {found !== null && (
            <Button look="quiet" onClick={() => saveNote(one.note, found.size)}>
              {PAGE.file}
            </Button>
          )}
          <Button look="quiet" onClick={forgetIt}>
            {PAGE.forget}
          </Button>
        </span>
      </span>
      {found !== null && <code className="muted small">{toHex(found.root)}</code>}
      {run > 0 && <Comparison key={run} notes={[one.note, now]} keys={keys} />}
    </>
  );
}

function saveNote(note: string, size: number): void {
  save(new Blob([note], { type: "text/plain" }), `checkpoint-${size}.txt`);
}

function LogKeys({ keys }: { keys: LogKeyList }): ReactElement {
  return (
    <Card title={PAGE.keys}>
      <p className="muted">{PAGE.keysLead}</p>
      <ul className="lines audit-items">
        {[...keys].reverse().map((key) => (
          <li key={key.epoch}>
            <span>
              {PAGE.keyFrom(key.from_size)}{" "}
              <span className="muted">· {PAGE.keyMade(asDay(key.made_at))}</span>
            </span>
            {key.keys.map((one) => (
              <code key={one} className={`muted small${one.length > MOST_SHOWN ? " audit-key" : ""}`}>
                {one}
              </code>
            ))}
          </li>
        ))}
      </ul>
    </Card>
  );
}
