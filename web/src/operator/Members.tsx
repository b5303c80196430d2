/** Who takes part: stopped at once, let in when the registry says, each with a confirmation. */
import { useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { queries, useNames } from "../api/queries";
import { asDay, asMoment, shortId } from "../format/time";
import { texts } from "../texts";
import { Button, Heading, Tag, Fetching } from "../ui/parts";
import { Admit } from "./Admit";
import { Confirm } from "./Confirm";
import { useMembers, useTenant, type Member } from "./queries";
import { roleWords } from "./roles";

const PAGE = texts.operator.members;

type Act = "suspend" | "reinstate" | "remove";

interface Asked {
  member: Member;
  act: Act;
}

export default function Members(): ReactElement {
  const members = useMembers();
  const tenant = useTenant();
  const names = useNames();
  const [asked, ask] = useState<Asked | null>(null);
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      <Fetching of={members} />
      {members.data !== undefined && (
        <ul className="card card-list" aria-live="polite">
          {members.data.map((member) => (
            <li key={member.member_id}>
              <Line
                member={member}
                name={member.member_id === tenant ? names(tenant) : nameOf(member)}
                isSelf={member.member_id === tenant}
                ask={(act) => ask({ member, act })}
              />
            </li>
          ))}
        </ul>
      )}
      <Admit />
      {asked !== null && <Question asked={asked} close={() => ask(null)} />}
    </>
  );
}

function nameOf({ name, member_id }: Member): string {
  return name ?? PAGE.unnamed(shortId(member_id));
}

const TONES = { active: "good", scheduled: "plain", suspended: "warn", removed: "plain" } as const;

interface LineProps {
  member: Member;
  name: string;
  isSelf: boolean;
  ask: (act: Act) => void;
}

function Line({ member, name, isSelf, ask }: LineProps): ReactElement {
  const { standing, recorded, effective_from, credential, credential_expires_at } = member;
  const facts = [
    roleWords(member.roles),
    ...(standing === "removed"
      ? []
      : [
          credential_expires_at === null
            ? PAGE.credential.endless
            : PAGE.credential[credential](asDay(credential_expires_at)),
        ]),
  ];
  return (
    <div className="line line-tall">
      <span className="stack">
        <strong>{name}</strong>
        <span className="muted">{facts.join(" · ")}</span>
        {standing === "scheduled" && (
          <span className="small">
            {effective_from === null ? PAGE.announcing : PAGE.scheduled(asMoment(effective_from))}
          </span>
        )}
        {standing !== "scheduled" && !recorded && <span className="small">{PAGE.recording}</span>}
      </span>
      <span className="row">
        {isSelf && <Tag>{PAGE.self}</Tag>}
        {credential !== "good" && standing !== "removed" && (
          <Tag tone={credential === "expired" ? "bad" : "warn"}>
            {texts.operator.system.alarm[credential === "expired" ? "member_expired" : "member_due"]}
          </Tag>
        )}
        <Tag tone={TONES[standing]}>{PAGE.standings[standing]}</Tag>
        {!isSelf && standing === "active" && <Button onClick={() => ask("suspend")}>{PAGE.suspend}</Button>}
        {!isSelf && standing === "suspended" && (
          <Button onClick={() => ask("reinstate")}>{PAGE.reinstate}</Button>
        )}
        {!isSelf && standing !== "removed" && (
          <Button look="danger" onClick={() => ask("remove")}>
            {PAGE.remove}
          </Button>
        )}
      </span>
    </div>
  );
}

function Question({ asked: { member, act }, close }: { asked: Asked; close: () => void }): ReactElement {
  const name = nameOf(member);
  const run = async (): Promise<void> => {
    const params = { params: { path: { member: member.member_id } } };
    switch (act) {
      case "suspend":
        await body(api.POST("/v1/members/{member}/suspend", params));
        break;
      case "reinstate":
        await body(api.POST("/v1/members/{member}/reinstate", params));
        break;
      case "remove":
        await body(api.POST("/v1/members/{member}/remove", params));
    }
    await queries.invalidateQueries({ queryKey: ["members"] });
  };
  return (
    <Confirm
      title={PAGE[`${act}Title`](name)}
      text={PAGE[`${act}Text`]}
      act={PAGE[act]}
      look={act === "reinstate" ? "primary" : "danger"}
      {...(act === "remove" ? { word: { label: PAGE.removeType(name), text: name } } : {})}
      close={close}
      run={run}
    />
  );
}
