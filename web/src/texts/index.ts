/** Every text of the pages, in one place. Another language is another file with the same members. */
import { en } from "./en";

export const language = "en";
export const texts = en;
