/** What entries are looked for. */
import { useId, useState, type ReactElement } from "react";
import { audit } from "../texts/audit";
import { Button, Card, Form, TextField } from "../ui/parts";
import { knownTypes } from "./entries";
import { ANYTHING, type Criteria } from "./fhir";

const PAGE = audit.log;

interface FiltersProps {
  label: string;
  busy: boolean;
  search: (criteria: Criteria) => void;
}

export function Filters({ label, busy, search }: FiltersProps): ReactElement {
  const [criteria, setCriteria] = useState(ANYTHING);
  const put = (change: Partial<Criteria>): void => setCriteria({ ...criteria, ...change });
  return (
    <Card title={PAGE.filters}>
      <Form send={() => search(criteria)}>
        <div className="filters audit-filters">
          <TextField label={PAGE.from} type="date" value={criteria.from} change={(from) => put({ from })} />
          <TextField label={PAGE.to} type="date" value={criteria.to} change={(to) => put({ to })} />
          <Choice
            label={PAGE.type}
            value={criteria.type}
            choose={(type) => put({ type })}
            options={knownTypes()}
          />
          <Choice
            label={PAGE.outcome}
            value={criteria.outcome}
            choose={(outcome) => put({ outcome })}
            options={Object.entries(PAGE.codes)}
          />
          <TextField
            label={PAGE.patient}
            hint={PAGE.patientHint}
            autoComplete="off"
            spellCheck={false}
            value={criteria.patient}
            change={(patient) => put({ patient })}
          />
          <TextField
            label={PAGE.agent}
            hint={PAGE.agentHint}
            autoComplete="off"
            spellCheck={false}
            value={criteria.agent}
            change={(agent) => put({ agent })}
          />
        </div>
        <div className="row">
          <Button look="primary" submits busy={busy}>
            {label}
          </Button>
        </div>
      </Form>
    </Card>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  options: readonly (readonly [string, string])[];
  choose: (value: string) => void;
}

export function Choice({ label, value, options, choose }: ChoiceProps): ReactElement {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} className="input" value={value} onChange={(event) => choose(event.target.value)}>
        <option value="">{PAGE.any}</option>
        {options.map(([code, words]) => (
          <option key={code} value={code}>
            {words}
          </option>
        ))}
      </select>
    </div>
  );
}
