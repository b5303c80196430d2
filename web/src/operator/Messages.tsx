/** What became of messages to members' systems, and another try for those that were given up. */
import { useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { queries } from "../api/queries";
import { asMoment, shortId } from "../format/time";
import { texts } from "../texts";
import { Button, Chip, Empty, Failure, Heading, Tag, Fetching } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";
import { lookAt } from "./failures";
import { useClients, useDeliveries, type Delivery, type DeliveryState } from "./queries";

const PAGE = texts.operator.messages;
const FILTERS = ["dead", "waiting", "delivered", "all"] as const;
const TONES = { dead: "bad", waiting: "warn", delivered: "good" } as const;

export default function Messages(): ReactElement {
  const [filter, setFilter] = useState<DeliveryState | "all">("dead");
  const deliveries = useDeliveries(filter === "all" ? null : filter);
  const clients = useClients();
  const nameOf = (id: string): string =>
    clients.data?.find((client) => client.client_id === id)?.name ?? shortId(id);
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      <div className="row chips" role="group" aria-label={PAGE.title}>
        {FILTERS.map((one) => (
          <Chip key={one} label={PAGE.filters[one]} on={filter === one} press={() => setFilter(one)} />
        ))}
      </div>
      <Fetching of={deliveries} />
      {deliveries.data?.length === 0 && (
        <section className="card">
          <Empty>{PAGE.none}</Empty>
        </section>
      )}
      {deliveries.data !== undefined && deliveries.data.length > 0 && (
        <ul className="card card-list" aria-live="polite">
          {deliveries.data.map((delivery) => (
            <li key={delivery.message_id}>
              <Line delivery={delivery} name={nameOf(delivery.client_id)} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Line({ delivery, name }: { delivery: Delivery; name: string }): ReactElement {
  const { busy, error, run } = useAttempt();
  const { message_id, topic, state, attempts, failure, created_at, next_try_at } = delivery;
  const retry = (): Promise<void> =>
    run(async () => {
      const path = { message: message_id };
      await body(api.POST("/v1/webhook-deliveries/{message}/retry", { params: { path } }));
      await queries.invalidateQueries({ queryKey: ["deliveries"] });
      await queries.invalidateQueries({ queryKey: ["operations"] });
    });
  const facts = [
    ...(created_at === null ? [] : [asMoment(created_at)]),
    PAGE.attempts(attempts),
    ...(next_try_at === null ? [] : [PAGE.next(asMoment(next_try_at))]),
  ];
  return (
    <div className="line line-tall">
      <span className="stack">
        <strong>{name}</strong>
        <span className="muted">
          <code>{topic}</code> · {facts.join(" · ")}
        </span>
        {failure !== "" && state !== "delivered" && (
          <span className="muted small">
            {PAGE.failure(failure)} {lookAt(failure)}
          </span>
        )}
        {error !== null && <Failure error={error} />}
      </span>
      <span className="row">
        <Tag tone={TONES[state]}>{PAGE.states[state]}</Tag>
        {state !== "delivered" && (
          <Button busy={busy} onClick={() => void retry()}>
            {PAGE.retry}
          </Button>
        )}
      </span>
    </div>
  );
}
