/** The file of a study: what is asked, what the board did about it, and what it may do now. */
import type { ReactElement } from "react";
import { Link } from "wouter";
import { useNames } from "../api/queries";
import { texts } from "../texts";
import { board } from "../texts/board";
import { Failure, Heading, Loading, Tag } from "../ui/parts";
import { Closing } from "./Closing";
import type { File } from "./commands";
import { Conditions } from "./Conditions";
import { Decide } from "./Decide";
import { Difference } from "./Difference";
import { History } from "./History";
import { Papers } from "./Papers";
import { Preparation } from "./Preparation";
import { ProposalCard } from "./ProposalCard";
import { Questions } from "./Questions";
import { toneOf } from "./Queue";
import { useFile } from "./queries";
import { readProposal } from "./proposal";
import { Recusal } from "./Recusal";
import { SeatNotice } from "./SeatNotice";
import { Usage } from "./Usage";

export default function StudyFile({ study }: { study: string }): ReactElement {
  const file = useFile(study);
  if (file.data === undefined) {
    return file.error === null ? (
      <Loading what={texts.loading} />
    ) : (
      <Failure error={file.error} retry={() => void file.refetch()} />
    );
  }
  return (
    <>
      <Shown file={file.data} />
      {file.error !== null && <Failure error={file.error} retry={() => void file.refetch()} />}
    </>
  );
}

function Shown({ file }: { file: File }): ReactElement {
  const names = useNames();
  const proposal = readProposal(file.study.proposal);
  return (
    <>
      <p>
        <Link href="/board/studies">{texts.back}</Link>
      </p>
      <Heading
        title={proposal.title}
        lead={`${names(proposal.researcher)} · ${board.versions[file.difference.version] ?? file.difference.version}`}
        aside={
          <Tag tone={toneOf(file.study.state)}>{board.states[file.study.state] ?? file.study.state}</Tag>
        }
      />
      <SeatNotice />
      <div className="board-columns">
        <div className="stack">
          <ProposalCard file={file} proposal={proposal} />
          <Difference file={file} />
          <Papers file={file} />
          <Questions file={file} />
        </div>
        <div className="stack">
          <Decide file={file} />
          <Preparation file={file} />
          <Conditions file={file} />
          <Usage file={file} />
          <History file={file} />
          <Recusal file={file} />
          <Closing file={file} />
        </div>
      </div>
    </>
  );
}
