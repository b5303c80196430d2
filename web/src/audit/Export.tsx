/** Entries as FHIR AuditEvents in one Bundle, all pages of a search, saved as a file. */
import { useRef, useState, type ReactElement } from "react";
import { audit } from "../texts/audit";
import { save } from "../ui/download";
import { Button, Failure, Heading, Loading, Notice } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";
import { collected, type Collected } from "./collecting";
import { queryOf, type Criteria } from "./fhir";
import { Filters } from "./Filters";
import { search } from "./searching";

const PAGE = audit.export;
const AT_ONCE = 200;

export default function Export(): ReactElement {
  const [count, setCount] = useState(0);
  const [result, setResult] = useState<Collected | null>(null);
  const { busy, error, run } = useAttempt();
  const stopped = useRef(false);
  const start = (criteria: Criteria): Promise<void> =>
    run(async () => {
      stopped.current = false;
      setCount(0);
      setResult(null);
      const made = await collected(queryOf(criteria, AT_ONCE), search, (found) => {
        setCount(found);
        return !stopped.current;
      });
      setResult(made);
      if (made.state === "whole" && made.count > 0) {
        const content = new Blob([JSON.stringify(made.bundle)], { type: "application/fhir+json" });
        save(content, PAGE.file(criteria.from, criteria.to));
      }
    });
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      <Notice>{PAGE.told}</Notice>
      <Filters label={PAGE.run} busy={busy} search={(criteria) => void start(criteria)} />
      {busy && (
        <div className="row">
          <Loading what={PAGE.searching(count)} />
          <Button
            onClick={() => {
              stopped.current = true;
            }}
          >
            {PAGE.stop}
          </Button>
        </div>
      )}
      {error !== null && <Failure error={error} />}
      {result !== null && <Outcome result={result} />}
    </>
  );
}

function Outcome({ result }: { result: Collected }): ReactElement {
  if (result.state === "stopped") {
    return <Notice tone="warn">{PAGE.stopped}</Notice>;
  }
  return (
    <>
      <Notice tone={result.count === 0 ? "plain" : "good"}>
        {result.count === 0 ? PAGE.nothing : PAGE.done(result.count)}
      </Notice>
      {result.damaged > 0 && (
        <Notice tone="bad" title={audit.log.damaged(result.damaged)}>
          {audit.log.damagedNext}
        </Notice>
      )}
    </>
  );
}
