/** Find a patient by a number, see what is granted for a purpose, ask for more. */
import { lazy, Suspense, useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { useWords } from "../api/queries";
import { texts } from "../texts";
import { Button, Card, Chip, Failure, Form, Heading, Loading, TextField } from "../ui/parts";
import { Ask } from "./Ask";
import { Granted } from "./Granted";
import { useMayUpload } from "./upload/useMayUpload";
import { useAttempt } from "../ui/useAttempt";

const Upload = lazy(() => import("./upload/Upload"));

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
  const { busy, error, run } = useAttempt();
  const search = (): Promise<void> =>
    run(async () => {
      const { patient_ref } = await body(api.POST("/v1/patients/search", { body: { identifier } }));
      setFound({ patientRef: patient_ref, identifier });
    });
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      <Card>
        <Form className="row search" send={() => void search()}>
          <TextField
            label={PAGE.identifier}
            autoComplete="off"
            spellCheck={false}
            value={identifier}
            change={setIdentifier}
          />
          <Button look="primary" submits busy={busy} disabled={identifier.trim() === ""}>
            {PAGE.search}
          </Button>
        </Form>
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
  const [tab, setTab] = useState<"granted" | "ask" | "store">("granted");
  const stores = useMayUpload();
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
          <Chip key={one} label={PAGE.tabs[one]} on={tab === one} press={() => setTab(one)} />
        ))}
        {stores && <Chip label={texts.upload.tab} on={tab === "store"} press={() => setTab("store")} />}
      </div>
      {tab === "granted" && <Granted key={purpose} patientRef={found.patientRef} purpose={purpose} />}
      {tab === "ask" && <Ask patientRef={found.patientRef} purpose={purpose} />}
      {tab === "store" && (
        <Suspense fallback={<Loading what={texts.loading} />}>
          <Upload patientRef={found.patientRef} />
        </Suspense>
      )}
    </section>
  );
}
