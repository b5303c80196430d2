import { api, done } from "../api/client";
import { queries } from "../api/queries";
import { leaveProvider } from "./openid";
import { current, signedOut } from "./tokens";

export async function signOut(): Promise<void> {
  const who = current()?.who;
  await done(api.POST("/v1/auth/sign-out")).catch(() => undefined); // gone here, whatever the service says
  signedOut();
  queries.clear();
  if (who?.kind === "staff" && who.provider === true) {
    await leaveProvider().catch(() => undefined); // signed out here; the provider is away
  }
}
