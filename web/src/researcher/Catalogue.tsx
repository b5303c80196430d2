/** What is on offer, with protected numbers of how many patients there are. */
import { useDeferredValue, useState, type ReactElement } from "react";
import { Link } from "wouter";
import { asMoment } from "../format/time";
import { asList } from "../format/time";
import { useWords } from "../api/queries";
import { texts as common } from "../texts";
import { researcher as texts } from "../texts/researcher";
import { Icon } from "../ui/Icon";
import { Button, Card, Chip, Empty, Failure, Heading, Notice, Tag, TextField, Fetching } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";
import { asLevel } from "./numbers";
import { CountPlot } from "./Plot";
import { downloadSample, useCatalogue, useView, type Catalogue as Found, type Offer } from "./queries";
import { useDraft } from "./wizard/keeping";
import { chosen, variableOf, without } from "./wizard/draft";

const PAGE = texts.catalogue;
const SAMPLE_ROWS = 1_000;

export function Catalogue(): ReactElement {
  const catalogue = useCatalogue();
  return (
    <>
      <Heading
        title={PAGE.title}
        lead={PAGE.lead}
        aside={
          <Link href="/research/proposal" className="button button-primary">
            {PAGE.propose}
          </Link>
        }
      />
      <Fetching of={catalogue} />
      {catalogue.data !== undefined && <Offers found={catalogue.data} />}
    </>
  );
}

function Offers({ found }: { found: Found }): ReactElement {
  const [search, setSearch] = useState("");
  const [opened, open] = useState<string | null>(null);
  const wanted = useDeferredValue(search).trim().toLowerCase();
  const words = useWords();
  const matching = found.offers.filter((offer) =>
    [offer.name, offer.title, ...words("categories", offer.categories), codeOf(offer)]
      .join(" ")
      .toLowerCase()
      .includes(wanted),
  );
  return (
    <>
      <Standing found={found} />
      {found.consents !== null && (
        <Card title={PAGE.consents}>
          <p className="muted">{PAGE.consentsLead}</p>
          <CountPlot
            caption={PAGE.consents}
            levels={found.consents.levels.map((level) => PAGE.kinds[level] ?? level)}
            values={found.consents.values}
            error={found.consents.error_95}
          />
        </Card>
      )}
      <Sample offers={found.offers} />
      <div className="row search">
        <TextField
          label={PAGE.search}
          type="search"
          placeholder={PAGE.searchHint}
          value={search}
          change={setSearch}
        />
        <p className="muted" role="status">
          {PAGE.matching(matching.length, found.offers.length)}
        </p>
      </div>
      {matching.length === 0 && (
        <section className="card">
          <Empty>{PAGE.none}</Empty>
        </section>
      )}
      <div className="offers">
        {matching.map((offer) => (
          <OfferCard key={offer.name} offer={offer} showView={open} />
        ))}
      </div>
      <div id="views" />
      <Card title={PAGE.views}>
        <p className="muted">{PAGE.viewsLead}</p>
        <div className="row chips">
          {found.views.map((view) => (
            <Chip
              key={view.name}
              label={view.title}
              on={opened === view.name}
              press={() => open(opened === view.name ? null : view.name)}
            />
          ))}
        </div>
        {opened !== null && <View found={found} name={opened} />}
      </Card>
    </>
  );
}

function Standing({ found }: { found: Found }): ReactElement {
  const { standing } = found;
  if (found.drawn_at === null) {
    return (
      <Notice tone={standing.state === "failed" ? "warn" : "plain"} title={PAGE.notDrawn}>
        <p>{standing.state === "drawing" ? PAGE.drawing(standing.percent) : PAGE.notDrawnNext}</p>
        {standing.state === "failed" && (
          <p className="small muted">
            {common.problems.code} <code>{standing.code}</code>
          </p>
        )}
      </Notice>
    );
  }
  return (
    <Notice title={PAGE.protected}>
      <p>{PAGE.protectedLead(asMoment(new Date(found.drawn_at * 1000).toISOString()))}</p>
    </Notice>
  );
}

function codeOf(offer: Offer): string {
  const { code } = offer.variable;
  return typeof code === "string" ? code : "";
}

