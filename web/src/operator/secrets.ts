/** Passwords that people are given: drawn here, easy to read out, about 100 bits. */

// Without letters that look or sound like another.
const LETTERS = "abcdefghjkmnpqrstuvwxyz23456789";
const GROUPS = 5;
const GROUP = 4;

export function drawPassword(random: (bytes: Uint8Array) => Uint8Array = fill): string {
  const fair = LETTERS.length * Math.floor(256 / LETTERS.length);
  let text = "";
  while (text.length < GROUPS * GROUP) {
    for (const byte of random(new Uint8Array(32))) {
      if (byte < fair && text.length < GROUPS * GROUP) {
        text += LETTERS[byte % LETTERS.length] ?? "";
      }
    }
  }
  return text.match(new RegExp(`.{${GROUP}}`, "g"))?.join("-") ?? text;
}

function fill(bytes: Uint8Array): Uint8Array {
  return crypto.getRandomValues(bytes);
}
