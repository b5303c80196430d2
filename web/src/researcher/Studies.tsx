/** The organisation's studies, by what they wait for. */
import type { ReactElement } from "react";
import { Link } from "wouter";
import { asDay } from "../format/time";
import { researcher as texts } from "../texts/researcher";
import { Icon } from "../ui/Icon";
import { Empty, Heading, Tag, Fetching } from "../ui/parts";
import { useStudies, type Study } from "./queries";
import { proposalFrom } from "./stored";

const PAGE = texts.studies;
const ORDER = ["approved", "proposed", "suspended", "refused", "closed"];
const TONES = { approved: "good", proposed: "warn", suspended: "bad", refused: "bad" } as const;

export function Studies(): ReactElement {
  const studies = useStudies();
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
      <Fetching of={studies} />
      {studies.data?.length === 0 && (
        <section className="card">
          <Empty>
            <p>{PAGE.none}</p>
            <p>
              <Link href="/research/catalogue">{PAGE.noneNext}</Link>
            </p>
          </Empty>
        </section>
      )}
      {studies.data !== undefined && studies.data.length > 0 && (
        <ul className="card card-list">
          {inOrder(studies.data).map((study) => {
            const proposal = proposalFrom(study.proposal);
            return (
              <li key={study.study_id}>
                <Link href={`/research/studies/${study.study_id}`} className="line">
                  <span className="stack">
                    <strong>{proposal.title}</strong>
                    <span className="muted">
                      {texts.facts.fromTo(asDay(proposal.not_before), asDay(proposal.not_after))}
                      {proposal.amends !== null && ` · ${PAGE.version}`}
                    </span>
                  </span>
                  <span className="row">
                    <StudyTag study={study} />
                    <Icon name="chevron" size={18} />
                  </span>
                </Link>
              </li>
            );
          })}
        </ul>
      )}
    </>
  );
}

export function StudyTag({ study }: { study: Study }): ReactElement {
  const tone = study.state in TONES ? TONES[study.state as keyof typeof TONES] : "plain";
  return <Tag tone={tone}>{PAGE.states[study.state] ?? study.state}</Tag>;
}

/** What runs first; then by the end of the period, the latest first. */
function inOrder(studies: readonly Study[]): Study[] {
  const end = ({ proposal }: Study): number => (proposal.period as [number, number])[1];
  return [...studies].sort(
    (one, other) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state) || end(other) - end(one),
  );
}
