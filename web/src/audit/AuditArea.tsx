/** The auditor's pages: the log, its checkpoints and witnesses, its export. */
import { lazy, type ReactElement } from "react";
import { Redirect, Route, Switch } from "wouter";
import { Lost } from "../app/Lost";
import "./audit.css";

const Log = lazy(() => import("./Log"));
const Checkpoints = lazy(() => import("./Checkpoints"));
const Export = lazy(() => import("./Export"));

export default function AuditArea(): ReactElement {
  return (
    <Switch>
      <Route path="/audit">
        <Redirect to="/audit/log" replace />
      </Route>
      <Route path="/audit/log" component={Log} />
      <Route path="/audit/checkpoints" component={Checkpoints} />
      <Route path="/audit/export" component={Export} />
      <Route>
        <Lost />
      </Route>
    </Switch>
  );
}
