import { useId, useState, type ReactElement } from "react";
import { researcher as texts } from "../../texts/researcher";
import { Button, Notice, TextField } from "../../ui/parts";
import { digestOf } from "../digest";
import type { Paper } from "./draft";
import { files } from "./keeping";
import type { StepProps } from "./Wizard";

const STEP = texts.wizard.papers;
const MOST_BYTES = 8 * 1024 * 1024;
const MOST_PAPERS = 20;

/** Papers that the board reads. The proposal names each by its SHA-256, which is computed here. */
export function PapersStep({ draft, change }: StepProps): ReactElement {
  const id = useId();
  const [refused, setRefused] = useState<string[]>([]);
  const take = async (found: readonly File[]): Promise<void> => {
    const wrong: string[] = [];
    for (const file of found) {
      const media = file.type === "text/plain" ? "text/plain" : "application/pdf";
      if (
        file.size > MOST_BYTES ||
        file.size === 0 ||
        !["application/pdf", "text/plain"].includes(file.type)
      ) {
        wrong.push(file.name);
        continue;
      }
      const sha256 = await digestOf(file);
      files.set(sha256, file);
      change((before) => {
        const known = before.papers.some((paper) => paper.sha256 === sha256);
        const taken = new Set(before.papers.map(({ name }) => name));
        const paper: Paper = { name: freeName(file.name, taken), media_type: media, sha256 };
        return known || before.papers.length >= MOST_PAPERS
          ? before
          : { ...before, papers: [...before.papers, paper] };
      });
    }
    setRefused(wrong);
  };
  return (
    <>
      <div className="field">
        <label htmlFor={id}>{STEP.choose}</label>
        <input
          id={id}
          className="input"
          type="file"
          multiple
          accept="application/pdf,text/plain"
          onChange={({ target }) => {
            void take([...(target.files ?? [])]);
            target.value = "";
          }}
        />
        <p className="small muted">{STEP.hint}</p>
      </div>
      {refused.length > 0 && <Notice tone="warn">{STEP.refused(refused.join(", "))}</Notice>}
      {draft.papers.map((paper) => (
        <div key={paper.sha256} className="part">
          <TextField
            label={STEP.name}
            maxLength={100}
            value={paper.name}
            change={(name) =>
              change((before) => ({
                ...before,
                papers: before.papers.map((one) => (one.sha256 === paper.sha256 ? { ...one, name } : one)),
              }))
            }
          />
          <p className="small muted digest">
            SHA-256 <code>{paper.sha256}</code>
          </p>
          {!files.has(paper.sha256) && (
            <p className="small muted">{draft.carried.includes(paper.sha256) ? STEP.carried : STEP.later}</p>
          )}
          <div className="row">
            <Button
              look="quiet"
              onClick={() => {
                files.delete(paper.sha256);
                change((before) => ({
                  ...before,
                  papers: before.papers.filter(({ sha256 }) => sha256 !== paper.sha256),
                }));
              }}
            >
              {STEP.remove}
              <span className="visually-hidden"> {paper.name}</span>
            </Button>
          </div>
        </div>
      ))}
    </>
  );
}

/** Names of papers are distinct. */
function freeName(name: string, taken: ReadonlySet<string>): string {
  const stem = name.slice(0, 90);
  let found = stem;
  for (let number = 2; taken.has(found); number += 1) {
    found = `${stem} (${number})`;
  }
  return found;
}
