/** The way to the identity provider, where the service has one. */
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState, type ReactElement } from "react";
import { useLocation } from "wouter";
import { body, openApi } from "../api/client";
import { texts } from "../texts";
import { Icon } from "../ui/Icon";
import { Button, Failure, Notice } from "../ui/parts";
import { goThere } from "./openid";

const PAGE = texts.openid;

export function OpenIdSignIn(): ReactElement | null {
  const offer = useQuery({
    queryKey: ["openid"],
    queryFn: () => body(openApi.GET("/v1/auth/openid")),
    staleTime: Infinity,
  });
  const [at] = useLocation();
  const [going, setGoing] = useState(false);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    // Back from the provider by the browser's button: the page is shown as it was left.
    const shown = (): void => setGoing(false);
    addEventListener("pageshow", shown);
    return () => removeEventListener("pageshow", shown);
  }, []);

  const go = async (): Promise<void> => {
    setGoing(true);
    setError(null);
    try {
      await goThere(at);
    } catch (failure) {
      setError(failure);
      setGoing(false);
    }
  };

  const name = offer.data?.name ?? null;
  if (name === null) {
    return null;
  }
  return (
    <div className="stack">
      <div className="row">
        <Button look="primary" busy={going} onClick={() => void go()}>
          <Icon name="people" size={22} />
          {PAGE.signIn(name)}
        </Button>
      </div>
      {going && <Notice>{PAGE.going}</Notice>}
      {error !== null && <Failure error={error} />}
      <p className="muted">{PAGE.or}</p>
    </div>
  );
}
