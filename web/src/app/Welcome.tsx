/** The page for whoever is not signed in. */
import type { ReactElement } from "react";
import { OpenIdSignIn } from "../session/OpenIdSignIn";
import { PasskeySignIn } from "../session/PasskeySignIn";
import { StaffSignIn } from "../session/StaffSignIn";
import { WalletSignIn } from "../session/WalletSignIn";
import { texts } from "../texts";
import { Icon } from "../ui/Icon";
import { Card, Heading } from "../ui/parts";

export function Welcome(): ReactElement {
  return (
    <div className="welcome">
      <div className="stack">
        <p className="brand">
          <Icon name="shield" size={26} />
          {texts.product}
        </p>
        <Heading title={texts.welcome.title} lead={texts.welcome.lead} />
        <ul className="points stack">
          {texts.welcome.points.map(([point, more]) => (
            <li key={point}>
              <Icon name="check" />
              <div>
                <strong>{point}</strong>
                <p className="muted">{more}</p>
              </div>
            </li>
          ))}
        </ul>
      </div>
      <div className="stack">
        <Card>
          <WalletSignIn />
          <p className="muted small">{texts.welcome.fees}</p>
        </Card>
        <Card>
          <PasskeySignIn />
        </Card>
        <details className="card">
          <summary>{texts.staff.signIn.open}</summary>
          <div className="stack">
            <OpenIdSignIn />
            <StaffSignIn />
          </div>
        </details>
      </div>
    </div>
  );
}
