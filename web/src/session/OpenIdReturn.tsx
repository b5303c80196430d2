/** Where the identity provider sends the browser back to. */
import { useEffect, useState, type ReactElement } from "react";
import { Link, useLocation } from "wouter";
import { texts } from "../texts";
import { Card, Failure, Heading, Loading } from "../ui/parts";
import { finish } from "./openid";
import { returnedWith } from "./openidAnswer";

const PAGE = texts.openid;
const HERE = "/openid";

// Once for a page load: the code serves once, and an effect may run twice.
let under: Promise<string> | null = null;

function begun(): Promise<string> {
  if (under === null) {
    const returned = returnedWith(location.search);
    history.replaceState(null, "", `/app${HERE}`); // the code is not left in the browser's history
    under = finish(returned);
  }
  return under;
}

export default function OpenIdReturn(): ReactElement {
  const [, go] = useLocation();
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    let gone = false;
    begun().then(
      (back) => {
        if (!gone) {
          under = null;
          go(back === HERE ? "/" : back, { replace: true });
        }
      },
      (failure: unknown) => {
        if (!gone) {
          setError(failure);
        }
      },
    );
    return () => {
      gone = true;
    };
  }, [go]);
  return (
    <main className="outside">
      <div className="stack narrow">
        <Heading title={PAGE.title} />
        {error === null ? (
          <Loading what={PAGE.returning} />
        ) : (
          <Card>
            <Failure error={error} />
            <p>
              <Link href="/" replace onClick={() => (under = null)}>
                {PAGE.again}
              </Link>
            </p>
          </Card>
        )}
      </div>
    </main>
  );
}
