/** One request: who asks, why, for what, how long; narrow it, see what it would show, sign. */
import { useState, type ReactElement } from "react";
import { bitsOfTables, useNames, useRequest, useWords, queries, type Request as Asked } from "../api/queries";
import type { Schemas } from "../api/client";
import { asDay, asDays, asList, asMoment, dateOf, endOfDay } from "../format/time";
import { texts } from "../texts";
import { Button, Card, Failure, Heading, Loading, Notice, Switch, Tag, TextField } from "../ui/parts";
import type { TypedData } from "../wallet/types";
import { requireDraft } from "../wallet/typed";
import { useSigning } from "../wallet/useSigning";
import { useVia } from "./acting";
import { asked, shownIn, type Answer as How } from "./answer";
import { Answered } from "./Answered";
import { SigningStatus } from "./SigningStatus";
import { draftOf, useDraft, type Narrowing } from "./useDraft";

const PAGE = texts.requests;

export default function Request({ id }: { id: string }): ReactElement {
  const request = useRequest(id);
  if (request.data === undefined) {
    return request.error === null ? (
      <Loading what={texts.loading} />
    ) : (
      <Failure error={request.error} retry={() => void request.refetch()} />
    );
  }
  return <Shown request={request.data} />;
}

function Shown({ request }: { request: Asked }): ReactElement {
  const names = useNames();
  const words = useWords();
  const name = names(request.requester);
  return (
    <>
      <Heading
        title={PAGE.asks(name)}
        lead={PAGE.purpose(asList(words("purposes", request.purposes)))}
        aside={request.state !== "requested" && <Tag>{PAGE.states[request.state] ?? request.state}</Tag>}
      />
      {request.message !== "" && (
        <figure className="card quote">
          <figcaption className="muted small">{PAGE.message}</figcaption>
          <blockquote>{request.message}</blockquote>
        </figure>
      )}
      <Card>
        <Facts request={request} />
      </Card>
      {request.state === "requested" && <Answer request={request} />}
      {request.consent_id !== null && request.state !== "requested" && (
        <Answered consent={request.consent_id} answer={request.state === "refused" ? "refuse" : "grant"} />
      )}
    </>
  );
}

function Facts({ request }: { request: Asked }): ReactElement {
  const words = useWords();
  const limits = limitsOf(request);
  return (
    <dl className="facts">
      <dt>{PAGE.why}</dt>
      <dd>{asList(words("purposes", request.purposes))}</dd>
      <dt>{PAGE.what}</dt>
      <dd>{asList(words("categories", request.categories))}</dd>
      {request.sensitivities.length > 0 && (
        <>
          <dt>{PAGE.sensitive}</dt>
          <dd>{asList(words("sensitivities", request.sensitivities))}</dd>
        </>
      )}
      <dt>{PAGE.how}</dt>
      <dd>{asList(words("actions", request.actions))}</dd>
      <dt>{PAGE.dataFrom}</dt>
      <dd>{period(request)}</dd>
      {request.not_after !== null && (
        <>
          <dt>{PAGE.until}</dt>
          <dd>{asDay(request.not_after)}</dd>
        </>
      )}
      {limits.length > 0 && (
        <>
          <dt>{PAGE.limits}</dt>
          <dd>{asList(limits)}</dd>
        </>
      )}
    </dl>
  );
}

