/** All pages of a search as one Bundle. */
import { damagedIn, eventsIn, nextOf, type Bundle, type BundleEntry } from "./fhir";

export interface Collected {
  state: "whole" | "stopped";
  bundle: Bundle;
  count: number;
  damaged: number;
}

/** `goesOn` is told after each page how many entries there are, and says whether more are wanted. */
export async function collected(
  query: URLSearchParams,
  search: (query: URLSearchParams) => Promise<Bundle>,
  goesOn: (count: number) => boolean,
): Promise<Collected> {
  const entries: BundleEntry[] = [];
  let [count, damaged] = [0, 0];
  let self: string | undefined;
  const bundleOf = (): Bundle => ({
    resourceType: "Bundle",
    type: "searchset",
    ...(self === undefined ? {} : { link: [{ relation: "self", url: self }] }),
    ...(entries.length === 0 ? {} : { entry: entries }),
  });
  for (let next: URLSearchParams | null = query; next !== null;) {
    const page: Bundle = await search(next);
    self ??= page.link?.find(({ relation }) => relation === "self")?.url;
    entries.push(...(page.entry ?? []));
    count += eventsIn(page).length;
    damaged += damagedIn(page);
    next = nextOf(page);
    if (!goesOn(count)) {
      return { state: "stopped", bundle: bundleOf(), count, damaged };
    }
  }
  return { state: "whole", bundle: bundleOf(), count, damaged };
}
