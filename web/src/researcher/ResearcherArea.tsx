/** The pages of researchers: what is on offer, what they propose, their studies, and what is left to ask. */
import type { ReactElement } from "react";
import { Redirect, Route, Switch } from "wouter";
import { Lost } from "../app/Lost";
import { Budget } from "./Budget";
import { Catalogue } from "./Catalogue";
import "./researcher.css";
import { Studies } from "./Studies";
import { StudyPage } from "./StudyPage";
import { Wizard } from "./wizard/Wizard";

export default function ResearcherArea(): ReactElement {
  return (
    <Switch>
      <Route path="/research/catalogue" component={Catalogue} />
      <Route path="/research/proposal" component={Wizard} />
      <Route path="/research/studies" component={Studies} />
      <Route path="/research/studies/:study/:part?">
        {({ study, part }) => <StudyPage key={study} study={study} part={part ?? "overview"} />}
      </Route>
      <Route path="/research/budget" component={Budget} />
      <Route path="/research">
        <Redirect to="/research/catalogue" replace />
      </Route>
      <Route>
        <Lost />
      </Route>
    </Switch>
  );
}
