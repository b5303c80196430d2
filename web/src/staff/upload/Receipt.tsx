/** What was stored, to keep: it names the file by its hash, and the record, and no patient. */
import type { ReactElement } from "react";
import type { Schemas } from "../../api/client";
import { asMoment } from "../../format/time";
import { texts } from "../../texts";
import { saveJson } from "../../ui/download";
import { Button, Card, Notice } from "../../ui/parts";

const PAGE = texts.upload;

export interface Kept {
  answer: Schemas["StoredView"];
  name: string;
  mediaType: string;
  size: number;
  sha256: string;
  at: string;
}

export function Receipt({ kept, another }: { kept: Kept; another: () => void }): ReactElement {
  const { answer, name, mediaType, size, sha256, at } = kept;
  const download = (): void =>
    saveJson(
      { ...answer, file: name, media_type: mediaType, size_bytes: size, sha256, stored_at: at },
      `stored-${answer.record_id}.json`,
    );
  return (
    <Card>
      <Notice tone="good" title={PAGE.stored}>
        {PAGE.storedNext}
      </Notice>
      <dl className="facts">
        <dt>{PAGE.receipt.file}</dt>
        <dd className="file-name">{name}</dd>
        <dt>{PAGE.receipt.kind}</dt>
        <dd>{PAGE.kinds[mediaType] ?? mediaType}</dd>
        <dt>{PAGE.receipt.parts}</dt>
        <dd>{PAGE.receipt.partsOf(answer.segments)}</dd>
        <dt>{PAGE.receipt.at}</dt>
        <dd>{asMoment(at)}</dd>
        <dt>{PAGE.receipt.record}</dt>
        <dd>
          <code>{answer.record_id}</code>
        </dd>
        <dt>{PAGE.receipt.digest}</dt>
        <dd>
          <code>{sha256}</code>
        </dd>
        <dt>{PAGE.receipt.commitment}</dt>
        <dd>
          <code>{answer.commitment}</code> <span className="muted">{PAGE.receipt.block(answer.block)}</span>
        </dd>
      </dl>
      <div className="row">
        <Button look="primary" onClick={download}>
          {PAGE.receipt.download}
        </Button>
        <Button onClick={another}>{PAGE.another}</Button>
      </div>
    </Card>
  );
}