function OfferCard({ offer, showView }: { offer: Offer; showView: (name: string) => void }): ReactElement {
  const words = useWords();
  const { draft, change } = useDraft();
  const isIn = draft.variables.some(({ body }) => body.name === offer.name);
  const source = offer.variable.source as { view?: string } | undefined;
  const view = source?.view;
  return (
    <section className="card offer" aria-label={offer.title}>
      <div className="row spread">
        <div className="stack offer-head">
          <h2>{offer.title}</h2>
          <p className="muted small">
            <code>{offer.name}</code> · {PAGE.roles[offer.role] ?? offer.role} ·{" "}
            {PAGE.needs(asList(words("categories", offer.categories)))}
          </p>
        </div>
        <Button
          look={isIn ? "quiet" : "plain"}
          aria-pressed={isIn}
          onClick={() =>
            change((before) =>
              isIn
                ? without(before, offer.name)
                : { ...before, variables: [...before.variables, chosen(variableOf(offer), [offer])] },
            )
          }
        >
          {isIn && <Icon name="check" size={18} />}
          {isIn ? PAGE.chosen : PAGE.choose}
        </Button>
      </div>
      {offer.counts == null ? (
        <div>
          <p className="muted">{PAGE.notCounted}</p>
          <p className="small muted">
            {PAGE.levels(offer.levels.length, asList(offer.levels.slice(0, 8).map(asLevel)))}
          </p>
        </div>
      ) : (
        <CountPlot
          caption={PAGE.plotOf(offer.title)}
          levels={offer.counts.levels}
          values={offer.counts.values}
          error={offer.counts.error_95}
        />
      )}
      {view !== undefined && (
        <p className="small">
          {PAGE.madeBy}{" "}
          <a
            href="#views"
            onClick={() => {
              showView(view);
            }}
          >
            {view}
          </a>
        </p>
      )}
    </section>
  );
}

function View({ found, name }: { found: Found; name: string }): ReactElement {
  const summary = found.views.find((view) => view.name === name);
  const definition = useView(name);
  const words = useWords();
  return (
    <div className="stack">
      {summary !== undefined && (
        <>
          <h3>{summary.title}</h3>
          <dl className="facts">
            <dt>{PAGE.view.resource}</dt>
            <dd>{summary.resource}</dd>
            <dt>{PAGE.view.needs}</dt>
            <dd>{asList(words("categories", summary.categories))}</dd>
            {summary.when !== "" && (
              <>
                <dt>{PAGE.view.dated}</dt>
                <dd>
                  <code>{summary.when}</code>
                </dd>
              </>
            )}
            <dt>{PAGE.view.columns}</dt>
            <dd>
              {Object.entries(summary.columns).map(([column, type], place) => (
                <span key={column}>
                  {place > 0 && ", "}
                  <code>{column}</code> <span className="muted">{type}</span>
                </span>
              ))}
            </dd>
            <dt>{PAGE.view.digest}</dt>
            <dd className="digest">
              <code>{summary.digest}</code>
            </dd>
          </dl>
          <p className="muted small">{PAGE.view.explained}</p>
        </>
      )}
      {definition.error !== null && (
        <Failure error={definition.error} retry={() => void definition.refetch()} />
      )}
      {definition.data !== undefined && (
        <details>
          <summary>{PAGE.view.definition}</summary>
          <pre className="json" tabIndex={0}>
            {JSON.stringify(definition.data, null, 2)}
          </pre>
        </details>
      )}
    </div>
  );
}

/** An invented table with the schema of the chosen variables: to write the analysis with, before anything. */
function Sample({ offers }: { offers: readonly Offer[] }): ReactElement {
  const { draft } = useDraft();
  const { busy, error, run } = useAttempt();
  const variables =
    draft.variables.length > 0
      ? draft.variables.map(({ body }) => body)
      : offers.slice(0, 40).map(variableOf);
  const names = draft.variables.map(({ title }) => title);
  return (
    <Card title={PAGE.sample} aside={<Tag>{PAGE.invented}</Tag>}>
      <p className="muted">{PAGE.sampleLead}</p>
      <p>{names.length > 0 ? PAGE.sampleOf(asList(names)) : PAGE.sampleOfAll(variables.length)}</p>
      <div className="row">
        {(["csv", "parquet"] as const).map((format) => (
          <Button
            key={format}
            busy={busy}
            onClick={() => void run(() => downloadSample(variables, SAMPLE_ROWS, format))}
          >
            <Icon name="down" size={18} />
            {PAGE.download(format)}
          </Button>
        ))}
      </div>
      {error !== null && <Failure error={error} />}
    </Card>
  );
}
