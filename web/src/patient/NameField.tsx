/** The name that a power is signed with. */
import type { ReactElement } from "react";
import { texts } from "../texts";
import { TextField } from "../ui/parts";
import type { Naming } from "./useNaming";

interface NameFieldProps {
  naming: Naming;
  label: string;
  hint: string;
  maxLength: number;
}

export function NameField({ naming, label, hint, maxLength }: NameFieldProps): ReactElement {
  const isMissing = naming.told && naming.name.trim() === "";
  return (
    <TextField
      label={label}
      hint={isMissing ? texts.powers.nameMissing : hint}
      maxLength={maxLength}
      value={naming.name}
      aria-invalid={isMissing}
      change={naming.setName}
    />
  );
}
