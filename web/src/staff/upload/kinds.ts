/** What a chosen file is, by its first bytes: a name alone says nothing. */
import type { texts } from "../../texts";

export const FHIR = "application/fhir+json";
/** As many bytes of a file as are needed to know it. */
export const HEAD_BYTES = 160;

export type Fault = keyof typeof texts.upload.faults;

interface Signature {
  mediaType: string;
  endings: readonly string[];
  begins: readonly (readonly [at: number, bytes: string])[];
}

const SIGNATURES: readonly Signature[] = [
  { mediaType: "application/pdf", endings: ["pdf"], begins: [[0, "%PDF-"]] },
  { mediaType: "image/png", endings: ["png"], begins: [[0, "\x89PNG\r\n\x1a\n"]] },
  { mediaType: "image/jpeg", endings: ["jpg", "jpeg"], begins: [[0, "\xff\xd8\xff"]] },
  { mediaType: "image/tiff", endings: [], begins: [[0, "II*\0"]] },
  { mediaType: "image/tiff", endings: ["tif", "tiff"], begins: [[0, "MM\0*"]] },
  {
    mediaType: "image/webp",
    endings: ["webp"],
    begins: [
      [0, "RIFF"],
      [8, "WEBP"],
    ],
  },
  { mediaType: "application/dicom", endings: ["dcm", "dicom"], begins: [[128, "DICM"]] },
  { mediaType: "application/xml", endings: ["xml", "cda"], begins: [[0, "<?xml"]] },
  { mediaType: "application/xml", endings: [], begins: [[0, "<ClinicalDocument"]] },
];

/** The media type of a file, or what is wrong with it. */
export function kindOf(name: string, head: Uint8Array): { mediaType: string } | { fault: Fault } {
  if (head.length === 0) {
    return { fault: "empty" };
  }
  const text = String.fromCharCode(...head);
  const ending = name.toLowerCase().split(".").at(-1) ?? "";
  const found = SIGNATURES.find(({ begins }) => begins.every(([at, bytes]) => text.startsWith(bytes, at)));
  if (found !== undefined) {
    return { mediaType: found.mediaType };
  }
  if (ending === "json" || /^\s*\{/.test(text)) {
    return { mediaType: FHIR };
  }
  if (SIGNATURES.some(({ endings }) => endings.includes(ending))) {
    return { fault: "damaged" };
  }
  return ending === "txt" && !/[\x00-\x08]/.test(text) ? { mediaType: "text/plain" } : { fault: "unknown" };
}

/** What keeps a JSON file from being a bundle that can be stored; null where nothing does. */
export function bundleFault(json: string): Fault | null {
  let found: unknown;
  try {
    found = JSON.parse(json);
  } catch {
    return "malformed";
  }
  const type = typeof found === "object" && found !== null && "resourceType" in found && found.resourceType;
  if (typeof type !== "string") {
    return "notFhir";
  }
  return type === "Bundle" ? null : "notBundle";
}
