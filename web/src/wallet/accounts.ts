/** Two spellings of one account: wallets write the checksum of EIP-55 or do not. */
export function isSame(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}
