import "./ui/base.css";
import "./ui/parts.css";
import "./app/layout.css";
import "./patient/patient.css";
import "./patient/powers.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";

// Passkeys and the sign-in message name a host, which an IP address cannot be.
if (location.hostname === "127.0.0.1" || location.hostname === "[::1]") {
  location.replace(location.href.replace(`//${location.hostname}`, "//localhost"));
} else {
  const root = document.getElementById("root");
  if (root === null) {
    throw new Error("index.html has no #root");
  }
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
