/** Which roles something gets. */
import type { ReactElement } from "react";
import { texts } from "../texts";
import { Switch } from "../ui/parts";

interface RoleChoiceProps<R extends string> {
  label: string;
  roles: readonly R[];
  chosen: readonly R[];
  change: (chosen: R[]) => void;
}

export function RoleChoice<R extends string>({
  label,
  roles,
  chosen,
  change,
}: RoleChoiceProps<R>): ReactElement {
  return (
    <fieldset className="field plain">
      <legend>{label}</legend>
      <div className="switch-grid">
        {roles.map((role) => (
          <Switch
            key={role}
            label={texts.operator.roles[role] ?? role}
            on={chosen.includes(role)}
            change={(on) => change(roles.filter((one) => (one === role ? on : chosen.includes(one))))}
          />
        ))}
      </div>
    </fieldset>
  );
}