function Answer({ request }: { request: Asked }): ReactElement {
  const via = useVia();
  const words = useWords();
  const [narrowing, setNarrowing] = useState<Narrowing>(() => asked(request));
  const [answer, setAnswer] = useState<How>("grant");
  const isEmpty = narrowing.categories.length === 0 || narrowing.actions.length === 0;
  const drafted = useDraft(request, narrowing, via, !isEmpty);
  const signing = useSigning<Schemas["RecordedView"]>();
  const signed = signing.result;
  if (signed !== null) {
    return <Answered consent={signed.consent_id} answer={answer} />;
  }

  const sign = async (how: How): Promise<void> => {
    setAnswer(how);
    await signing.run(async () => {
      // What was shown is what is signed: the draft on the page, or a fresh refusal.
      const draft =
        how === "grant" && drafted.data !== undefined && !drafted.isPlaceholderData
          ? drafted.data.draft
          : await draftOf(request, how, narrowing, via);
      const typed = draft.typed_data as unknown as TypedData;
      requireDraft(typed, draft, shownIn(request, how, narrowing, await bitsOfTables()));
      return {
        typed,
        signed: (signature) => ({ path: "/v1/consents", body: { message: draft.message, signature, via } }),
      };
    });
    await queries.invalidateQueries();
  };
  const toggle = (field: "categories" | "sensitivities" | "actions", code: string, on: boolean): void => {
    const asked = request[field];
    const kept = new Set(narrowing[field]);
    if (on) {
      kept.add(code);
    } else {
      kept.delete(code);
    }
    setNarrowing({ ...narrowing, [field]: asked.filter((one) => kept.has(one)) });
  };
  const switches = (field: "categories" | "sensitivities" | "actions"): ReactElement[] =>
    request[field].map((code) => (
      <Switch
        key={code}
        label={words(field, [code])[0]}
        on={narrowing[field].includes(code)}
        change={(on) => toggle(field, code, on)}
      />
    ));

  return (
    <div className="answer">
      <Card title={PAGE.narrow}>
        <p className="muted">{PAGE.narrowLead}</p>
        <div className="switches">{switches("categories")}</div>
        {request.sensitivities.length > 0 && (
          <>
            <h3>{PAGE.sensitive}</h3>
            <div className="switches">{switches("sensitivities")}</div>
          </>
        )}
        {request.actions.length > 1 && (
          <>
            <h3>{PAGE.how}</h3>
            <div className="switches">{switches("actions")}</div>
          </>
        )}
        {request.not_after !== null && (
          <TextField
            label={PAGE.endLabel}
            type="date"
            min={dateOf(new Date().toISOString())}
            max={dateOf(request.not_after)}
            value={dateOf(narrowing.notAfter ?? request.not_after)}
            change={(day) => {
              const latest = request.not_after;
              if (day !== "" && latest !== null) {
                const end = endOfDay(day);
                setNarrowing({ ...narrowing, notAfter: end < latest ? end : latest });
              }
            }}
          />
        )}
      </Card>
      <Card title={PAGE.shows}>
        {isEmpty && <Notice tone="warn">{PAGE.nothingLeft}</Notice>}
        {!isEmpty && drafted.error !== null && (
          <Failure error={drafted.error} retry={() => void drafted.refetch()} />
        )}
        {!isEmpty && drafted.error === null && (
          <Preview drafted={drafted.data} request={request} stale={drafted.isPlaceholderData} />
        )}
        <SigningStatus of={signing} />
        <div className="row">
          <Button
            look="primary"
            busy={signing.stage !== "idle" && answer === "grant"}
            disabled={
              isEmpty || drafted.data === undefined || drafted.isPlaceholderData || signing.stage !== "idle"
            }
            onClick={() => void sign("grant")}
          >
            {PAGE.allow}
          </Button>
          <Button
            busy={signing.stage !== "idle" && answer === "refuse"}
            disabled={signing.stage !== "idle"}
            onClick={() => void sign("refuse")}
          >
            {PAGE.refuse}
          </Button>
        </div>
        {request.lapses_at !== null && (
          <p className="muted small">{PAGE.lapses(asMoment(request.lapses_at))}</p>
        )}
      </Card>
    </div>
  );
}

interface PreviewProps {
  drafted: ReturnType<typeof useDraft>["data"];
  request: Asked;
  /** What is shown is of before the last switch; the next is on its way. */
  stale: boolean;
}

function Preview({ drafted, request, stale }: PreviewProps): ReactElement {
  const words = useWords();
  if (drafted === undefined) {
    return <Loading what={texts.loading} />;
  }
  const { preview, draft } = drafted;
  const shown = preview.categories.filter((one) => request.categories.includes(one.category) || one.then > 0);
  return (
    <div className={stale ? "stack stale" : "stack"} aria-live="polite" aria-busy={stale}>
      <p>
        <strong className="figure">{preview.records_then}</strong> {PAGE.shownRecords(preview.records_then)}
      </p>
      <ul className="bars">
        {shown.map((one) => (
          <li key={one.category}>
            <span>{words("categories", [one.category])[0]}</span>
            <progress max={Math.max(1, one.then + one.hidden)} value={one.then} />
            <span className="muted small numbers">
              {one.then} / {one.then + one.hidden}
            </span>
          </li>
        ))}
      </ul>
      <p className="muted">{PAGE.hides(preview.records_hidden)}</p>
      <p className="muted">
        {preview.attempts === 0
          ? PAGE.noAttempts
          : PAGE.attempts(preview.attempts, preview.attempts_answered)}
      </p>
      <details>
        <summary>{PAGE.signedText}</summary>
        <p className="signed-text">{draft.summary}</p>
      </details>
    </div>
  );
}

function period({ data_from, data_to }: Asked): string {
  if (data_from !== null && data_to !== null) {
    return PAGE.between(asDay(data_from), asDay(data_to));
  }
  if (data_from !== null) {
    return PAGE.since(asDay(data_from));
  }
  return data_to === null ? PAGE.anyTime : PAGE.before(asDay(data_to));
}

function limitsOf({ max_uses, frequency, erase_by }: Asked): string[] {
  const found: string[] = [];
  if (max_uses !== null) {
    found.push(PAGE.uses(max_uses));
  }
  if (frequency !== null) {
    found.push(PAGE.frequency(frequency.uses, asDays(frequency.period_seconds)));
  }
  if (erase_by !== null) {
    found.push(PAGE.erase(asDay(erase_by)));
  }
  return found;
}
