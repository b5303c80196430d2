/** The ethics board's pages: the list, one study's file, one's own seat. */
import { lazy, type ReactElement } from "react";
import { Redirect, Route, Switch } from "wouter";
import { Lost } from "../app/Lost";
import "./board.css";

const Queue = lazy(() => import("./Queue"));
const StudyFile = lazy(() => import("./StudyFile"));
const MySeat = lazy(() => import("./MySeat"));

export default function BoardArea(): ReactElement {
  return (
    <Switch>
      <Route path="/board">
        <Redirect to="/board/studies" replace />
      </Route>
      <Route path="/board/studies" component={Queue} />
      <Route path="/board/studies/:study">{({ study }) => <StudyFile key={study} study={study} />}</Route>
      <Route path="/board/seat" component={MySeat} />
      <Route>
        <Lost />
      </Route>
    </Switch>
  );
}
