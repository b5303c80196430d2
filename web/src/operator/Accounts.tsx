/** People and systems that sign in. */
import { useState, type ReactElement } from "react";
import { texts } from "../texts";
import { Chip, Heading } from "../ui/parts";
import "./operator.css";
import { People } from "./People";
import { Systems } from "./Systems";

const PAGE = texts.operator.accounts;
const TABS = ["people", "systems"] as const;

export default function Accounts(): ReactElement {
  const [tab, setTab] = useState<(typeof TABS)[number]>("people");
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      <div className="row chips" role="group" aria-label={PAGE.title}>
        {TABS.map((one) => (
          <Chip key={one} label={PAGE.tabs[one]} on={tab === one} press={() => setTab(one)} />
        ))}
      </div>
      {tab === "people" ? <People /> : <Systems />}
    </>
  );
}
