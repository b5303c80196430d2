/** An account in groups of four, for two eyes to compare on two screens. */
export function inGroups(account: string): string {
  const digits = account.slice(2).match(/.{1,4}/g) ?? [];
  return ["0x", ...digits].join(" ");
}

/** What somebody typed or pasted, with the blanks of its groups taken out; null where it is no account. */
export function accountIn(text: string): string | null {
  const account = text.replace(/\s/g, "");
  return /^0x[0-9a-fA-F]{40}$/.test(account) ? account : null;
}
