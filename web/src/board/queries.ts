/** What the board's pages show, kept fresh while they are open. */
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { api, body, type Schemas } from "../api/client";
import { queries, useSessionInfo } from "../api/queries";
import { isSame } from "../wallet/accounts";
import type { File, MotionKind } from "./commands";
import type { Row } from "./queue";

const AT_ONCE = 100;
const LIVE_MS = 4_000;
const LIST_MS = 15_000;

export type Board = Schemas["BoardView"];
export type Seat = Schemas["SeatView"];

export function useBoard(): UseQueryResult<Board> {
  return useQuery({
    queryKey: ["board", "members"],
    queryFn: () => body(api.GET("/v1/board/members")),
    staleTime: 60_000,
  });
}

/** Who looks: `seat` where the linked account is that of a member in standing. */
export interface Me {
  account: string | null;
  seat: Seat | null;
  decides: boolean;
  prepares: boolean;
}

export function useMe(): Me {
  const info = useSessionInfo().data;
  const members = useBoard().data?.members ?? [];
  const account = info?.account ?? null;
  return {
    account,
    seat: members.find((one) => account !== null && isSame(one.account, account)) ?? null,
    decides: info?.scopes.includes("studies:approve") ?? false,
    prepares: info?.scopes.includes("studies:prepare") ?? false,
  };
}

export function useRows(): UseQueryResult<Row[]> {
  return useQuery({ queryKey: ["board", "rows"], queryFn: allRows, refetchInterval: LIST_MS });
}

async function allRows(): Promise<Row[]> {
  const rows: Row[] = [];
  for (let after: string | null = null; ;) {
    const page: Row[] = await body(
      api.GET("/v1/board/studies", {
        params: { query: { limit: AT_ONCE, ...(after === null ? {} : { after }) } },
      }),
    );
    rows.push(...page);
    const last = page.at(-1);
    if (page.length < AT_ONCE || last === undefined) {
      return rows;
    }
    after = last.study_id;
  }
}

export function useFile(study: string): UseQueryResult<File> {
  return useQuery({
    queryKey: ["board", "file", study],
    queryFn: () => body(api.GET("/v1/board/studies/{study}", { params: { path: { study } } })),
    refetchInterval: LIVE_MS, // signatures of others come in
  });
}

/** The service's answer to a change is the file as it is now. */
export async function changed(file: File): Promise<void> {
  queries.setQueryData(["board", "file", file.study.study_id], file);
  await queries.invalidateQueries({ queryKey: ["board", "rows"] });
}

export function draftOf(
  study: string,
  kind: MotionKind | "suspend",
): Promise<Schemas["SuspensionDraftView"]> {
  return kind === "suspend"
    ? body(api.GET("/v1/board/studies/{study}/suspension", { params: { path: { study } } }))
    : body(api.GET("/v1/board/studies/{study}/motions/{kind}", { params: { path: { study, kind } } }));
}
