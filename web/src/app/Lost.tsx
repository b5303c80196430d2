import type { ReactElement } from "react";
import { Link } from "wouter";
import { texts } from "../texts";
import { Empty, Heading } from "../ui/parts";

export function Lost(): ReactElement {
  return (
    <>
      <Heading title={texts.lost} />
      <Empty>
        <Link href="/">{texts.lostNext}</Link>
      </Empty>
    </>
  );
}
