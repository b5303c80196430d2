/** Makes a passkey and asks it for its secret (WebAuthn Level 3, extension `prf`). */
import { texts } from "../../texts";
import { passkeyError, PasskeyError } from "./errors";
import type { Bytes } from "./sealing";

const PATIENCE_MS = 120_000;
const ALGORITHMS = [-7, -8, -257]; // ES256, EdDSA, RS256: signatures of it are not used, its secret is
const INPUT_BYTES = 32;

/** A passkey that is to be used: `input` is what its secret belongs to. */
export interface Passkey {
  rpId: string;
  credential: Bytes;
  input: Bytes;
}

/** Make a passkey, with its secret where the authenticator gives one at once. Raises ToldError. */
export async function makePasskey(
  rpId: string,
  account: string,
): Promise<{ passkey: Passkey; secret: Bytes | null }> {
  const input = random(INPUT_BYTES);
  const made = await asked(() =>
    navigator.credentials.create({
      publicKey: {
        rp: { id: rpId, name: texts.product },
        user: {
          id: random(32),
          name: texts.passkeys.accountName(account),
          displayName: texts.passkeys.accountName(account),
        },
        challenge: random(32),
        pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: "public-key", alg })),
        authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
        attestation: "none",
        timeout: PATIENCE_MS,
        extensions: { prf: { eval: { first: input } } },
      },
    }),
  );
  const { prf } = made.getClientExtensionResults();
  if (prf?.enabled !== true) {
    await forget(rpId, made.id);
    throw new PasskeyError("noPrf");
  }
  return { passkey: { rpId, credential: new Uint8Array(made.rawId), input }, secret: secretIn(prf) };
}

/** Have the person unlock the passkey, and return its secret. Raises ToldError. */
export async function askPasskey({ rpId, credential, input }: Passkey): Promise<Bytes> {
  const answered = await asked(() =>
    navigator.credentials.get({
      publicKey: {
        rpId,
        challenge: random(32),
        allowCredentials: [{ type: "public-key", id: credential }],
        userVerification: "required",
        timeout: PATIENCE_MS,
        extensions: { prf: { eval: { first: input } } },
      },
    }),
  );
  const secret = secretIn(answered.getClientExtensionResults().prf);
  if (secret === null) {
    throw new PasskeyError("noPrf");
  }
  return secret;
}

async function asked(question: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  let answer: Credential | null;
  try {
    answer = await question();
  } catch (failure) {
    throw passkeyError(failure);
  }
  if (!(answer instanceof PublicKeyCredential)) {
    throw new PasskeyError("failed");
  }
  return answer;
}

function secretIn(prf: AuthenticationExtensionsPRFOutputs | undefined): Bytes | null {
  const first = prf?.results?.first;
  if (first === undefined) {
    return null;
  }
  return first instanceof ArrayBuffer
    ? new Uint8Array(first)
    : new Uint8Array(first.buffer, first.byteOffset, first.byteLength);
}

/** Tell the device that a passkey is of no use, so that it does not offer it; older browsers cannot be told. */
async function forget(rpId: string, credentialId: string): Promise<void> {
  const told = PublicKeyCredential as unknown as {
    signalUnknownCredential?: (what: { rpId: string; credentialId: string }) => Promise<void>;
  };
  await told.signalUnknownCredential?.({ rpId, credentialId }).catch(() => undefined);
}

function random(bytes: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(bytes));
}
