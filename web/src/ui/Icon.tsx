/** The few icons there are, drawn on a 24 grid with the text's colour. */
import type { ReactElement } from "react";

const PATHS = {
  home: "M4 11.5 12 5l8 6.5V19a1 1 0 0 1-1 1h-4v-5h-6v5H5a1 1 0 0 1-1-1z",
  inbox: "M4 13h4l1.5 2.5h5L16 13h4M6.5 5h11L20 13v5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1v-5z",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6z",
  key: "M15 4.5a4.5 4.5 0 1 0-4.2 6.1L4 17.4V20h3l1-1v-1.8h1.8V15.5h1.8l1.7-1.7A4.5 4.5 0 0 0 15 4.5zM15.6 7.4v.1",
  shield: "M12 3.5 5 6v5.5c0 4.4 3 7.6 7 9 4-1.4 7-4.6 7-9V6zM9 12l2.2 2.2L15.5 10",
  file: "M7 3.5h7l4 4V20a.5.5 0 0 1-.5.5h-10.5A.5.5 0 0 1 6.500 20V4a.5.5 0 0 1 .5-.5zM14 3.500V8h4M9.500 12.500h5M9.500 16h5",
  check: "M5 12.500 10 17.500 19.500 7",
  cross: "M6 6l12 12M18 6 6 18",
  alert: "M12 4 2.800 19.500h18.400zM12 10v4.500M12 17v.2",
  clock: "M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17zM12 7.500V12l3 2",
  wait: "M12 3.500a8.500 8.500 0 1 0 8.500 8.500",
  out: "M14 5H6a1 1 0 0 0-1 1v12a1 1 0 0 0 1 1h8M10.500 12H20M16.500 8.500 20 12l-3.500 3.500",
  down: "M12 4.500v11M7.500 11.500 12 16l4.500-4.500M5 19.500h14",
  chart: "M4.500 19.500h15M7.500 16v-4.500M12 16V6M16.500 16V9.500",
  pen: "M4.500 19.500l1-4L16 5l3 3L8.500 18.500zM14 7l3 3",
  gauge: "M4 17a8.500 8.500 0 1 1 16 0M12 16l3.500-5",
  more: "M4.6 12h1.2M11.4 12h1.2M18.2 12h1.200",
  chevron: "M9 5.500 15.500 12 9 18.500",
  wallet:
    "M4 7.500A1.500 1.500 0 0 1 5.500 6H17v3M4 7.500V18a1.500 1.500 0 0 0 1.500 1.500H19a1 1 0 0 0 1-1V10a1 1 0 0 0-1-1H5.500A1.500 1.500 0 0 1 4 7.500zM16 14.200v.1",
  pulse: "M3 12.500h4l2.500-7 4.500 13 2.500-6H21",
  people:
    "M9 11.500a3.250 3.250 0 1 0 0-6.500 3.250 3.250 0 0 0 0 6.500zM3 19.500c0-3.300 2.700-5.500 6-5.500s6 2.200 6 5.500M16 5.300a3.250 3.250 0 0 1 0 6M17.500 14.300c2.100.6 3.500 2.500 3.500 5.200",
  send: "M4 12 20.500 4.500 16.500 20l-4.500-6zM12 14l8.500-9.500",
} as const;

export type IconName = keyof typeof PATHS;

/** Decorative: the text beside it says the same. */
export function Icon({ name, size = 20 }: { name: IconName; size?: number }): ReactElement {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.7"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
