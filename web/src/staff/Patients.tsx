/** Find a patient by a number, see what is granted for a purpose, ask for more. */
import { useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { useWords } from "../api/queries";
import { texts } from "../texts";
import { Button, Card, Failure, Heading } from "../ui/parts";
import { Ask } from "./Ask";
import { Granted } from "./Granted";

const PAGE = texts.staff.find;
// HL7 v3 PurposeOfUse: those that a clinic asks for.
const PURPOSES = ["TREAT", "CAREMGT", "ETREAT", "HPAYMT", "HOPERAT", "PUBHLTH"];

interface Found {
  /** Kept in memory alone: neither it nor the number may stay behind in an address. */
  patientRef: string;
  identifier: string;
}

export default function Patients(): ReactElement {
  const [identifier, setIdentifier] = useState("");
  const [found, setFound] = useState<Found | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const search = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      const { patient_ref } = await body(api.POST("/v1/patients/search", { body: { identifier } }));
      setFound({ patientRef: patient_ref, identifier });
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      <Card>
        <form
          className="row search"
          onSubmit={(event) => {
            event.preventDefault();
            void search();
          }}
        >
          <div className="field">
            <label htmlFor="identifier">{PAGE.identifier}</label>
            <input
              id="identifier"
              className="input"
              autoComplete="off"
              spellCheck={false}
              value={identifier}
              onChange={(event) => setIdentifier(event.target.value)}
            />
          </div>
          <Button look="primary" submits busy={busy} disabled={identifier.trim() === ""}>
            {PAGE.search}
          </Button>
        </form>
        {error !== null && <Failure error={error} />}
        <p className="muted small">{PAGE.note}</p>
      </Card>
      {found !== null && <Patient key={found.patientRef} found={found} />}
    </>
  );
}

function Patient({ found }: { found: Found }): ReactElement {
  const words = useWords();
  const [purpose, setPurpose] = useState("TREAT");
  const [tab, setTab] = useState<"granted" | "ask">("granted");
  return (
    <section className="stack" aria-label={PAGE.found(found.identifier)}>
      <div className="row spread">
        <h2>{PAGE.found(found.identifier)}</h2>
        <label className="row small">
          {PAGE.purpose}
          <select className="input" value={purpose} onChange={(event) => setPurpose(event.target.value)}>
            {PURPOSES.map((code) => (
              <option key={code} value={code}>
                {words("purposes", [code])[0]}
              </option>
            ))}
          </select>
        </label>
      </div>
      <div className="row chips" role="group" aria-label={PAGE.title}>
        {(["granted", "ask"] as const).map((one) => (
          <button
            key={one}
            type="button"
            className="chip"
            aria-pressed={tab === one}
            onClick={() => setTab(one)}
          >
            {PAGE.tabs[one]}
          </button>
        ))}
      </div>
      {tab === "granted" ? (
        <Granted key={purpose} patientRef={found.patientRef} purpose={purpose} />
      ) : (
        <Ask patientRef={found.patientRef} purpose={purpose} />
      )}
    </section>
  );
}
