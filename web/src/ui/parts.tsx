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

interface Query {
  isPending: boolean;
  error: unknown;
  refetch: () => unknown;
}

/** Before what is fetched: that it is on its way, or why it did not come. Beside what came earlier, too. */
export function Fetching({ of }: { of: Query }): ReactElement {
  return (
    <>
      {of.error !== null && <Failure error={of.error} retry={() => void of.refetch()} />}
      {of.isPending && <Loading what={texts.loading} />}
    </>
  );
}

export function Empty({ children }: { children: ReactNode }): ReactElement {
  return <div className="empty">{children}</div>;
}

/** Sends by Enter, too, and never leaves the page. */
export function Form({
  send,
  className = "stack",
  children,
}: {
  send: () => void;
  className?: string;
  children: ReactNode;
}): ReactElement {
  return (
    <form
      className={className}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {children}
    </form>
  );
}

interface FieldProps {
  label: string;
  value: string;
  change: (value: string) => void;
  hint?: string;
}

type TextFieldProps = FieldProps & Omit<ComponentProps<"input">, "onChange" | "value">;

/** One line to fill in, with its label; a date, a password too. */
export function TextField({ label, change, hint, ...rest }: TextFieldProps): ReactElement {
  const id = useId();
  return (
    <Labelled id={id} label={label} hint={hint}>
      <input
        id={id}
        className="input"
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        onChange={(event) => change(event.target.value)}
        {...rest}
      />
    </Labelled>
  );
}

type TextAreaProps = FieldProps & Omit<ComponentProps<"textarea">, "onChange" | "value">;

/** Some lines to write or to paste. */
export function TextArea({ label, change, hint, ...rest }: TextAreaProps): ReactElement {
  const id = useId();
  return (
    <Labelled id={id} label={label} hint={hint}>
      <textarea
        id={id}
        className="input"
        rows={3}
        maxLength={2000}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        onChange={(event) => change(event.target.value)}
        {...rest}
      />
    </Labelled>
  );
}

interface LabelledProps {
  id: string;
  label: string;
  hint: string | undefined;
  children: ReactNode;
}

function Labelled({ id, label, hint, children }: LabelledProps): ReactElement {
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children}
      {hint !== undefined && (
        <p id={`${id}-hint`} className="small muted">
          {hint}
        </p>
      )}
    </div>
  );
}

/** One of several ways to look at the same. */
export function Chip({ label, on, press }: { label: string; on: boolean; press: () => void }): ReactElement {
  return (
    <button type="button" className="chip" aria-pressed={on} onClick={press}>
      {label}
    </button>
  );
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
