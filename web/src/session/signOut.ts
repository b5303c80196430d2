import { api, done } from "../api/client";
import { queries } from "../api/queries";
import { signedOut } from "./tokens";

export async function signOut(): Promise<void> {
  await done(api.POST("/v1/auth/sign-out")).catch(() => undefined); // gone here, whatever the service says
  signedOut();
  queries.clear();
}
