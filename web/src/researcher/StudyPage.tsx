/** One study: how it stands and what it says, what the board wants to know, its runs, and what they cost. */
import type { ReactElement } from "react";
import { Link } from "wouter";
import { texts as common } from "../texts";
import { researcher as texts } from "../texts/researcher";
import { Failure, Heading, Loading } from "../ui/parts";
import { Board } from "./study/Board";
import { Overview } from "./study/Overview";
import { Receipts } from "./study/Receipts";
import { Runs } from "./study/Runs";
import { useQuestions, useStudy, type Study } from "./queries";
import { proposalFrom } from "./stored";
import { StudyTag } from "./Studies";
import type { Proposal } from "./wizard/draft";

const PAGE = texts.study;

export interface PartProps {
  study: Study;
  proposal: Proposal;
}

const PARTS = { overview: Overview, board: Board, results: Runs, receipts: Receipts } as const;
type Part = keyof typeof PARTS;

export function StudyPage({ study: id, part }: { study: string; part: string }): ReactElement {
  const found = useStudy(id);
  const questions = useQuestions(id);
  const here: Part = part in PARTS ? (part as Part) : "overview";
  if (found.data === undefined) {
    return (
      <>
        <Heading title={PAGE.title} />
        {found.error === null ? (
          <Loading what={common.loading} />
        ) : (
          <Failure error={found.error} retry={() => void found.refetch()} />
        )}
        <p>
          <Link href="/research/studies">{PAGE.all}</Link>
        </p>
      </>
    );
  }
  const proposal = proposalFrom(found.data.proposal);
  const waiting = questions.data?.filter(({ answered_at }) => answered_at === null).length ?? 0;
  const Shown = PARTS[here];
  return (
    <>
      <Heading title={proposal.title} aside={<StudyTag study={found.data} />} />
      <nav className="row chips" aria-label={PAGE.parts}>
        {(Object.keys(PARTS) as Part[]).map((one) => (
          <Link
            key={one}
            href={`/research/studies/${id}/${one}`}
            className="chip chip-link"
            aria-current={one === here ? "page" : undefined}
          >
            {PAGE.partNames[one]}
            {one === "board" && waiting > 0 && <span className="count">{waiting}</span>}
          </Link>
        ))}
      </nav>
      {found.error !== null && <Failure error={found.error} retry={() => void found.refetch()} />}
      <Shown study={found.data} proposal={proposal} />
    </>
  );
}
