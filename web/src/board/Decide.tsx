/** Decide on a study: what would be signed, who signed already, and one's own signature. */
import { useQuery } from "@tanstack/react-query";
import { useState, type ReactElement, type ReactNode } from "react";
import { Problem } from "../api/problem";
import { queries } from "../api/queries";
import { asMoment } from "../format/time";
import { SigningStatus } from "../patient/SigningStatus";
import { texts } from "../texts";
import { board } from "../texts/board";
import { Icon } from "../ui/Icon";
import { Button, Card, Chip, Failure, Loading, Notice, Tag, TextArea } from "../ui/parts";
import { useWallets } from "../wallet/discovery";
import type { TypedData, Wallet } from "../wallet/types";
import { DraftDiffers, requireCommand, type File, type Kind } from "./commands";
import { draftOf, useMe, type Me } from "./queries";
import { hasSigned, isOnItsWay, type Motion } from "./queue";
import { useVote, type Voting } from "./useVote";

const PAGE = board.decide;
const KINDS: Record<string, readonly Kind[]> = {
  proposed: ["permit", "refuse"],
  approved: ["suspend", "revoke"],
  suspended: ["resume", "revoke"],
};
const STOPPED_THERE: readonly Kind[] = ["resume", "suspend", "revoke"]; // by another custodian's board
const AGAIN_MS = 5_000; // until what stands in the way, such as an act under way, has gone
const NEEDS_REASON: ReadonlySet<Kind> = new Set(["refuse", "revoke", "suspend"]);

export function Decide({ file }: { file: File }): ReactElement | null {
  const me = useMe();
  const isStoppedThere = file.study.state === "approved" && file.chain?.suspended === true;
  const open = isStoppedThere ? STOPPED_THERE : (KINDS[file.study.state] ?? []);
  const kinds = me.decides ? open : open.filter((one) => one !== "suspend"); // nothing is gathered for that
  const [picked, pick] = useState<Kind | null>(null);
  const kind = picked !== null && kinds.includes(picked) ? picked : kinds[0];
  if (kind === undefined) {
    return null;
  }
  return (
    <Card title={me.decides ? PAGE.title : PAGE.tally}>
      <div className="row chips" role="group" aria-label={PAGE.how}>
        {kinds.map((one) => (
          <Chip key={one} label={PAGE.kinds[one] ?? one} on={one === kind} press={() => pick(one)} />
        ))}
      </div>
      <p>{PAGE.means[kind]}</p>
      <Ballot key={kind} file={file} kind={kind} me={me} />
    </Card>
  );
}

interface BallotProps {
  file: File;
  kind: Kind;
  me: Me;
}

function Ballot({ file, kind, me }: BallotProps): ReactElement {
  const motion = file.motions.find((one) => one.kind === kind) ?? null;
  const isRecused = file.recusals.some((one) => one.member_id === me.seat?.member_id);
  return (
    <>
      {kind === "suspend" ? (
        <p className="muted">{PAGE.alone}</p>
      ) : (
        <Signatures motion={motion} threshold={file.threshold} me={me} />
      )}
      {motion !== null && isOnItsWay(motion, file) ? (
        <Notice>{PAGE.onItsWay}</Notice>
      ) : isRecused ? (
        <Notice>{PAGE.recused}</Notice>
      ) : motion !== null && me.seat !== null && hasSigned(motion, me.seat.member_id) ? (
        <Notice tone="good">{PAGE.signedAlready}</Notice>
      ) : (
        <Ready file={file} kind={kind} me={me} motion={motion} />
      )}
    </>
  );
}

