/** What is asked, in plain words, with the terms of the Data Use Ontology and the text itself. */
import type { ReactElement } from "react";
import { useWords } from "../api/queries";
import { asDay, asList } from "../format/time";
import { texts } from "../texts";
import { board } from "../texts/board";
import { Icon } from "../ui/Icon";
import { Card, Notice, Tag } from "../ui/parts";
import { isWholeText, type File } from "./commands";
import type { Proposal, Variable } from "./proposal";

const PAGE = board.proposal;

export function ProposalCard({ file, proposal }: { file: File; proposal: Proposal }): ReactElement {
  const words = useWords();
  const labels = new Map(file.consents.map(({ term, label }) => [term, label]));
  return (
    <Card title={PAGE.title}>
      <dl className="facts">
        <dt>{PAGE.purpose}</dt>
        <dd>{words("purposes", [proposal.purpose])[0]}</dd>
        <dt>{PAGE.period}</dt>
        <dd>{PAGE.from(asDay(proposal.from), asDay(proposal.to))}</dd>
        <dt>{PAGE.size}</dt>
        <dd>{PAGE.sizeText(proposal.minimumCohort)}</dd>
        <dt>{PAGE.runs}</dt>
        <dd>{PAGE.runsText(proposal.runs)}</dd>
        <dt>{PAGE.budget}</dt>
        <dd>{PAGE.budgetText(proposal.epsilon)}</dd>
        {proposal.price !== null && (
          <>
            <dt>{PAGE.price}</dt>
            <dd>
              {PAGE.priceText(proposal.price.amount, proposal.price.basis)}
              <br />
              <code>{proposal.price.token}</code>
            </dd>
          </>
        )}
        {proposal.dataset !== null && (
          <>
            <dt>{PAGE.dataset}</dt>
            <dd>{proposal.dataset}</dd>
          </>
        )}
        <dt>{PAGE.duo}</dt>
        <dd>
          {proposal.duo.length === 0 ? (
            PAGE.noDuo
          ) : (
            <ul>
              {proposal.duo.map((term) => (
                <li key={term}>
                  {labels.get(term) ?? term} <code className="muted">{term}</code>
                </li>
              ))}
            </ul>
          )}
        </dd>
      </dl>
      <h3>{PAGE.outputs}</h3>
      <ul className="lines board-items">
        {proposal.outputs.map((output) => (
          <li key={output.name}>
            <strong>{output.name}</strong>
            <span>{output.what}</span>
          </li>
        ))}
      </ul>
      {proposal.outputs.some((output) => output.leavesRecords) && <Notice tone="warn">{PAGE.records}</Notice>}
      <h3>{PAGE.variables}</h3>
      <ul className="lines board-items">
        {proposal.variables.map((variable) => (
          <li key={variable.name}>
            <VariableLine variable={variable} />
          </li>
        ))}
      </ul>
      <details>
        <summary>{PAGE.consents}</summary>
        <Fits file={file} />
      </details>
      <details>
        <summary>{PAGE.whole}</summary>
        <WholeText file={file} />
      </details>
    </Card>
  );
}

function VariableLine({ variable }: { variable: Variable }): ReactElement {
  return (
    <>
      <span>
        <strong>{variable.name}</strong> {variable.what !== variable.name && variable.what}
      </span>
      <span className="muted small">
        {variable.role}
        {variable.groups.length > 0 && ` · ${asList(variable.groups)}`}
      </span>
    </>
  );
}

function Fits({ file }: { file: File }): ReactElement {
  return (
    <div className="stack board-opened">
      <p className="muted">{PAGE.consentsLead}</p>
      <ul className="lines board-items">
        {file.consents.map((fit) => (
          <li key={fit.term}>
            <span className="row spread">
              <span>
                {fit.label} <code className="muted">{fit.term}</code>
              </span>
              <Tag tone={fit.fits ? "good" : "bad"}>{fit.fits ? PAGE.fits : PAGE.fitsNot}</Tag>
            </span>
            <span className="muted small">
              {fit.kind === "permission" ? PAGE.permission : PAGE.modifier} · {fit.reason}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function WholeText({ file }: { file: File }): ReactElement {
  return (
    <div className="stack board-opened">
      <p className="muted">{PAGE.wholeLead}</p>
      {isWholeText(file) ? (
        <p className="row board-checked">
          <Icon name="shield" size={18} />
          <span>
            {PAGE.same} <code>{file.study.study_id}</code>
          </span>
        </p>
      ) : (
        <Notice tone="bad">{PAGE.differs}</Notice>
      )}
      <pre className="json" tabIndex={0} aria-label={texts.records.raw}>
        {JSON.stringify(file.study.proposal, null, 2)}
      </pre>
    </div>
  );
}
