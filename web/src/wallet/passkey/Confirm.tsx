/** Says in words what a passkey account is about to sign, and asks. */
import type { ReactElement, ReactNode } from "react";
import { texts } from "../../texts";
import { Button, Sheet } from "../../ui/parts";
import type { TypedData } from "../types";
import type { Question } from "./asking";
import { inWords } from "./words";

const PAGE = texts.passkeys.confirm;

export default function Confirm({ question }: { question: Question }): ReactElement {
  return question.asked.kind === "text" ? (
    <Asking question={question} title={PAGE.signIn}>
      <p>{PAGE.signInLead}</p>
      <details>
        <summary>{PAGE.message}</summary>
        <p className="signed-text">{question.asked.text}</p>
      </details>
    </Asking>
  ) : (
    <Typed question={question} typed={question.asked.typed} />
  );
}

function Typed({ question, typed }: { question: Question; typed: TypedData }): ReactElement {
  const { title, summary, members } = inWords(typed);
  return (
    <Asking question={question} title={title}>
      {summary !== null && <p className="signed-text">{summary}</p>}
      <details open={summary === null}>
        <summary>{PAGE.members}</summary>
        <dl className="facts small">
          {members.map(([path, value]) => (
            <div key={path} className="member">
              <dt>
                <code>{path}</code>
              </dt>
              <dd>
                <code>{value}</code>
              </dd>
            </div>
          ))}
        </dl>
      </details>
    </Asking>
  );
}

interface AskingProps {
  question: Question;
  title: string;
  children: ReactNode;
}

function Asking({ question, title, children }: AskingProps): ReactElement {
  return (
    <Sheet title={title} close={() => question.answer(false)}>
      {children}
      <p className="small muted">{PAGE.next}</p>
      <div className="row within-reach">
        <Button look="primary" onClick={() => question.answer(true)}>
          {PAGE.sign}
        </Button>
        <Button onClick={() => question.answer(false)}>{texts.cancel}</Button>
      </div>
    </Sheet>
  );
}
