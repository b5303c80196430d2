/** One of the members that take part. */
import { useId, type ReactElement } from "react";
import { shortId } from "../format/time";
import { texts } from "../texts";
import { useMembers, useTenant } from "./queries";

interface MemberChoiceProps {
  label: string;
  /** A member's id; empty for the custodian itself. */
  value: string;
  change: (member: string) => void;
}

export function MemberChoice({ label, value, change }: MemberChoiceProps): ReactElement {
  const id = useId();
  const tenant = useTenant();
  const members = useMembers().data?.filter(
    ({ standing, member_id }) => standing !== "removed" && member_id !== tenant,
  );
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} className="input" value={value} onChange={(event) => change(event.target.value)}>
        <option value="">{texts.operator.members.self}</option>
        {members?.map(({ member_id, name }) => (
          <option key={member_id} value={member_id}>
            {name ?? shortId(member_id)}
          </option>
        ))}
      </select>
    </div>
  );
}
