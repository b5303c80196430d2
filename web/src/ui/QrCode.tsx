/** A text for the camera of another device. Black on white in both schemes: cameras read nothing else well. */
import encodeQR from "qr";
import type { ReactElement } from "react";

const QUIET = 4; // modules of white around it, as the standard asks

export default function QrCode({ text, label }: { text: string; label: string }): ReactElement {
  const rows = encodeQR(text, "raw", { ecc: "medium", border: QUIET });
  const dark = rows
    .flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : "")))
    .join("");
  return (
    <svg
      className="qr"
      viewBox={`0 0 ${rows.length} ${rows.length}`}
      role="img"
      aria-label={label}
      shapeRendering="crispEdges"
    >
      <rect width={rows.length} height={rows.length} fill="#fff" />
      <path d={dark} fill="#000" />
    </svg>
  );
}
