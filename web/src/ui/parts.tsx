/** The parts that every page is made of. */
import { useEffect, useId, useRef, type ComponentProps, type ReactElement, type ReactNode } from "react";
import { explain } from "../api/problem";
import { texts } from "../texts";
import { Icon } from "./Icon";

type Tone = "plain" | "good" | "warn" | "bad";

interface ButtonProps extends Omit<ComponentProps<"button">, "type"> {
  look?: "primary" | "danger" | "quiet" | "plain";
  /** Something is under way: shown, announced, and a second click does nothing. */
  busy?: boolean;
  /** Sends its form, also on Enter in a field. */
  submits?: boolean;
}

export function Button({
  look = "plain",
  busy = false,
  submits = false,
  onClick,
  children,
  ...rest
}: ButtonProps): ReactElement {
  return (
    <button
      type={submits && !busy ? "submit" : "button"}
      className={`button button-${look}`}
      aria-disabled={busy || rest.disabled === true}
      aria-busy={busy}
      onClick={busy ? undefined : onClick}
      {...rest}
    >
      {busy && <span className="spinner" />}
      {children}
    </button>
  );
}

export function Card({
  title,
  aside,
  children,
}: {
  title?: string;
  aside?: ReactNode;
  children: ReactNode;
}): ReactElement {
  const id = useId();
  return (
    <section className="card stack" aria-labelledby={title === undefined ? undefined : id}>
      {title !== undefined && (
        <div className="row spread">
          <h2 id={id}>{title}</h2>
          {aside}
        </div>
      )}
      {children}
    </section>
  );
}

export function Notice({
  tone = "plain",
  title,
  children,
}: {
  tone?: Tone;
  title?: string;
  children?: ReactNode;
}): ReactElement {
  return (
    <div className={`notice notice-${tone}`} role={tone === "bad" || tone === "warn" ? "alert" : "status"}>
      {title !== undefined && <strong>{title}</strong>}
      {children !== undefined && <div>{children}</div>}
    </div>
  );
}

/** An error in words: what happened and what to do. An outage looks different from a refusal. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }): ReactElement {
  const { what, next, code } = explain(error);
  return (
    <Notice tone={code === null ? "warn" : "bad"} title={what}>
      <p>{next}</p>
      {code !== null && (
        <p className="small muted">
          {texts.problems.code} <code>{code}</code>
        </p>
      )}
      {retry !== undefined && (
        <p>
          <Button look="quiet" onClick={retry}>
            {texts.problems.again}
          </Button>
        </p>
      )}
    </Notice>
  );
}

export function Tag({ tone = "plain", children }: { tone?: Tone; children: ReactNode }): ReactElement {
  return <span className={`tag tag-${tone}`}>{children}</span>;
}

export function Loading({ what }: { what: string }): ReactElement {
  return (
    <p className="row muted" role="status">
      <span className="spinner" /> {what}
    </p>
  );
}

export function Empty({ children }: { children: ReactNode }): ReactElement {
  return <div className="empty">{children}</div>;
}

interface SwitchProps {
  label: ReactNode;
  on: boolean;
  change: (on: boolean) => void;
}

export function Switch({ label, on, change }: SwitchProps): ReactElement {
  return (
    <label className="switch">
      <span>{label}</span>
      <input type="checkbox" role="switch" checked={on} onChange={(event) => change(event.target.checked)} />
      <span className="switch-track" />
    </label>
  );
}

/** A page's heading; it takes the focus when the page opens, so that a screen reader says where one is. */
export function Heading({
  title,
  lead,
  aside,
}: {
  title: string;
  lead?: ReactNode;
  aside?: ReactNode;
}): ReactElement {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Assent`;
    heading.current?.focus({ preventScroll: true });
  }, [title]);
  return (
    <header className="stack heading">
      <div className="row spread">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {aside}
      </div>
      {lead !== undefined && <p className="muted lead">{lead}</p>}
    </header>
  );
}

export type StepState = "done" | "now" | "waiting" | "failed";

export function Steps({ steps }: { steps: readonly { text: ReactNode; state: StepState }[] }): ReactElement {
  const icon = { done: "check", now: "wait", waiting: "clock", failed: "cross" } as const;
  return (
    <ol className="steps">
      {steps.map((step, number) => (
        <li key={number} data-state={step.state} aria-current={step.state === "now" ? "step" : undefined}>
          <Icon name={icon[step.state]} />
          <span>{step.text}</span>
        </li>
      ))}
    </ol>
  );
}

/** A modal question. Escape and the backdrop close it, and nothing happens. */
export function Sheet({
  title,
  close,
  children,
}: {
  title: string;
  close: () => void;
  children: ReactNode;
}): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      className="sheet"
      aria-labelledby={id}
      onClose={close}
      onClick={(event) => {
        if (event.target === dialog.current) {
          dialog.current.close();
        }
      }}
    >
      <div className="stack">
        <h2 id={id}>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}
