/** Whether the account stores records here: it may write, and is the custodian's own. */
import { useQuery } from "@tanstack/react-query";
import { body, openApi } from "../../api/client";
import { useSessionInfo } from "../../api/queries";

export function useMayUpload(): boolean {
  const info = useSessionInfo().data;
  const may = info?.scopes.includes("records:write") === true;
  const ledger = useQuery({
    queryKey: ["ledger"],
    enabled: may,
    queryFn: () => body(openApi.GET("/v1/ledger")),
    staleTime: Infinity,
  });
  return may && ledger.data !== undefined && info.organisation?.member_id === ledger.data.tenant;
}
