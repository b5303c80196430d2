/** Checkpoints that the auditor keeps in this browser, to hold the log against later. */
const KEY = "assent.checkpoints";

export interface Kept {
  note: string;
  /** ISO moment. */
  at: string;
}

/** The newest first; none where there is no storage, or something else wrote there. */
export function kept(): Kept[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found.filter(isKept) : [];
  } catch {
    return [];
  }
}

export function keep(note: string, at: Date = new Date()): Kept[] {
  return write([{ note, at: at.toISOString() }, ...kept().filter((one) => one.note !== note)]);
}

export function forget(note: string): Kept[] {
  return write(kept().filter((one) => one.note !== note));
}

/** A note as it was signed, whatever a clipboard or a mail made of its ends of lines. */
export function tidied(pasted: string): string {
  return `${pasted.replace(/\r\n?/g, "\n").trim()}\n`;
}

function write(all: Kept[]): Kept[] {
  localStorage.setItem(KEY, JSON.stringify(all));
  return all;
}

function isKept(value: unknown): value is Kept {
  const { note, at } = (value ?? {}) as Record<string, unknown>;
  return typeof note === "string" && typeof at === "string";
}
