/** Texts of storing a document for a patient. */
const whole = new Intl.NumberFormat("en");
const plural = (count: number, one: string, many: string): string =>
  `${whole.format(count)} ${count === 1 ? one : many}`;

export const upload = {
  tab: "Store a document",
  lead: "A FHIR bundle, or a document such as a PDF or an image. It is encrypted here, and shown to nobody whom the patient has not allowed it.",
  file: "File",
  fileHint: "FHIR (JSON), PDF, PNG, JPEG, TIFF, WebP, DICOM, CDA (XML) or plain text.",
  kinds: {
    "application/fhir+json": "FHIR bundle",
    "application/pdf": "PDF document",
    "image/png": "image (PNG)",
    "image/jpeg": "image (JPEG)",
    "image/tiff": "image (TIFF)",
    "image/webp": "image (WebP)",
    "application/dicom": "DICOM image",
    "application/xml": "document (XML)",
    "text/plain": "plain text",
  } as Record<string, string>,
  faults: {
    empty: { what: "This file is empty.", next: "Choose another one, or export it again." },
    damaged: {
      what: "This file is not what its name says.",
      next: "It does not begin as such a file does. Open it where it came from and save it again.",
    },
    unknown: {
      what: "This kind of file is not known here.",
      next: "Save it as PDF, or export it as a FHIR bundle, then choose that.",
    },
    malformed: {
      what: "This is no well-formed JSON.",
      next: "Export the bundle again. If it was edited by hand, look for a missing bracket or comma.",
    },
    notBundle: {
      what: "This is FHIR, but not a bundle.",
      next: "Export the resource in a Bundle, together with the Patient whose record it is.",
    },
    notFhir: {
      what: "This is JSON, but not FHIR.",
      next: "Export it as a FHIR R4 bundle, or save it as PDF.",
    },
  },
  looking: "Looking what it is about …",
  labels: "How it will be filed",
  labelsLead: "Found by the published tables. Patients decide by these kinds who sees what.",
  entries: (count: number): string => plural(count, "entry", "entries"),
  protected: "Specially protected",
  nothingProtected: "Nothing in it is specially protected.",
  unknown: (count: number): string =>
    `${plural(count, "entry is", "entries are")} known to no table. They stay restricted until somebody looks at them.`,
  how: "How should it be filed?",
  restricted: "Nobody looked at it yet: keep it restricted",
  reviewed: "I looked at it, and say what it holds",
  categories: "What it holds",
  sensitivities: "What in it is specially protected",
  noCategory: "Choose at least one kind of data.",
  store: "Store",
  storing: "Sending …",
  keeping: "Encrypting and recording …",
  sealed: (percent: number): string => `${percent} % sent`,
  stop: "Stop",
  stopped: "Stopped. Nothing was stored unless it says so below; storing it again makes no second copy.",
  another: "Store another document",
  stored: "Stored",
  storedNext: "Whoever the patient allows can read it from now on. Everybody else sees nothing of it.",
  receipt: {
    record: "Record",
    file: "File",
    kind: "Kind",
    parts: "Parts",
    partsOf: (count: number): string => `${plural(count, "part", "parts")}, each under its own key`,
    digest: "SHA-256 of the file",
    commitment: "Commitment on the ledger",
    block: (block: number): string => `in block ${block}`,
    at: "Stored",
    download: "Download the receipt",
  },
} as const;
