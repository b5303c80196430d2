import { useDeferredValue, useState, type ReactElement } from "react";
import { researcher as texts } from "../../texts/researcher";
import { Button, Form, Notice, TextField, Fetching } from "../../ui/parts";
import { useCatalogue } from "../queries";
import { chosen, variableOf, without, type ChosenVariable } from "./draft";
import { edgesOf, levelsOfEdges, type Variable } from "./levels";
import type { StepProps } from "./Wizard";

const STEP = texts.wizard.variables;

/** Columns: of the catalogue, or of a code of one's own. Their levels are public and part of what is signed. */
export function VariablesStep({ draft, change }: StepProps): ReactElement {
  const catalogue = useCatalogue();
  const [search, setSearch] = useState("");
  const wanted = useDeferredValue(search).trim().toLowerCase();
  const isIn = (name: string): boolean => draft.variables.some(({ body }) => body.name === name);
  const add = (variable: ChosenVariable): void =>
    change((before) => ({ ...before, variables: [...before.variables, variable] }));
  return (
    <>
      {draft.variables.length > 0 && (
        <ul className="stack" aria-label={STEP.chosen}>
          {draft.variables.map((variable) => (
            <li key={variable.body.name}>
              <Chosen
                variable={variable}
                remove={() => change((before) => without(before, variable.body.name))}
                replace={(next) =>
                  change((before) => ({
                    ...before,
                    // Levels that are not there any more cannot stay in a criterion.
                    criteria: before.criteria.map((filter) =>
                      filter.variable === next.body.name
                        ? { ...filter, levels: filter.levels.filter((level) => next.levels.includes(level)) }
                        : filter,
                    ),
                    variables: before.variables.map((one) => (one.body.name === next.body.name ? next : one)),
                  }))
                }
              />
            </li>
          ))}
        </ul>
      )}
      <div className="part">
        <h3>{STEP.fromCatalogue}</h3>
        <Fetching of={catalogue} />
        <TextField label={STEP.search} type="search" value={search} change={setSearch} />
        <div className="choices">
          {catalogue.data?.offers
            .filter((offer) => `${offer.name} ${offer.title}`.toLowerCase().includes(wanted))
            .map((offer) => (
              <label key={offer.name} className="choice">
                <input
                  type="checkbox"
                  checked={isIn(offer.name)}
                  onChange={({ target }) =>
                    target.checked
                      ? add(chosen(variableOf(offer), [offer]))
                      : change((before) => without(before, offer.name))
                  }
                />
                <span>
                  {offer.title} <code className="muted small">{offer.name}</code>
                </span>
              </label>
            ))}
        </div>
      </div>
      <details className="part">
        <summary>{STEP.own}</summary>
        <Own taken={isIn} add={add} />
      </details>
    </>
  );
}

function Chosen({
  variable,
  remove,
  replace,
}: {
  variable: ChosenVariable;
  remove: () => void;
  replace: (next: ChosenVariable) => void;
}): ReactElement {
  const { body, title } = variable;
  const [edges, setEdges] = useState(body.edges.join(", "));
  const typed = edgesOf(edges);
  return (
    <div className="stack">
      <div className="row spread">
        <span>
          <strong>{title}</strong> <code className="muted small">{body.name}</code>
        </span>
        <Button look="quiet" onClick={remove}>
          {STEP.remove}
          <span className="visually-hidden"> {title}</span>
        </Button>
      </div>
      {body.edges.length > 0 && (
        <>
          <TextField
            label={STEP.edges(title)}
            hint={STEP.edgesHint}
            value={edges}
            aria-invalid={typed === null}
            change={(text) => {
              setEdges(text);
              const found = edgesOf(text);
              if (found !== null) {
                const levels = levelsOfEdges(found) ?? [];
                replace({ ...variable, body: { ...body, edges: found }, levels });
              }
            }}
          />
          {typed === null && <Notice tone="warn">{STEP.edgesWrong}</Notice>}
        </>
      )}
    </div>
  );
}

type OwnKind = "condition" | "medication" | "laboratory" | "vital_sign";
const SYSTEMS: Record<OwnKind, string> = {
  condition: "http://snomed.info/sct",
  medication: "http://www.nlm.nih.gov/research/umls/rxnorm",
  laboratory: "http://loinc.org",
  vital_sign: "http://loinc.org",
};
const OWN_KINDS = Object.keys(SYSTEMS) as OwnKind[];

function Own({
  taken,
  add,
}: {
  taken: (name: string) => boolean;
  add: (variable: ChosenVariable) => void;
}): ReactElement {
  const [kind, setKind] = useState<OwnKind>("condition");
  const [name, setName] = useState("");
  const [code, setCode] = useState("");
  const [unit, setUnit] = useState("");
  const [edges, setEdges] = useState("");
  const measured = kind === "laboratory" || kind === "vital_sign";
  const bins = edgesOf(edges);
  const wrong =
    !/^[a-z][a-z0-9_]{0,39}$/.test(name) ||
    taken(name) ||
    code.trim() === "" ||
    (measured && (unit.trim() === "" || bins === null));
  const [tried, setTried] = useState(false);
  const make = (): void => {
    setTried(wrong);
    if (wrong) {
      return;
    }
    const body: Variable = {
      name,
      kind,
      role: "sensitive",
      system: SYSTEMS[kind],
      code: code.trim(),
      unit: measured ? unit.trim() : "",
      edges: measured ? (bins ?? []) : [],
      levels: [],
      reference_date: "",
      active_only: false,
    };
    add(chosen(body, []));
    setName("");
    setCode("");
  };
  return (
    <Form send={make}>
      <div className="fields">
        <div className="field">
          <label htmlFor="own-kind">{STEP.ownKind}</label>
          <select
            id="own-kind"
            className="input"
            value={kind}
            onChange={({ target }) => setKind(target.value as OwnKind)}
          >
            {OWN_KINDS.map((one) => (
              <option key={one} value={one}>
                {STEP.kinds[one]}
              </option>
            ))}
          </select>
        </div>
        <TextField label={STEP.ownName} hint={STEP.ownNameHint} value={name} change={setName} />
        <TextField label={STEP.ownCode(STEP.systems[kind])} value={code} change={setCode} />
        {measured && (
          <>
            <TextField label={STEP.ownUnit} placeholder="mmol/L" value={unit} change={setUnit} />
            <TextField label={STEP.ownEdges} hint={STEP.edgesHint} value={edges} change={setEdges} />
          </>
        )}
      </div>
      {tried && <Notice tone="warn">{STEP.ownMissing}</Notice>}
      <div className="row">
        <Button submits>{STEP.add}</Button>
      </div>
    </Form>
  );
}