function Signatures({
  motion,
  threshold,
  me,
}: {
  motion: Motion | null;
  threshold: number;
  me: Me;
}): ReactElement {
  const signed = motion?.signed_by ?? [];
  return (
    <div className="stack" aria-live="polite">
      <div className="board-tally">
        <progress max={threshold} value={signed.length} aria-label={PAGE.seats(signed.length, threshold)} />
        <strong className="numbers">{PAGE.seats(signed.length, threshold)}</strong>
      </div>
      {signed.length === 0 ? (
        <p className="muted">{PAGE.nobody}</p>
      ) : (
        <ul className="row" aria-label={PAGE.signedBy}>
          {signed.map((seat) => (
            <li key={seat.member_id}>
              <Tag tone="good">
                <Icon name="check" size={16} />
                {seat.member_id === me.seat?.member_id ? PAGE.you : seat.name}
              </Tag>
            </li>
          ))}
        </ul>
      )}
      {motion !== null && motion.reason !== "" && <p className="muted">{PAGE.reasonGiven(motion.reason)}</p>}
    </div>
  );
}

function Ready({ file, kind, me, motion }: BallotProps & { motion: Motion | null }): ReactElement | null {
  const blocked = kind === "permit" ? blockedBy(file) : [];
  if (me.seat === null || me.account === null) {
    return null; // whoever has no seat is told at the head of the page
  }
  if (blocked.length > 0) {
    return (
      <Notice tone="warn" title={PAGE.waits}>
        <ul>
          {blocked.map((why) => (
            <li key={why}>{PAGE.blocked[why]}</li>
          ))}
        </ul>
      </Notice>
    );
  }
  return <Sign file={file} kind={kind} account={me.account} motion={motion} />;
}

function blockedBy({
  complete,
  preparation,
  questions,
  study,
  threshold,
}: File): (keyof typeof PAGE.blocked)[] {
  const [, end = 0] = study.proposal.period as number[];
  return [
    ...(complete ? [] : (["papers"] as const)),
    ...(preparation !== null || threshold === 1 ? [] : (["preparation"] as const)),
    ...(questions.every((one) => one.answered_at !== null) ? [] : (["questions"] as const)),
    ...(end * 1000 > Date.now() ? [] : (["over"] as const)),
  ];
}

interface SignProps {
  file: File;
  kind: Kind;
  account: string;
  /** What was signed before, if anything was. */
  motion: Motion | null;
}

function Sign({ file, kind, account, motion }: SignProps): ReactElement {
  const study = file.study.study_id;
  const given = motion?.reason ?? "";
  const first = motion?.signed_by[0]?.member_id ?? null;
  const [reason, setReason] = useState("");
  const voting = useVote();
  const draft = useQuery({
    // What changes what is signed makes another draft; so does who signs first, who fixes its date.
    queryKey: ["board", "draft", study, kind, file.rules, file.study.state, file.chain?.round ?? null, first],
    queryFn: async () => {
      const made = await draftOf(study, kind);
      // What is on the page must not be older than the draft that it is held against.
      await queries.refetchQueries({ queryKey: ["board", "file", study] });
      return made;
    },
    staleTime: 60_000,
    gcTime: 0,
    refetchInterval: ({ state }) => (state.error === null ? false : AGAIN_MS),
    refetchOnWindowFocus: false,
  });
  if (draft.data === undefined) {
    if (draft.error === null) {
      return <Loading what={texts.wallet.stages.drafting} />;
    }
    return kind === "resume" &&
      draft.error instanceof Problem &&
      draft.error.code === "board_motion_unfit" ? (
      <Notice>{PAGE.stopComing}</Notice>
    ) : (
      <Failure error={draft.error} retry={() => void draft.refetch()} />
    );
  }
  const typed = draft.data.typed_data as unknown as TypedData;
  const digest = digestOf(typed, file, kind);
  if (digest === null) {
    return (
      <Notice tone="bad" title={PAGE.differs.what}>
        {PAGE.differs.next}
      </Notice>
    );
  }
  const asksReason = NEEDS_REASON.has(kind) && given === "";
  const isMissing = asksReason && reason.trim() === "";
  return (
    <>
      <Terms typed={typed} file={file} account={account} digest={digest} />
      {asksReason && (
        <TextArea label={PAGE.reason} hint={PAGE.reasonHint} value={reason} change={setReason} />
      )}
      <SigningStatus of={voting} />
      {voting.held !== null && voting.stage === "idle" ? (
        <SendAgain voting={voting} />
      ) : (
        <SignButton
          kind={kind}
          busy={voting.stage !== "idle"}
          disabled={isMissing}
          sign={(wallet) => voting.sign({ study, kind, typed, reason: reason.trim() }, wallet, account)}
        />
      )}
    </>
  );
}

