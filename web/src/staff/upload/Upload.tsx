/** Store a document for a patient who was found: chosen, looked at, filed, sent once, and receipted. */
import { useEffect, useId, useRef, useState, type ReactElement } from "react";
import { api, body } from "../../api/client";
import { Problem, Unreachable } from "../../api/problem";
import { queries } from "../../api/queries";
import { asBytes } from "../../format/size";
import { texts } from "../../texts";
import { Button, Card, Failure, Loading, Notice } from "../../ui/parts";
import { useAttempt } from "../../ui/useAttempt";
import { digestOf, digestOfText } from "./digest";
import { DocumentLabels, RESTRICTED, type Stated } from "./DocumentLabels";
import { Filed } from "./Filed";
import { bundleFault, FHIR, HEAD_BYTES, kindOf, type Fault } from "./kinds";
import { filingOf, type Filing } from "./labels";
import { Receipt, type Kept } from "./Receipt";
import { forgetKey, keyOf, store } from "./sending";
import "./upload.css";

const PAGE = texts.upload;

interface Chosen {
  file: File;
  mediaType: string;
  /** Null for what is no FHIR. */
  filing: Filing | null;
}

/** Raised for a file that need not be sent to know that it will be refused. */
class FileFault extends Error {
  readonly next: string;

  constructor(fault: Fault) {
    super(PAGE.faults[fault].what);
    this.next = PAGE.faults[fault].next;
  }
}

export default function Upload({ patientRef }: { patientRef: string }): ReactElement {
  const [chosen, setChosen] = useState<Chosen | null>(null);
  const [kept, setKept] = useState<Kept | null>(null);
  const look = useAttempt();
  const input = useId();
  if (kept !== null) {
    return (
      <Receipt
        kept={kept}
        another={() => {
          setKept(null);
          setChosen(null);
        }}
      />
    );
  }
  const choose = (file: File | undefined): Promise<void> => {
    setChosen(null);
    return look.run(async () => {
      if (file !== undefined) {
        setChosen(await lookAt(file));
      }
    });
  };
  return (
    <Card>
      <p className="muted">{PAGE.lead}</p>
      <div className="field">
        <label htmlFor={input}>{PAGE.file}</label>
        <input
          id={input}
          type="file"
          className="input file"
          aria-describedby={`${input}-hint`}
          onChange={(event) => void choose(event.target.files?.[0])}
        />
        <p id={`${input}-hint`} className="small muted">
          {PAGE.fileHint}
        </p>
      </div>
      {look.busy && <Loading what={PAGE.looking} />}
      {look.error !== null && <Failure error={look.error} />}
      {chosen !== null && (
        <Ready key={chosen.file.name} chosen={chosen} patientRef={patientRef} done={setKept} />
      )}
    </Card>
  );
}

async function lookAt(file: File): Promise<Chosen> {
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  const kind = kindOf(file.name, head);
  if ("fault" in kind) {
    throw new FileFault(kind.fault);
  }
  if (kind.mediaType !== FHIR) {
    return { file, mediaType: kind.mediaType, filing: null };
  }
  const json = await file.text();
  const fault = bundleFault(json);
  if (fault !== null) {
    throw new FileFault(fault);
  }
  const labels = await body(
    api.POST("/v1/labels", {
      body: {},
      bodySerializer: () => json, // the file as it is: what is looked at is what is stored
      headers: { "Content-Type": FHIR },
    }),
  );
  return { file, mediaType: FHIR, filing: filingOf(labels) };
}

interface ReadyProps {
  chosen: Chosen;
  patientRef: string;
  done: (kept: Kept) => void;
}

function Ready({ chosen, patientRef, done }: ReadyProps): ReactElement {
  const { file, mediaType, filing } = chosen;
  const [stated, state] = useState<Stated>(RESTRICTED);
  const [sent, setSent] = useState<number | null>(null);
  const [isStopped, setStopped] = useState(false);
  const [isMissing, setMissing] = useState(false);
  const stopping = useRef<AbortController | null>(null);
  const { busy, error, run } = useAttempt();
  useEffect(() => () => stopping.current?.abort(), []);
  // Nobody knows whether it arrived: the next try has to be the same one.
  const isOpen = error instanceof Unreachable || (error instanceof Problem && error.isOutage) || isStopped;

  const send = async (): Promise<void> => {
    const missing = filing === null && stated.isReviewed && stated.categories.length === 0;
    setMissing(missing);
    if (missing) {
      return;
    }
    const stop = new AbortController();
    stopping.current = stop;
    setStopped(false);
    await run(async () => {
      try {
        const sha256 = await digestOf(file);
        const name = digestOfText(`${patientRef} ${sha256}`);
        setSent(0);
        const answer = await store({
          query: queryOf(patientRef, filing === null ? stated : RESTRICTED),
          file,
          mediaType,
          key: keyOf(name),
          progress: setSent,
          signal: stop.signal,
        });
        forgetKey(name);
        await queries.invalidateQueries({ queryKey: ["granted"] });
        done({ answer, name: file.name, mediaType, size: file.size, sha256, at: new Date().toISOString() });
      } catch (failure) {
        if (!stop.signal.aborted) {
          throw failure;
        }
        setStopped(true);
      } finally {
        setSent(null);
      }
    });
  };

  return (
    <>
      <p>
        <strong className="file-name">{file.name}</strong>{" "}
        <span className="muted numbers">
          {PAGE.kinds[mediaType] ?? mediaType} · {asBytes(file.size)}
        </span>
      </p>
      {filing === null ? (
        <DocumentLabels
          stated={stated}
          change={(next) => {
            state(next);
            setMissing(false);
          }}
          disabled={busy || isOpen}
        />
      ) : (
        <Filed filing={filing} />
      )}
      {isMissing && <Notice tone="warn" title={PAGE.noCategory} />}
      {isStopped && <Notice tone="warn">{PAGE.stopped}</Notice>}
      {error !== null && <Failure error={error} />}
      {sent !== null && <Progress part={sent} />}
      <div className="row">
        <Button look="primary" busy={busy} onClick={() => void send()}>
          {PAGE.store}
        </Button>
        {sent !== null && <Button onClick={() => stopping.current?.abort()}>{PAGE.stop}</Button>}
      </div>
    </>
  );
}

function Progress({ part }: { part: number }): ReactElement {
  const id = useId();
  return (
    <div className="field" role="status">
      <label htmlFor={id} className="muted">
        {part < 1 ? PAGE.storing : PAGE.keeping}
      </label>
      <progress id={id} max={1} value={part} />
      <span className="small muted numbers">{PAGE.sealed(Math.floor(part * 100))}</span>
    </div>
  );
}

function queryOf(patientRef: string, stated: Stated): URLSearchParams {
  const query = new URLSearchParams({ patient_ref: patientRef });
  if (stated.isReviewed) {
    stated.categories.forEach((code) => query.append("categories", code));
    // 'N' says that somebody looked and nothing is sensitive, which no code at all cannot.
    (stated.sensitivities.length === 0 ? ["N"] : stated.sensitivities).forEach((code) =>
      query.append("sensitivities", code),
    );
  }
  return query;
}
