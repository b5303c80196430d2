/** What the service may refuse on the ethics board's pages, in words. */
export const boardProblems = {
  board_no_seat: {
    what: "Your wallet's account is not that of a member of the board.",
    next: "Link the wallet that you are registered with, or ask the operator to register this one.",
  },
  board_recused: {
    what: "You recused from this study.",
    next: "Another member signs; nothing more is asked of you.",
  },
  board_not_prepared: {
    what: "The secretary has not prepared this file yet.",
    next: "It is signed once reviewers and a date are named.",
  },
  proposal_incomplete: {
    what: "Papers that the proposal names are missing.",
    next: "The researcher has to upload them first.",
  },
  board_questions_open: {
    what: "The researcher has not answered every question.",
    next: "A permit waits for the answers. They appear here by themselves.",
  },
  board_motion_changed: {
    what: "The file changed after you opened it.",
    next: "Nothing was counted. Read it again, then sign what it says now.",
  },
  board_motion_unfit: {
    what: "There is nothing to decide in this way, now.",
    next: "A decision was taken already, or one is on its way to the ledger. Look at the history below.",
  },
  board_reason_missing: { what: "The reason is missing.", next: "Say why; it is kept with the decision." },
  board_reviewer_unknown: {
    what: "A reviewer is not on the board, or has recused.",
    next: "Choose among the members that are shown.",
  },
  board_date_invalid: {
    what: "This date cannot be.",
    next: "Choose a day to come, within the next 60 days.",
  },
  suspension_stale: {
    what: "The study was suspended or resumed meanwhile.",
    next: "Nothing was counted. Read the file again.",
  },
  decision_letter_absent: {
    what: "There is no letter yet.",
    next: "It is there once the board permitted or refused the study.",
  },
  study_document_unknown: {
    what: "This paper is not here.",
    next: "The researcher has to upload it first.",
  },
};