/** Null where the draft is not what the page shows. */
function digestOf(typed: TypedData, file: File, kind: Kind): string | null {
  try {
    return requireCommand(typed, file, kind);
  } catch (failure) {
    if (failure instanceof DraftDiffers) {
      return null;
    }
    throw failure;
  }
}

interface TermsProps {
  typed: TypedData;
  file: File;
  account: string;
  digest: string;
}

/** Every member of what is signed, as the wallet shows it too. */
function Terms({ typed, file, account, digest }: TermsProps): ReactElement {
  const { study, rules, notBefore, notAfter, submitBy, round } = typed.message as Record<
    string,
    string | number
  >;
  const conditions = file.conditions.length;
  const facts: [string, ReactNode][] = [
    [PAGE.fields.study, <code key="study">{study}</code>],
    ...(rules === undefined
      ? []
      : ([
          [
            PAGE.fields.rules,
            <>
              {conditions === 0 ? PAGE.rulesAlone : PAGE.rulesWith(conditions)}
              <br />
              <code>{rules}</code>
            </>,
          ],
          [PAGE.fields.from, momentOf(notBefore)],
          [PAGE.fields.to, momentOf(notAfter)],
          [PAGE.fields.submitBy, momentOf(submitBy)],
        ] as [string, ReactNode][])),
    ...(round === undefined
      ? []
      : ([[PAGE.fields.round, PAGE.round(Number(round))]] as [string, ReactNode][])),
    [PAGE.fields.account, <code key="account">{account}</code>],
    [PAGE.fields.digest, <code key="digest">{digest}</code>],
  ];
  return (
    <section className="board-terms stack" aria-label={PAGE.what}>
      <h3>{PAGE.what}</h3>
      <dl className="facts">
        {facts.map(([name, value]) => (
          <div key={name} className="fact">
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p className="row board-checked">
        <Icon name="shield" size={18} />
        <span>{PAGE.same}</span>
      </p>
    </section>
  );
}

function momentOf(seconds: string | number | undefined): string {
  return asMoment(new Date(Number(seconds) * 1000).toISOString());
}

interface SignButtonProps {
  kind: Kind;
  busy: boolean;
  disabled: boolean;
  sign: (wallet: Wallet) => Promise<void>;
}

function SignButton({ kind, busy, disabled, sign }: SignButtonProps): ReactElement {
  const wallets = useWallets();
  const [chosen, choose] = useState("");
  const wallet = wallets.find(({ info }) => info.uuid === chosen) ?? wallets[0];
  if (wallet === undefined) {
    return (
      <Notice tone="warn" title={texts.wallet.none}>
        {texts.wallet.noneNext}
      </Notice>
    );
  }
  return (
    <div className="row">
      {wallets.length > 1 && (
        <label className="row small">
          {PAGE.wallet}
          <select className="input" value={wallet.info.uuid} onChange={(event) => choose(event.target.value)}>
            {wallets.map(({ info }) => (
              <option key={info.uuid} value={info.uuid}>
                {info.name}
              </option>
            ))}
          </select>
        </label>
      )}
      <Button
        look={kind === "permit" || kind === "resume" ? "primary" : "danger"}
        busy={busy}
        disabled={disabled}
        onClick={() => void sign(wallet)}
      >
        <Icon name="wallet" size={18} />
        {`${PAGE.sign}: ${PAGE.kinds[kind] ?? kind}`}
      </Button>
    </div>
  );
}

function SendAgain({ voting }: { voting: Voting }): ReactElement {
  return (
    <Notice tone="warn" title={PAGE.againNext}>
      <Button look="primary" onClick={() => void voting.sendAgain()}>
        {PAGE.again}
      </Button>
    </Notice>
  );
}
