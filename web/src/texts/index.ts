/** Every text of the pages, in one place. Another language is another folder with the same members. */
import { en } from "./en";
import { openid } from "./openid";
import { passkeys } from "./passkeys";
import { powers } from "./powers";
import { recovery } from "./recovery";

export const language = "en";
export const texts = { ...en, openid, passkeys, powers, recovery };
