/** What the board has and wants to know: papers, and questions with their answers. */
import { useId, useState, type ReactElement } from "react";
import { api, body, type Schemas } from "../../api/client";
import { asMoment } from "../../format/time";
import { researcher as texts } from "../../texts/researcher";
import { save } from "../../ui/download";
import { Icon } from "../../ui/Icon";
import { Button, Card, Empty, Failure, Notice, Tag, TextArea, Fetching } from "../../ui/parts";
import { useAttempt } from "../../ui/useAttempt";
import { digestOf } from "../digest";
import { fetchPaper, renewed, upload, usePapers, useQuestions } from "../queries";
import type { PartProps } from "../StudyPage";

const PAGE = texts.board;

export function Board({ study }: PartProps): ReactElement {
  const papers = usePapers(study.study_id);
  const questions = useQuestions(study.study_id);
  return (
    <>
      <Card title={PAGE.questions}>
        <p className="muted">{PAGE.questionsLead}</p>
        <Fetching of={questions} />
        {questions.data?.length === 0 && <Empty>{PAGE.noQuestions}</Empty>}
        {questions.data?.map((question) => (
          <Question key={question.number} study={study.study_id} question={question} />
        ))}
      </Card>
      <Card title={PAGE.papers}>
        <p className="muted">{PAGE.papersLead}</p>
        <Fetching of={papers} />
        {papers.data?.length === 0 && <Empty>{PAGE.noPapers}</Empty>}
        {papers.data?.map((paper) => (
          <Paper key={paper.sha256} study={study.study_id} paper={paper} />
        ))}
      </Card>
    </>
  );
}

function Question({
  study,
  question,
}: {
  study: string;
  question: Schemas["StudyQuestionView"];
}): ReactElement {
  const [text, setText] = useState("");
  const { busy, error, run } = useAttempt();
  const answer = (): Promise<void> =>
    run(async () => {
      await body(
        api.POST("/v1/studies/{study}/questions/{number}/answer", {
          params: { path: { study, number: question.number } },
          body: { text: text.trim() },
        }),
      );
      await renewed(study);
    });
  return (
    <div className="part">
      <div className="quote">
        <p className="row spread">
          <strong>{PAGE.question(question.number + 1)}</strong>
          <span className="muted small">{question.asked_at !== null && asMoment(question.asked_at)}</span>
        </p>
        <blockquote>{question.text}</blockquote>
      </div>
      {question.answered_at === null ? (
        <>
          <TextArea label={PAGE.answer} hint={PAGE.answerHint} rows={4} value={text} change={setText} />
          {error !== null && <Failure error={error} />}
          <div className="row">
            <Button
              look="primary"
              busy={busy}
              disabled={text.trim() === ""}
              onClick={text.trim() === "" ? undefined : () => void answer()}
            >
              {PAGE.send}
            </Button>
          </div>
        </>
      ) : (
        <div className="quote">
          <p className="row spread">
            <strong>{PAGE.answered}</strong>
            <span className="muted small">{asMoment(question.answered_at)}</span>
          </p>
          <blockquote>{question.answer}</blockquote>
        </div>
      )}
    </div>
  );
}

function Paper({ study, paper }: { study: string; paper: Schemas["DocumentView"] }): ReactElement {
  const id = useId();
  const [other, setOther] = useState(false);
  const { busy, error, run } = useAttempt();
  const bring = (file: File): Promise<void> =>
    run(async () => {
      const fits = (await digestOf(file)) === paper.sha256;
      setOther(!fits);
      if (fits) {
        await upload(study, file, paper.media_type);
        await renewed(study);
      }
    });
  const download = async (): Promise<void> => save(await fetchPaper(study, paper.sha256), paper.name);
  return (
    <div className="part">
      <div className="row spread">
        <strong>{paper.name}</strong>
        {paper.stored_at === null ? (
          <Tag tone="warn">{PAGE.missing}</Tag>
        ) : (
          <Tag tone="good">{PAGE.there}</Tag>
        )}
      </div>
      <p className="small muted digest">
        SHA-256 <code>{paper.sha256}</code>
      </p>
      {paper.stored_at === null ? (
        <div className="field">
          <label htmlFor={id}>{PAGE.bring(paper.name)}</label>
          <input
            id={id}
            className="input"
            type="file"
            accept={paper.media_type}
            disabled={busy}
            onChange={({ target }) => {
              const [file] = target.files ?? [];
              if (file !== undefined) {
                void bring(file);
              }
              target.value = "";
            }}
          />
        </div>
      ) : (
        <div className="row">
          <Button look="quiet" busy={busy} onClick={() => void run(download)}>
            <Icon name="down" size={18} />
            {PAGE.download}
            <span className="visually-hidden"> {paper.name}</span>
          </Button>
          <span className="muted small">{PAGE.since(asMoment(paper.stored_at))}</span>
        </div>
      )}
      {other && <Notice tone="warn">{PAGE.otherFile}</Notice>}
      {error !== null && <Failure error={error} />}
    </div>
  );
}
