/** One entry of the access list as a sentence. */
import type { ReactElement } from "react";
import { useNames, useWords, type Access } from "../api/queries";
import { asMoment, shortId } from "../format/time";
import { currentAccount } from "../session/tokens";
import { texts } from "../texts";
import { Tag } from "../ui/parts";
import { isSame } from "../wallet/accounts";

export function AccessLine({ entry }: { entry: Access }): ReactElement {
  const words = useWords();
  const who = useActor();
  if (entry.type === null) {
    return (
      <div className="access">
        <span>{texts.accesses.damaged}</span>
      </div>
    );
  }
  const did = texts.accesses.types[entry.type] ?? entry.type;
  const purpose =
    entry.purpose === null ? "" : ` ${texts.accesses.for(words("purposes", [entry.purpose])[0] ?? "")}`;
  const denied = entry.outcome === "denied";
  return (
    <div className="access">
      <span>
        <strong>{who(entry)}</strong> {did}
        {purpose}
        {entry.records.length > 0 && (
          <span className="muted"> · {texts.accesses.records(entry.records.length)}</span>
        )}
      </span>
      <span className="row access-end">
        {entry.outcome !== null && entry.outcome !== "changed" && (
          <Tag tone={denied ? "bad" : entry.outcome === "permitted" ? "good" : "warn"}>
            {texts.accesses.outcomes[entry.outcome] ?? entry.outcome}
          </Tag>
        )}
        <time className="muted small numbers" dateTime={entry.recorded_at}>
          {asMoment(entry.recorded_at)}
        </time>
      </span>
    </div>
  );
}

/** Who did it, as far as the patient needs to know: the organisation, not its employee's number. */
export function useActor(): (entry: Access) => string {
  const names = useNames();
  return (entry) => {
    if (entry.organisation !== null) {
      return names(entry.organisation);
    }
    const [, kind, id] = /^(?:(\w+):)?(.*)$/.exec(entry.actor ?? "") ?? [];
    if (id?.startsWith("0x") === true && id.length === 42) {
      const own = currentAccount();
      return own !== null && isSame(id, own) ? texts.accesses.you : texts.accesses.delegate(shortId(id));
    }
    return kind === "service" || entry.actor === null ? texts.accesses.service : texts.accesses.someone;
  };
}
